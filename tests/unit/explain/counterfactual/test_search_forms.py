"""The search over every way a library may compare, round and miss, against the enumeration of all cells."""

from __future__ import annotations

from itertools import combinations, product
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray

from explain.counterfactual.cells.tables import SplitTables
from explain.counterfactual.constraints.checker import Constraints, FeatureConstraint
from explain.counterfactual.options import options_of
from explain.counterfactual.search import CounterfactualSearch
from explain.counterfactual.thresholds.reach import Reach
from explain.deadline import Deadline
from explain.errors import ModelUnsupported
from explain.features import Feature, FeatureSpace, FloatWidth
from explain.models.ensemble import MISSING_NAN, MISSING_NONE, MISSING_ZERO
from explain.outcome import OutcomeRule
from explain.reference import Reference

if TYPE_CHECKING:
    from conftest import Forest, Split

FloatArray = NDArray[np.float64]

TINY = float(np.float32(1e-35))
TENTH = 0.1  # no float32 number
THRESHOLDS = (-1.5, -TENTH, -TINY, 0.0, 1e-40, TINY, TENTH, TENTH + 1e-12, 1.0, 2.5)
PLACES = (-2.0, -1.5, -TENTH, -2e-35, -TINY, -1e-36, 0.0, 1e-40, TINY, 2e-35, TENTH, 0.5, 1.0, 2.5, 3.0)
RULE = OutcomeRule("margin", 0.0, "decline", "approve", "high_is_adverse")
FEATURES = (
    Feature("x", "number", minimum=-3.0, maximum=3.0, nullable=True),
    Feature("y", "number", minimum=-3.0, maximum=3.0, nullable=True),
    Feature("kind", "category", categories=("a", "b", "c", "d"), nullable=True),
)
KINDS = {"nan": (MISSING_NAN,), "zero": (MISSING_ZERO,), "none": (MISSING_NONE,), "mixed": (0, 1, 2)}
SHAPES = [(kind, width, comparison) for kind in KINDS for width in (32, 64) for comparison in ("<", "<=")]


def grow(rng: np.random.Generator, split: type[Split], kinds: tuple[int, ...], depth: int) -> Split:
    if depth == 0:
        return split(value=float(rng.normal()))
    at = int(rng.integers(3))
    codes = tuple(np.flatnonzero(rng.random(4) < 0.5).tolist()) if at == 2 else None
    return split(
        feature=at,
        threshold=float(rng.choice(THRESHOLDS)),
        codes=codes,
        default_left=bool(rng.random() < 0.5),
        missing=int(rng.choice(kinds)),
        left=grow(rng, split, kinds, depth - 1),
        right=grow(rng, split, kinds, depth - 1),
    )


def witnesses(width: FloatWidth) -> FloatArray:
    """At least one number of every cell that any of THRESHOLDS, under any comparison, can make."""
    marks = np.array([*THRESHOLDS, *PLACES])
    if width == 32:
        near = np.concatenate([marks.astype(np.float32), (marks + marks).astype(np.float32) / 2])
        beside = [np.nextafter(near, np.float32(side)).astype(np.float64) for side in (-9, 9)]
        marks = np.concatenate([marks, near.astype(np.float64), *beside])
    beside = [np.nextafter(marks, side) for side in (-9.0, 9.0)]
    every = np.unique(np.concatenate([marks, *beside, np.array([-3.0, 3.0])]))
    return every[np.abs(every) <= 3.0]


def model_of(
    seed: int, shape: tuple[str, FloatWidth, str], make_forest: type[Forest], split: type[Split]
) -> tuple[Forest, np.random.Generator]:
    kind, width, comparison = shape
    rng = np.random.default_rng([seed, *kind.encode(), width, len(comparison)])
    trees = [grow(rng, split, KINDS[kind], 3) for _ in range(4)]
    return make_forest(FeatureSpace(FEATURES, width), trees, 0.5 + rng.random(), comparison, 64), rng


def draw(rng: np.random.Generator) -> FloatArray:
    row = np.array([rng.choice(PLACES), rng.choice(PLACES), rng.integers(4)])
    row[rng.random(3) < 0.2] = np.nan
    return row


def all_changes(row: FloatArray, width: FloatWidth, changes: int) -> FloatArray:
    offers = [witnesses(width), witnesses(width), np.arange(4.0)]
    open_features = [at for at in range(3) if not np.isnan(row[at])]
    rows = []
    for size in range(1, changes + 1):
        for features in combinations(open_features, size):
            values = np.array(list(product(*(offers[at] for at in features))))
            others = np.repeat(row[None, :], len(values), axis=0)
            others[:, features] = values
            rows.append(others)
    return np.unique(np.concatenate(rows), axis=0) if rows else np.empty((0, 3))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("seed", range(4))
def test_a_status_is_what_the_enumeration_of_all_cells_says(
    seed: int, shape: tuple[str, FloatWidth, str], make_forest: type[Forest], split: type[Split]
) -> None:
    """Without a declared step any number may be offered: a cell of a single number counts too."""
    model, rng = model_of(seed, shape, make_forest, split)
    free = {name: FeatureConstraint(mutable=True) for name in ("x", "y", "kind")}
    reference = Reference.of("given", np.array([draw(rng) for _ in range(40)]))
    for changes, row in product((1, 2), (draw(rng) for _ in range(3))):
        search = CounterfactualSearch.prepare(model, RULE, Constraints(model.space, free, changes), reference)
        instance = model.space.instance(row)
        found = search.find(instance, count=3, deadline=Deadline.unlimited(), seed=1)
        if model.margins(row[None])[0] < 0.0:
            assert found.status == "not_needed"
            continue
        others = all_changes(row, shape[1], 1)
        margins = model.margins(others) if len(others) else np.empty(0)
        if changes == 1:
            assert (found.status == "found") == (margins < -1e-6).any()
        elif (margins < -1e-6).any():
            assert found.status == "found"
        else:
            some = rng.permutation(all_changes(row, shape[1], 2))[:3000]
            best = model.margins(some).min(initial=np.inf) if len(some) else np.inf
            assert found.status == "found" or best >= 0.0
        if found.status == "no_recourse":
            assert found.proof in ("bounded", "exhaustive")
        assert found.status in ("found", "no_recourse")
        assert found.dropped == 0


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("seed", range(4))
def test_every_margin_of_the_tables_is_the_models_own(
    seed: int, shape: tuple[str, FloatWidth, str], make_forest: type[Forest], split: type[Split]
) -> None:
    model, rng = model_of(seed, shape, make_forest, split)
    tables = SplitTables.prepare(model.form(), model.space)
    free = {name: FeatureConstraint(mutable=True) for name in ("x", "y", "kind")}
    constraints = Constraints(model.space, free, 3)
    for row in (draw(rng) for _ in range(6)):
        options = options_of(tables, constraints, np.ones(3), row)
        if not len(options):
            continue
        reach = Reach(tables, tables.cells(row), options, 3)
        cells, state = tables.cells(row), row.copy()
        for at in rng.permutation(len(options))[:2].tolist():
            cells[options.feature[at]], state[options.feature[at]] = options.cell[at], options.value[at]
        margin, margins = reach.margins(cells)
        others = np.repeat(state[None, :], len(options), axis=0)
        others[np.arange(len(options)), options.feature] = options.value
        assert margins == pytest.approx(model.margins(others), abs=1e-12)
        assert margin == pytest.approx(model.margins(state[None])[0], abs=1e-12)
        assert np.array_equal(
            options.cell,
            [cells_of(tables, other, at) for other, at in zip(others, options.feature, strict=True)],
        )


def cells_of(tables: SplitTables, row: FloatArray, at: int) -> int:
    return int(tables.cells(row)[at])


def test_a_cell_of_one_number_between_two_thresholds_is_offered(
    make_forest: type[Forest], split: type[Split]
) -> None:
    """Only the float32 next above 0.5 is favourable, and only zero beside it."""
    above = float(np.nextafter(np.float32(0.5), np.float32(1)))
    inner = split(feature=0, threshold=0.5, left=split(value=1.0), right=split(value=-1.0))
    tree = split(feature=0, threshold=above, left=inner, right=split(value=1.0))
    space = FeatureSpace((Feature("x", "number"),))
    model = make_forest(space, [tree], comparison="<=")
    free = Constraints(space, {"x": FeatureConstraint(mutable=True)}, 1)
    reference = Reference.of("given", np.arange(40.0)[:, None])
    search = CounterfactualSearch.prepare(model, RULE, free, reference)
    found = search.find(space.read({"x": 0.1}), count=1, deadline=Deadline.unlimited(), seed=1)
    assert [np.float32(item.changes[0].after) for item in found.items] == [np.float32(above)]
    stepped = Constraints(space, {"x": FeatureConstraint(mutable=True, step=0.001)}, 1)
    search = CounterfactualSearch.prepare(model, RULE, stepped, reference)
    found = search.find(space.read({"x": 0.1}), count=1, deadline=Deadline.unlimited(), seed=1)
    assert found.status == "no_recourse"


def test_the_codes_of_one_category_are_not_the_cells_of_the_next_feature(
    make_forest: type[Forest], split: type[Split]
) -> None:
    """The first category has two codes and the second five: the first has no third."""
    names = tuple(f"c{code}" for code in range(5))
    features = (Feature("a", "category", categories=names[:2]), Feature("x", "number"))
    space = FeatureSpace((*features, Feature("b", "category", categories=names)))
    inner = split(feature=1, threshold=0.5, left=split(value=1.0), right=split(value=2.0))
    wide = split(feature=2, codes=(1, 4), left=inner, right=split(value=4.0))
    model = make_forest(space, [split(feature=0, codes=(1,), left=split(value=8.0), right=wide)])
    tables = SplitTables.prepare(model.form(), space)
    free = {name: FeatureConstraint(mutable=True) for name in space.names}
    for row in map(np.array, product((0.0, 1.0), (0.0, 1.0), range(5))):
        options = options_of(tables, Constraints(space, free, 3), np.ones(3), row)
        margin, margins = Reach(tables, tables.cells(row), options, 3).margins(tables.cells(row))
        others = np.repeat(row[None, :], len(options), axis=0)
        others[np.arange(len(options)), options.feature] = options.value
        assert margins.tolist() == model.margins(others).tolist()
        assert margin == model.margins(row[None])[0]


def test_zero_is_the_way_out_where_zero_is_missing(make_forest: type[Forest], split: type[Split]) -> None:
    tree = split(
        feature=0,
        threshold=5.0,
        default_left=False,
        missing=MISSING_ZERO,
        left=split(value=1.0),
        right=split(value=-1.0),
    )
    space = FeatureSpace((Feature("x", "number", minimum=-4.0, maximum=4.0),))
    model = make_forest(space, [tree], comparison="<=")
    free = Constraints(space, {"x": FeatureConstraint(mutable=True)}, 1)
    reference = Reference.of("given", np.arange(40.0)[:, None] / 10)
    search = CounterfactualSearch.prepare(model, RULE, free, reference)
    for before in (-3.0, 2.0):
        found = search.find(space.read({"x": before}), count=3, deadline=Deadline.unlimited(), seed=1)
        assert [item.changes[0].after for item in found.items] == [0.0]


def test_what_the_tables_cannot_hold_is_refused_by_name(
    make_forest: type[Forest], split: type[Split]
) -> None:
    space = FeatureSpace((Feature("x", "number"),))
    tree = split(feature=0, codes=(1,), left=split(value=1.0), right=split(value=-1.0))
    with pytest.raises(ModelUnsupported, match="a categorical split on 'x'"):
        SplitTables.prepare(make_forest(space, [tree]).form(), space)
