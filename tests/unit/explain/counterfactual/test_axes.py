"""Cells end at the very float64 number at which the model's own comparison turns."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import pytest

from explain.counterfactual.cells.axes import read_axes
from explain.counterfactual.cells.tables import SplitTables
from explain.features import Feature, FeatureSpace, FloatWidth
from explain.models.ensemble import MISSING_NAN, MISSING_NONE, MISSING_ZERO

if TYPE_CHECKING:
    from conftest import Forest, Split

NUMBER = (Feature("x", "number", nullable=True),)
THRESHOLDS = (
    *np.random.default_rng(3).normal(size=40).tolist(),
    *(float(np.float32(value)) for value in (-1.3, -0.1, 1e-35, -1e-35, 1e30, 3.4e38)),
    *(0.0, 1e-45, -1e-40, 16777217.0, 1e300, -1e300, np.inf),
)


@pytest.mark.parametrize(("width", "comparison"), list(product((32, 64), ("<", "<="))))
@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_an_edge_is_where_the_comparison_turns(
    threshold: float, width: FloatWidth, comparison: str, make_forest: type[Forest], split: type[Split]
) -> None:
    tree = split(feature=0, threshold=threshold, left=split(value=1.0), right=split(value=-1.0))
    space = FeatureSpace(NUMBER, width)
    trees = make_forest(space, [tree], comparison=comparison).form()
    axes = read_axes(trees, space)
    (at,) = np.flatnonzero(axes.cuts[0] == threshold)
    edge = float(axes.edges[0][at])
    if not np.isfinite(edge) or (width == 32 and abs(edge) > 3.4e38):
        return
    beside = np.array([np.nextafter(edge, -np.inf), edge, np.nextafter(edge, np.inf)])
    seen = beside.astype(np.float32).astype(np.float64) if width == 32 else beside
    left = seen < threshold if comparison == "<" else seen <= threshold
    assert (left[0], left[2]) == (True, False)
    assert np.array_equal(axes.place(0, beside) <= at, left)


@pytest.mark.parametrize("missing", [MISSING_NAN, MISSING_ZERO, MISSING_NONE])
@pytest.mark.parametrize(("default_left", "comparison"), list(product((True, False), ("<", "<="))))
@pytest.mark.parametrize("threshold", [-0.5, 0.0, 0.5, 1.0])
def test_a_category_compared_as_a_number(
    threshold: float,
    default_left: bool,
    comparison: str,
    missing: int,
    *,
    make_forest: type[Forest],
    split: type[Split],
) -> None:
    space = FeatureSpace((Feature("kind", "category", categories=("a", "b", "c"), nullable=True),))
    tree = split(
        feature=0,
        threshold=threshold,
        default_left=default_left,
        missing=missing,
        left=split(value=1.0),
        right=split(value=-1.0),
    )
    model = make_forest(space, [tree], comparison=comparison)
    tables = SplitTables.prepare(model.form(), space)
    rows = np.array([[0.0], [1.0], [2.0], [np.nan]])
    first = tables.axes.first_cell
    met = np.array([tables.boxes.met(tables.cells(row), first) for row in rows])
    values = np.array([tables.value[tables.boxes.leaf[one]].sum() for one in met])
    assert values.tolist() == model.margins(rows).tolist()
