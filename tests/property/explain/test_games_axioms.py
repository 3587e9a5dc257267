"""The axioms of Shapley values and interaction values, for every game that trees play, on random trees."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from explain.attribution.games import (
    each_reference,
    interactions,
    interventional,
    path_dependent,
    path_dependent_interactions,
    single_reference,
)
from explain.attribution.treeshap import TreeShap
from explain.models.ensemble import LEAF, MISSING_NAN, MISSING_NONE, MISSING_ZERO, TreeEnsemble
from tests.oracles import games
from tests.oracles.trees import margins, random_rows, random_trees

Reals = np.ndarray
EXACT = 1e-12
KINDS = (MISSING_NAN, MISSING_ZERO, MISSING_NONE)

SEEDS = st.integers(0, 2**32 - 1)
SPELLINGS = st.tuples(st.sampled_from(["<", "<="]), st.sampled_from(["left", "right"]), st.integers(1, 3))
few = settings(max_examples=60, deadline=None)


@dataclass(frozen=True)
class Bare:
    """Trees without a native library; only what preparing asks of a model."""

    ensemble: TreeEnsemble
    digest: str = "sha256:none"

    def form(self) -> TreeEnsemble:
        return self.ensemble


def spelled(seed: int, spelling: tuple[str, str, int], depth: int = 5) -> TreeEnsemble:
    comparison, listed_goes, outputs = spelling
    return random_trees(
        seed,
        trees=4,
        depth=depth,
        outputs=outputs,
        comparison=comparison,
        listed_goes=listed_goes,
        missing=KINDS,
    )


def every_game(
    trees: TreeEnsemble, row: Reals, reference: Reals, output: int = 0
) -> list[tuple[float, Reals]]:
    """The base value and the values of each game, and the matrices of their pairs."""
    return [
        interventional(trees, row, reference, output),
        single_reference(trees, row, reference[0], output),
        path_dependent(trees, row, output),
        interactions(trees, row, reference, output),
        path_dependent_interactions(trees, row, output),
    ]


@few
@given(SEEDS, SPELLINGS)
def test_values_against_rows_are_those_of_the_enumerated_game(seed: int, spelling: tuple) -> None:
    trees = spelled(seed, spelling)
    row, reference, output = random_rows(seed + 1, 1)[0], random_rows(seed + 2, 5), trees.outputs - 1
    game = games.interventional(lambda rows: margins(trees, rows), row, reference)[:, output]
    base_value, phi = interventional(trees, row, reference, output)
    assert base_value == pytest.approx(game[0], abs=EXACT)
    assert phi == pytest.approx(games.shapley_values(game), abs=EXACT)
    assert interactions(trees, row, reference, output)[1] == pytest.approx(
        games.interaction_values(game), abs=EXACT
    )
    alone = games.single_reference(lambda rows: margins(trees, rows), row, reference[0])[:, output]
    base_value, phi = single_reference(trees, row, reference[0], output)
    assert base_value == pytest.approx(alone[0], abs=EXACT)
    assert phi == pytest.approx(games.shapley_values(alone), abs=EXACT)
    each = each_reference(trees, row, reference, output)
    assert each[0] == pytest.approx(games.shapley_values(alone), abs=EXACT)
    assert np.array_equal(each, [single_reference(trees, row, one, output)[1] for one in reference])


@few
@given(SEEDS, SPELLINGS)
def test_values_by_cover_are_those_of_the_enumerated_game(seed: int, spelling: tuple) -> None:
    trees = spelled(seed, spelling)
    row, output = random_rows(seed + 1, 1)[0], trees.outputs - 1
    game = games.path_dependent(trees, row, output)
    base_value, phi = path_dependent(trees, row, output)
    assert base_value == pytest.approx(game[0], abs=EXACT)
    assert phi == pytest.approx(games.shapley_values(game), abs=EXACT)
    assert path_dependent_interactions(trees, row, output)[1] == pytest.approx(
        games.interaction_values(game), abs=EXACT
    )


@few
@given(SEEDS, SPELLINGS)
def test_efficiency(seed: int, spelling: tuple) -> None:
    trees = spelled(seed, spelling, depth=9)
    row, reference = random_rows(seed + 1, 1)[0], random_rows(seed + 2, 9)
    for output in range(trees.outputs):
        margin = margins(trees, row[np.newaxis])[0, output]
        for base_value, values in every_game(trees, row, reference, output):
            assert base_value + values.sum() == pytest.approx(margin, abs=EXACT)


@few
@given(SEEDS)
def test_a_feature_that_no_split_tests_gets_exactly_nothing(seed: int) -> None:
    trees = random_trees(seed)
    trees = replace(trees, feature=np.where(trees.feature == 2, 1, trees.feature).astype(np.int32))
    for _, values in every_game(trees, random_rows(seed + 1, 1)[0], random_rows(seed + 2, 9)):
        assert not values[..., 2].any()
        assert not values[2].any()


@few
@given(SEEDS)
def test_a_feature_equal_to_the_whole_reference_gets_exactly_nothing(seed: int) -> None:
    trees = random_trees(seed, missing=KINDS)
    row, reference = random_rows(seed + 1, 1)[0], random_rows(seed + 2, 9)
    reference[:, 1] = row[1]
    assert interventional(trees, row, reference)[1][1] == 0.0
    assert not interactions(trees, row, reference)[1][1].any()


@few
@given(SEEDS)
def test_features_that_trade_places_trade_values(seed: int) -> None:
    trees, swap = random_trees(seed, missing=KINDS), np.array([1, 0, 2, 3])
    swapped = replace(trees, feature=np.append(swap, LEAF)[trees.feature].astype(np.int32))
    row, reference = random_rows(seed + 1, 1)[0], random_rows(seed + 2, 9)
    before = every_game(trees, row, reference)
    after = every_game(swapped, row[swap], reference[:, swap])
    for (base_value, values), (other_base, others) in zip(before, after, strict=True):
        assert other_base == pytest.approx(base_value, abs=EXACT)
        turned = values[swap] if values.ndim == 1 else values[np.ix_(swap, swap)]
        assert others == pytest.approx(turned, abs=EXACT)


@few
@given(SEEDS)
def test_sums_of_models_have_sums_of_values(seed: int) -> None:
    both = random_trees(seed, trees=4, missing=KINDS)
    row, reference = random_rows(seed + 1, 1)[0], random_rows(seed + 2, 9)
    parts = []
    for tree in range(4):
        lonely = np.zeros_like(both.value)
        nodes = slice(both.offsets[tree], both.offsets[tree + 1])
        lonely[nodes] = both.value[nodes]
        parts.append(every_game(replace(both, value=lonely), row, reference))
    for whole, *summands in zip(every_game(both, row, reference), *parts, strict=True):
        assert whole[1] == pytest.approx(sum(one[1] for one in summands), abs=EXACT)


def monotone_trees(seed: int, features: int = 4) -> TreeEnsemble:
    """A complete tree of one split per feature whose leaves never fall when one more test is passed."""
    generator = np.random.default_rng(seed)
    inner, leaves = (1 << features) - 1, 1 << features
    worth = generator.normal(size=leaves)
    for bit in range(features):
        for corner in range(leaves):
            if corner >> bit & 1:
                worth[corner] = max(worth[corner], worth[corner ^ 1 << bit])
    nodes = np.arange(inner + leaves)
    level = np.frexp(nodes + 1.0)[1] - 1
    stump = random_trees(seed, trees=1, depth=0, features=features)
    thresholds = generator.integers(0, 5, size=features).astype(np.float64)
    corners = nodes[inner:] - inner  # the bits of a leaf's number are its turns, the root's the highest
    turned = np.array([int(f"{corner:0{features}b}"[::-1], 2) for corner in corners])
    split = nodes < inner
    return replace(
        stump,
        offsets=np.array([0, len(nodes)]),
        left=np.where(split, 2 * nodes + 1, LEAF).astype(np.int32),
        right=np.where(split, 2 * nodes + 2, LEAF).astype(np.int32),
        feature=np.where(split, level, LEAF).astype(np.int32),
        threshold=np.where(split, thresholds[np.minimum(level, features - 1)], np.nan),
        missing=np.zeros(len(nodes), dtype=np.uint8),
        default_left=np.zeros(len(nodes), dtype=np.bool_),
        value=np.concatenate([np.zeros(inner), worth[turned]]),
        cover=np.ldexp(1.0, -level),
        category_start=np.full(len(nodes), -1),
        category_size=np.zeros(len(nodes), dtype=np.int64),
    )


@few
@given(SEEDS)
def test_a_monotone_model_gives_values_of_the_sign_of_the_difference(seed: int) -> None:
    trees, generator = monotone_trees(seed), np.random.default_rng(seed + 1)
    row = generator.integers(0, 6, size=4).astype(np.float64)
    reference = generator.integers(0, 6, size=(6, 4)).astype(np.float64)
    for other in reference:
        _, phi = single_reference(trees, row, other)
        assert np.all(phi * np.sign(row - other) >= -EXACT)
        assert not phi[row == other].any()
    for best, sign in ((reference.max(axis=0), 1.0), (reference.min(axis=0), -1.0)):
        assert np.all(sign * interventional(trees, best, reference)[1] >= -EXACT)
    assert np.all(path_dependent(trees, np.full(4, 9.0))[1] >= -EXACT)
    assert np.all(path_dependent(trees, np.full(4, -9.0))[1] <= EXACT)


@few
@given(SEEDS)
def test_pairs_are_symmetric_and_their_rows_add_up_to_the_values(seed: int) -> None:
    trees = random_trees(seed, depth=8, features=6, missing=KINDS)
    row, reference = random_rows(seed + 1, 1, 6)[0], random_rows(seed + 2, 9, 6)
    for (base_value, matrix), (other_base, phi) in (
        (interactions(trees, row, reference), interventional(trees, row, reference)),
        (path_dependent_interactions(trees, row), path_dependent(trees, row)),
    ):
        assert base_value == other_base
        assert np.array_equal(matrix, matrix.T)
        assert matrix.sum(axis=1) == pytest.approx(phi, abs=EXACT)


@few
@given(SEEDS)
def test_trees_of_one_split_have_no_interactions(seed: int) -> None:
    trees = random_trees(seed, depth=1, trees=9, missing=KINDS)
    row, reference = random_rows(seed + 1, 1)[0], random_rows(seed + 2, 9)
    for _, matrix in (interactions(trees, row, reference), path_dependent_interactions(trees, row)):
        assert np.array_equal(matrix, np.diag(np.diag(matrix)))


@few
@given(SEEDS)
def test_a_reference_is_the_mean_of_its_rows(seed: int) -> None:
    trees, rows, reference = random_trees(seed), random_rows(seed + 1, 2), random_rows(seed + 2, 6)
    base_value, phi = TreeShap.prepare(Bare(trees), reference, cache_dir=None).explain_batch(rows)
    for row, values in zip(rows, phi, strict=True):
        singles = [single_reference(trees, row, one) for one in reference]
        assert values == pytest.approx(np.mean([one for _, one in singles], axis=0), abs=EXACT)
        assert base_value == pytest.approx(np.mean([one for one, _ in singles]), abs=EXACT)
        assert interventional(trees, row, reference)[1] == pytest.approx(values, abs=EXACT)
        pairs = [interactions(trees, row, one[np.newaxis])[1] for one in reference]
        assert interactions(trees, row, reference)[1] == pytest.approx(np.mean(pairs, axis=0), abs=EXACT)
