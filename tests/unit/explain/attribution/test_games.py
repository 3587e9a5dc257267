"""The games of trees where closed forms are known, deep ones above all, and what has no game."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from explain.attribution.games import (
    interactions,
    interventional,
    path_dependent,
    path_dependent_interactions,
    single_reference,
)
from explain.attribution.quadrature import PLAYERS_LIMIT, rules_up_to
from explain.errors import ModelUnsupported
from explain.models.ensemble import LEAF, TreeEnsemble
from tests.oracles.trees import random_rows, random_trees

Factor = tuple[Fraction, Fraction]
DEPTH = 200


def chain(depth: int, values: dict[int, float], shares: list[float]) -> TreeEnsemble:
    """A tree that asks features 0, 1, ... in turn whether they are at least one half, until the first no.

    `values` names the margins of leaves by their depth, the last leaf's under `depth`; `shares` is the part
    of the cover that goes on, in turn.
    """
    stump = random_trees(0, trees=1, depth=0, features=depth)
    inner = np.arange(2 * depth + 1) % 2 == 0
    inner[-1] = False
    nodes = np.arange(2 * depth + 1)
    cover = np.ones(len(nodes))
    for level in range(depth):
        share = shares[level % len(shares)]
        cover[2 * level + 1], cover[2 * level + 2] = cover[2 * level] * (1 - share), cover[2 * level] * share
    value = np.zeros(len(nodes))
    for level, margin in values.items():
        value[2 * level + 1 if level < depth else 2 * depth] = margin
    return replace(
        stump,
        offsets=np.array([0, len(nodes)]),
        left=np.where(inner, nodes + 1, LEAF).astype(np.int32),
        right=np.where(inner, nodes + 2, LEAF).astype(np.int32),
        feature=np.where(inner, nodes // 2, LEAF).astype(np.int32),
        threshold=np.where(inner, 0.5, np.nan),
        missing=np.zeros(len(nodes), dtype=np.uint8),
        default_left=np.zeros(len(nodes), dtype=np.bool_),
        value=value,
        cover=cover,
        category_start=np.full(len(nodes), -1),
        category_size=np.zeros(len(nodes), dtype=np.int64),
        base_margins=np.zeros(1),
    )


def leaf_factors(depth: int, level: int, row: np.ndarray, other: list[Fraction]) -> list[Factor]:
    """o and r of each feature on the way to one leaf; `other` is the reference's share that goes on."""
    factors = []
    for feature in range(min(level + 1, depth)):
        goes_on, shared = row[feature] >= 0.5, other[feature]
        onward = feature < level
        factors.append((Fraction(int(goes_on == onward)), shared if onward else 1 - shared))
    return factors


def product_sizes(factors: list[Factor]) -> list[Fraction]:
    """Coefficients by coalition size of the product of o z + r."""
    sizes = [Fraction(1)]
    for o, r in factors:
        sizes = [
            (sizes[s] * r if s < len(sizes) else 0) + (sizes[s - 1] * o if s else 0)
            for s in range(len(sizes) + 1)
        ]
    return sizes


def exact_value(factors: list[Factor], left_out: tuple[int, ...]) -> Fraction:
    """The Shapley value (one left out) or half of the pair's index (two), by coalition sizes."""
    k, out = len(factors), len(left_out)
    sizes = product_sizes([one for at, one in enumerate(factors) if at not in left_out])
    total = sum(
        Fraction(math.factorial(s) * math.factorial(k - s - out), math.factorial(k - out + 1)) * size
        for s, size in enumerate(sizes)
    )
    for at in left_out:
        total *= factors[at][0] - factors[at][1]
    return total / out


def chain_values(
    depth: int, values: dict[int, float], row: np.ndarray, other: list[Fraction], features: tuple[int, ...]
) -> float:
    total = Fraction(0)
    for level, margin in values.items():
        factors = leaf_factors(depth, level, row, other)
        if max(features) < len(factors):
            total += Fraction(margin) * exact_value(factors, features)
    return float(total)


SHARES = [1.0 - 2.0**-6, 0.875]


@pytest.mark.parametrize(
    "features", [(0,), (4,), (58,), (136,), (169,), (175,), (199,), (0, 4), (3, 180), (190, 198)]
)
def test_a_chain_of_200_features_has_its_closed_form(features: tuple[int, ...]) -> None:
    values = {60: 2.0, 137: -64.0, DEPTH: 1024.0}
    trees, row = chain(DEPTH, values, SHARES), np.ones(DEPTH)
    row[170:] = 0.0
    shares = [Fraction(SHARES[level % 2]) for level in range(DEPTH)]
    game = path_dependent if len(features) == 1 else path_dependent_interactions
    expected = chain_values(DEPTH, values, row, shares, features)
    assert expected != 0.0
    assert game(trees, row)[1][features] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("features", [(4,), (58,), (100,), (130,), (4, 13), (4, 130), (100, 120), (13, 122)])
def test_a_chain_against_one_row_has_its_closed_form(features: tuple[int, ...]) -> None:
    values = {58: 2.0, 130: -64.0, DEPTH: 2.0**60}
    trees, row, other = chain(DEPTH, values, SHARES), np.ones(DEPTH), np.ones(DEPTH)
    row[[100, 120, 122]] = 0.0
    other[np.arange(DEPTH) % 9 == 4] = 0.0
    going = [Fraction(int(x >= 0.5)) for x in other]
    expected = chain_values(DEPTH, values, row, going, features)
    assert expected != 0.0
    if len(features) == 1:
        found = single_reference(trees, row, other)[1]
    else:
        found = interactions(trees, row, other[np.newaxis])[1]
    assert found[features] == pytest.approx(expected, rel=1e-12)


def test_everybody_together_or_nothing() -> None:
    trees = chain(DEPTH, {DEPTH: 5.0}, [0.5])
    row, other = np.ones(DEPTH), np.zeros(DEPTH)
    base_value, phi = single_reference(trees, row, other)
    assert base_value == 0.0
    assert phi == pytest.approx(np.full(DEPTH, 5.0 / DEPTH), rel=1e-13)
    pairs = interactions(trees, row, other[np.newaxis])[1]
    outside = pairs[~np.eye(DEPTH, dtype=bool)]
    assert outside == pytest.approx(np.full(len(outside), 5.0 / (2 * (DEPTH - 1))), rel=1e-12)
    _, shared = path_dependent(trees, row)
    assert shared == pytest.approx(np.full(DEPTH, 5.0 * (1 - 0.5**DEPTH) / DEPTH), rel=1e-13)


def test_rules_integrate_products_of_every_degree() -> None:
    rules = rules_up_to(300)
    for players in (1, 2, 3, 7, 32, 33, 34, 64, 65, 131, 300):
        q = slice(rules.first[players], rules.last[players])
        for a in {0, (players - 1) // 3, (players - 1) // 2, players - 1}:
            b = players - 1 - a
            truth = Fraction(math.factorial(a) * math.factorial(b), math.factorial(a + b + 1))
            found = np.sum(rules.weight[q] * rules.t[q] ** a * rules.rest[q] ** b)
            assert found == pytest.approx(float(truth), rel=1e-12)


def test_constant_trees_move_nothing() -> None:
    trees, row = random_trees(0, trees=3, depth=0), np.zeros(4)
    constant = trees.base_margin + trees.value.sum()
    for base_value, values in (
        interventional(trees, row, random_rows(1, 3)),
        path_dependent(trees, row),
        interactions(trees, row, random_rows(1, 3)),
        path_dependent_interactions(trees, row),
    ):
        assert base_value == pytest.approx(constant, abs=1e-15)
        assert not values.any()


def test_the_base_value_is_the_same_for_every_row() -> None:
    trees, reference = random_trees(3, depth=8, trees=20), random_rows(4, 50)
    assert len({interventional(trees, row, reference)[0] for row in random_rows(5, 20)}) == 1
    assert len({path_dependent(trees, row)[0] for row in random_rows(5, 20)}) == 1


def test_threads_get_what_one_thread_gets() -> None:
    trees, reference = random_trees(3, depth=8, trees=20), random_rows(4, 50)
    rows = random_rows(5, 64)

    def one(row: np.ndarray) -> bytes:
        found = interactions(trees, row, reference)[1], path_dependent_interactions(trees, row)[1]
        return b"".join(part.tobytes() for part in found)

    serial = [one(row) for row in rows]
    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(one, rows)) == serial


def test_without_covers_there_is_no_path_dependent_game() -> None:
    trees, row = random_trees(0), np.zeros(4)
    with pytest.raises(ModelUnsupported, match="path-dependent values without covers in the file"):
        path_dependent(replace(trees, cover=np.zeros(0)), row)
    for cover in (-1.0, math.nan, math.inf):
        broken = trees.cover.copy()
        broken[trees.offsets[:-1]] = cover
        with pytest.raises(ModelUnsupported, match="covers that are no weights"):
            path_dependent_interactions(replace(trees, cover=broken), row)


def test_a_row_that_goes_where_no_training_row_went_has_no_path_dependent_game() -> None:
    trees = chain(3, {0: 1.0, 1: 2.0, 2: 3.0, 3: 4.0}, [0.5, 0.0, 0.5])  # the last split has no cover
    for row in ([1.0, 1.0, 1.0], [0.0, 1.0, 1.0], [1.0, 1.0, 0.0]):
        with pytest.raises(ModelUnsupported, match="goes where no training row went"):
            path_dependent(trees, np.array(row))
    _, phi = path_dependent(trees, np.array([1.0, 0.0, 1.0]))
    assert phi.tolist() == [0.5, 0.0, 0.0]


def test_more_features_on_a_path_than_any_rule_holds_are_refused() -> None:
    count = PLAYERS_LIMIT + 1
    with pytest.raises(ModelUnsupported, match="2048 features on one path"):
        single_reference(chain(count, {count: 1.0}, [0.5]), np.ones(count), np.zeros(count))


def test_wrong_shapes_are_refused() -> None:
    trees = random_trees(0)
    with pytest.raises(ValueError, match=r"a row of shape \(4,\)"):
        path_dependent(trees, np.zeros(5))
    with pytest.raises(ValueError, match=r"a reference of shape \(n, 4\)"):
        interventional(trees, np.zeros(4), np.zeros((0, 4)))
    with pytest.raises(ValueError, match=r"a reference of shape \(n, 4\)"):
        interactions(trees, np.zeros(4), np.zeros((2, 3)))
