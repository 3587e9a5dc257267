"""Columns that belong together and stand apart, found in data that were made so."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import pytest

from explain.evaluation.correlation import BLOCK_COLUMNS, FEWEST_PAIRS, correlated_pairs
from explain.evaluation.exact_cover import exact_covers
from explain.evaluation.grouping import CORRELATED, Grouped, grouping_warnings
from explain.evaluation.warning import MOST_TOLD
from explain.features import Feature, FeatureSpace

GENERATOR = np.random.default_rng(5)
COUNT = 500


def found(
    columns: dict[str, np.ndarray], factors: Sequence[Sequence[str]] = (), *, unused: Sequence[str] = ()
) -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """What is warned of; columns that no factor names are factors of their own."""
    names = tuple(columns)
    space = FeatureSpace(tuple(Feature(name, "number", nullable=True) for name in names))
    owner = {name: "+".join(group) for group in factors for name in group}
    grouped = Grouped(
        space,
        np.column_stack(list(columns.values())),
        [owner.get(name, name) for name in names],
        np.array([name not in unused for name in names]),
    )
    return [(one.code, one.factors, one.features) for one in grouping_warnings(grouped)]


def normal() -> np.ndarray:
    return GENERATOR.normal(size=COUNT)


def correlated(column: np.ndarray, target: float) -> np.ndarray:
    """A column whose sample correlation with this one is the target, exactly."""
    x = (column - column.mean()) / column.std()
    noise = normal()
    noise -= noise.mean() + x * (x @ noise) / COUNT
    return target * x + np.sqrt(1 - target**2) * noise / noise.std()


def test_what_correlates_beyond_the_limit_and_stands_apart() -> None:
    a = normal()
    columns = {"a": a, "b": correlated(a, CORRELATED + 0.001), "c": correlated(a, CORRELATED - 0.001)}
    columns["d"] = -3e5 * a + 7
    warned = [features for code, _, features in found(columns) if code == "correlated_apart"]
    assert set(warned) == {("a", "b"), ("a", "d"), ("b", "d")}
    together = found(columns, [("a", "b", "d")])
    assert together == []
    assert found(columns, [("a", "d")]) == [
        ("correlated_apart", ("a+d", "b"), ("a", "b")),
        ("correlated_apart", ("b", "a+d"), ("b", "d")),
    ]
    assert found(columns, unused=("a", "b")) == []


def test_categories_have_codes_and_no_correlation() -> None:
    codes = GENERATOR.integers(0, 3, COUNT).astype(float)
    space = FeatureSpace((Feature("c", "category", categories=("x", "y", "z")), Feature("n", "number")))
    rows = np.column_stack([codes, 2 * codes])
    assert grouping_warnings(Grouped(space, rows, ["c", "n"], np.ones(2, dtype=bool))) == []


@pytest.mark.parametrize(("missing", "sign"), [(True, "missing"), (False, "present")])
def test_an_indicator_apart_from_what_it_indicates(missing: bool, sign: str) -> None:
    gaps = GENERATOR.random(COUNT) < 0.3
    income, other = (
        np.where(gaps, np.nan, normal()),
        np.where(GENERATOR.random(COUNT) < 0.3, np.nan, normal()),
    )
    columns = {"income": income, "flag": (gaps == missing).astype(float), "other": other}
    assert found(columns) == [("indicator_apart", ("flag", "income"), ("flag", "income"))], sign
    assert found(columns, [("income", "flag")]) == []
    columns["flag"] = columns["flag"].copy()
    columns["flag"][7] = 1 - columns["flag"][7]  # one row in which it does not
    assert found(columns) == []


def one_hot(codes: np.ndarray, prefix: str) -> dict[str, np.ndarray]:
    return {f"{prefix}{code}": (codes == code).astype(float) for code in np.unique(codes).tolist()}


def test_a_category_spread_over_factors() -> None:
    colour, size = GENERATOR.integers(0, 4, COUNT), GENERATOR.integers(0, 3, COUNT)
    free = (GENERATOR.random(COUNT) < 0.5).astype(float)
    columns = {"x": normal(), **one_hot(colour, "colour"), "free": free, **one_hot(size, "size")}
    colours, sizes = tuple(f"colour{n}" for n in range(4)), tuple(f"size{n}" for n in range(3))
    warned = found(columns)
    assert ("one_hot_apart", colours, colours) in warned
    assert ("one_hot_apart", sizes, sizes) in warned
    assert len(warned) == 2
    half = found(columns, [("colour0", "colour1"), sizes])
    assert half == [("one_hot_apart", ("colour0+colour1", "colour2", "colour3"), colours)]
    assert found(columns, [colours, sizes]) == []


def test_a_category_with_a_level_left_out_is_not_seen() -> None:
    columns = one_hot(GENERATOR.integers(0, 4, COUNT), "colour")
    del columns["colour3"]
    assert found(columns) == []


def test_so_many_of_a_kind_and_no_more() -> None:
    a = normal()
    columns = {f"f{n}": a * (n + 1) for n in range(30)}
    assert len(found(columns)) == MOST_TOLD


def test_correlations_are_those_of_numpy_over_complete_pairs() -> None:
    count, width = 80, 3 * BLOCK_COLUMNS // 2  # two blocks
    base = GENERATOR.normal(size=(count, 3))
    rows = base[:, GENERATOR.integers(0, 3, width)] + 0.8 * GENERATOR.normal(size=(count, width))
    rows *= 10.0 ** GENERATOR.integers(-300, 300, width)
    rows[GENERATOR.random(rows.shape) < 0.3] = np.nan
    rows[:, 3] = 5.0
    told = {(one, other): r for one, other, r in correlated_pairs(rows, range(width), 0.6)}
    checked = 0
    for one, other in GENERATOR.integers(0, width, size=(4000, 2)).tolist():
        if not one < other:
            continue
        both = ~np.isnan(rows[:, one]) & ~np.isnan(rows[:, other])
        truth = 0.0
        if both.sum() >= FEWEST_PAIRS and 3 not in (one, other):
            pair = rows[both][:, [one, other]]
            truth = float(np.corrcoef((pair / np.abs(pair).max(axis=0)).T)[0, 1])
        assert ((one, other) in told) == (abs(truth) > 0.6)
        if abs(truth) > 0.6:
            assert told[one, other] == pytest.approx(truth, abs=1e-9)
            checked += 1
    assert checked > 20


def test_covers_are_those_of_trying_every_set() -> None:
    generator = np.random.default_rng(0)
    some = 0
    for _ in range(60):
        columns = np.zeros((12, 9), dtype=bool)
        for start, levels in ((0, 3), (3, 4)):
            codes = generator.integers(0, levels, 12)
            columns[np.arange(12), start + codes] = True
        columns[:, 7:] = generator.random((12, 2)) < 0.5
        columns = columns[:, generator.permutation(9)]
        truth = {
            tuple(at for at in range(9) if subset >> at & 1)
            for subset in range(1 << 9)
            if (columns[:, [at for at in range(9) if subset >> at & 1]].sum(axis=1) == 1).all()
        }
        # A column without a 1 may be added to any cover: it covers nothing.
        used = {tuple(at for at in cover if columns[:, at].any()) for cover in truth}
        assert set(exact_covers(columns)) == used
        some += len(used)
    assert some >= 120
    assert list(exact_covers(np.zeros((0, 3), dtype=bool))) == []
    assert list(exact_covers(np.zeros((3, 0), dtype=bool))) == []


def test_4096_features_take_seconds() -> None:
    width = 4096
    rows = np.random.default_rng(1).normal(size=(2000, width))
    rows[:, : width // 2] = rows[:, : width // 2] > 1.5
    rows[::7, -50:] = np.nan
    space = FeatureSpace(tuple(Feature(f"f{at}", "number", nullable=True) for at in range(width)))
    grouped = Grouped(space, rows, list(space.names), np.ones(width, dtype=bool))
    started = time.process_time()
    assert grouping_warnings(grouped) == []
    assert time.process_time() - started < 30
