"""The single changes open to one applicant: per mutable feature one value in each cell of the model.

Inside a cell the model cannot tell values apart, so the permitted grid value nearest to the applicant's own
stands for the whole cell: nothing is lost by looking at no other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explain.counterfactual.constraints import Constraints
from explain.counterfactual.grid import Grid, display_grids
from explain.counterfactual.tables import IntArray, SplitTables
from explain.reference import Reference

FloatArray = NDArray[np.float64]

SPARSITY = 1.0
"""What each changed feature costs beside its distance."""


@dataclass(frozen=True, slots=True, eq=False)
class Options:
    """Single changes, ordered by feature and value: the feature, its new value and cell, and the cost."""

    feature: IntArray
    value: FloatArray
    cell: IntArray
    cost: FloatArray

    def __len__(self) -> int:
        return len(self.feature)


def scales_of(reference: Reference) -> FloatArray:
    """Return each feature's spread in the reference: the median absolute deviation from the median.

    Where it is 0 the mean absolute deviation takes its place, then the size of the median, then 1.
    """
    scales = np.ones(reference.rows.shape[1])
    for at in range(len(scales)):
        column = reference.rows[:, at]
        present = column[~np.isnan(column)]
        if len(present):
            middle = float(np.median(present))
            off = np.abs(present - middle)
            scales[at] = float(np.median(off)) or float(off.mean()) or abs(middle) or 1.0
    return scales


def cost_of(constraints: Constraints, scales: FloatArray, before: FloatArray, after: FloatArray) -> float:
    """Return the cost of a whole set of changes: scaled distances, 1 for a category, 1 per feature."""
    changed = np.flatnonzero((before != after) & ~(np.isnan(before) & np.isnan(after)))
    return sum(
        float(_costs(constraints, scales, at, float(before[at]), after[at : at + 1])[0])
        for at in changed.tolist()
    )


def options_of(tables: SplitTables, constraints: Constraints, scales: FloatArray, row: FloatArray) -> Options:
    """List the single changes that the constraints permit from this row."""
    features, values, cells, costs = [], [], [], []
    for at in constraints.changeable(row):
        before = float(row[at])
        offered = _offered(tables, constraints, at, before, float(scales[at]))
        offered = offered[constraints.allowed(at, before, offered)]
        features.append(np.full(len(offered), at, dtype=np.int64))
        values.append(offered)
        cells.append(tables.cell(at, offered))
        costs.append(_costs(constraints, scales, at, before, offered))
    if not features:
        nothing = np.empty(0, dtype=np.int64)
        return Options(nothing, np.empty(0), nothing, np.empty(0))
    return Options(
        np.concatenate(features), np.concatenate(values), np.concatenate(cells), np.concatenate(costs)
    )


def _costs(
    constraints: Constraints, scales: FloatArray, at: int, before: float, after: FloatArray
) -> FloatArray:
    if constraints.space.features[at].type in ("boolean", "category"):
        return np.full(len(after), 1.0 + SPARSITY)
    return np.asarray(np.abs(after - before) / scales[at] + SPARSITY)


def _offered(
    tables: SplitTables, constraints: Constraints, at: int, before: float, scale: float
) -> FloatArray:
    """Return at most one value per cell other than the row's own, ascending; not yet checked."""
    feature = constraints.space.features[at]
    if feature.type == "category":
        codes = np.arange(len(feature.categories), dtype=np.float64)
        return np.asarray(codes[codes != before])
    if feature.type == "boolean":
        return np.array([1.0 - before])
    declared = constraints.grid(at)
    grids = display_grids(scale) if declared is None else (declared,)
    low, high = constraints.limits(at)
    edges = tables.axes.edges[at]
    own = int(tables.axes.place(at, np.array([before]))[0])
    direction = constraints.of(at).direction
    parts = [np.empty(0)]
    if direction != "increase":
        parts.append(_nearest_in_cells(tables, grids, at, (edges[:own], high), 0))
    if direction != "decrease":
        parts.append(_nearest_in_cells(tables, grids, at, (edges[own:], low), own + 1))
    return np.sort(np.concatenate(parts))


def _nearest_in_cells(
    tables: SplitTables, grids: tuple[Grid, ...], at: int, ends: tuple[FloatArray, float], first: int
) -> FloatArray:
    """Return, for each cell from the place `first` on, the grid value nearest to the row's own, if any fits.

    `ends` are the cells' ends on the row's side, and the limit of the range on that side. Cells above the
    own one (`first` above 0) begin at their lower end, those below at their upper end. A cell in which the
    coarser grid has no value is tried with the next one; where several were given, any number will do in
    the end, so that no cell with a number in it is left out.
    """
    edges, limit = ends
    above = first > 0
    starts = np.maximum(edges, limit) if above else np.minimum(edges, limit)
    places = np.arange(len(starts)) + first
    found = np.full(len(starts), np.nan)
    for grid in (*grids, None) if len(grids) > 1 else grids:
        wanted = np.flatnonzero(np.isnan(found))
        values = _beside(grid, starts[wanted], above)
        permitted = values >= limit if above else values <= limit
        inside = permitted & np.isfinite(values) & (tables.axes.place(at, values) == places[wanted])
        nearest = values[inside.argmax(axis=0), np.arange(len(wanted))]
        found[wanted] = np.where(inside.any(axis=0), nearest, np.nan)
    return np.asarray(found[~np.isnan(found)])


def _beside(grid: Grid | None, starts: FloatArray, above: bool) -> FloatArray:
    """Return the values of a grid (or any float64) around each start, the nearest to the row first."""
    if grid is None:
        return np.stack([starts, np.nextafter(starts, np.inf if above else -np.inf)]) + 0.0
    steps = np.array([[-1.0], [0.0], [1.0]]) if above else np.array([[1.0], [0.0], [-1.0]])
    with np.errstate(over="ignore", invalid="ignore"):  # a threshold may be infinite, or close to it
        return np.asarray(grid.values(grid.nearest(starts) + steps) + 0.0)
