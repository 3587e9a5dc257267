"""One value in each cell of a feature's axis: the nearest that may be shown."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from explain.counterfactual.axes import Axes
from explain.counterfactual.constraints import Constraints
from explain.counterfactual.grid import Grid, display_grids
from explain.features import Feature

FloatArray = NDArray[np.float64]


def codes_of(feature: Feature, before: float) -> FloatArray:
    """Return the values of a category or a boolean other than the row's own."""
    codes = np.arange(len(feature.categories) or 2, dtype=np.float64)
    return np.asarray(codes[codes != before])


def offered_values(
    axes: Axes, constraints: Constraints, at: int, before: float, scale: float, *, middle: float = 0.0
) -> FloatArray:
    """Return at most one value per cell other than the row's own, ascending; not yet checked.

    For a missing value there is no own cell: of each cell the value nearest to `middle`, or to the end of the
    permitted range that is nearest to it.
    """
    feature = constraints.space.features[at]
    if feature.type in ("boolean", "category"):
        return codes_of(feature, before)
    declared = constraints.grid(at)
    grids = display_grids(scale) if declared is None else (declared,)
    low, high = constraints.limits(at)
    start = min(max(middle, low), high) if math.isnan(before) else before
    edges = axes.edges[at]
    own = int(axes.place(at, np.array([start]))[0])
    direction = None if math.isnan(before) else constraints.of(at).direction
    parts = [np.empty(0)]
    if direction != "increase":
        parts.append(_nearest(axes, grids, (at, 0), (edges[:own], high), above=False))
    if math.isnan(before):
        toward_high = high > start
        begin = np.array([start]), low if toward_high else high
        parts.append(_nearest(axes, grids, (at, own), begin, above=toward_high))
    if direction != "decrease":
        parts.append(_nearest(axes, grids, (at, own + 1), (edges[own:], low), above=True))
    return np.sort(np.concatenate(parts))


def _nearest(
    axes: Axes,
    grids: tuple[Grid, ...],
    first: tuple[int, int],
    ends: tuple[FloatArray, float],
    *,
    above: bool,
) -> FloatArray:
    """Return, for each cell from a feature's place `first` on, the grid value nearest to the row's own.

    `ends` are the cells' ends on the row's side, and the limit of the range on that side. Cells above the
    own one begin at their lower end, those below at their upper end. A cell in which the coarser grid has no
    value is tried with the next one; where several were given, any number will do in the end, so that no
    cell with a number in it is left out.
    """
    edges, limit = ends
    at, place = first
    starts = np.maximum(edges, limit) if above else np.minimum(edges, limit)
    places = np.arange(len(starts)) + place
    found = np.full(len(starts), np.nan)
    for grid in (*grids, None) if len(grids) > 1 else grids:
        wanted = np.flatnonzero(np.isnan(found))
        values = _beside(grid, starts[wanted], above)
        permitted = values >= limit if above else values <= limit
        inside = permitted & np.isfinite(values) & (axes.place(at, values) == places[wanted])
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
