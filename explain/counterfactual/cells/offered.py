"""One value in each cell of a feature's axis: the nearest that may be shown."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from explain.counterfactual.cells.axes import Axes
from explain.counterfactual.constraints.checker import Constraints
from explain.counterfactual.constraints.grid import Grid, display_grids
from explain.features import Feature

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


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
    low, high = constraints.counted_limits(at)
    start = min(max(middle, low), high) if math.isnan(before) else before
    edges = axes.edges[at]
    own = int(axes.place(at, np.array([start]))[0])
    direction = None if math.isnan(before) else constraints.of(at).direction
    below = edges[:own] if direction != "increase" else edges[:0]
    above = edges[own:] if direction != "decrease" else edges[:0]
    inside = [start] if math.isnan(before) else []
    wanted = _Cells(
        starts=np.concatenate([np.minimum(below, high), inside, np.maximum(above, low)]),
        places=np.concatenate(
            [np.arange(len(below)), own + np.arange(len(inside)), own + 1 + np.arange(len(above))]
        ),
        low=low,
        high=high,
    )
    return np.sort(_nearest(axes, grids, at, wanted))


class _Cells(NamedTuple):
    """Cells of one axis by their places, where in each to begin, and the permitted range.

    A cell below the row's own begins at its upper end, one above at its lower end.
    """

    starts: FloatArray
    places: IntArray
    low: float
    high: float


def _nearest(axes: Axes, grids: tuple[Grid, ...], at: int, cells: _Cells) -> FloatArray:
    """Return, for each cell, the permitted grid value nearest to where it begins.

    A cell in which the coarser grid has no value is tried with the next one; where several were given, any
    number will do in the end, so that no cell with a number in it is left out.
    """
    found = np.full(len(cells.starts), np.nan)
    for grid in (*grids, None) if len(grids) > 1 else grids:
        wanted = np.flatnonzero(np.isnan(found))
        if not len(wanted):
            break
        starts = cells.starts[wanted]
        values = _beside(grid, starts)
        permitted = (values >= cells.low) & (values <= cells.high) & np.isfinite(values)
        inside = permitted & (axes.place(at, values) == cells.places[wanted])
        with np.errstate(invalid="ignore"):
            away = np.where(inside, np.abs(values - starts), np.inf)
        nearest = values[away.argmin(axis=0), np.arange(len(wanted))]
        found[wanted] = np.where(inside.any(axis=0), nearest, np.nan)
    return np.asarray(found[~np.isnan(found)])


def _beside(grid: Grid | None, starts: FloatArray) -> FloatArray:
    """Return the values of a grid (or any float64) around each start."""
    if grid is None:
        return np.stack([starts, np.nextafter(starts, np.inf), np.nextafter(starts, -np.inf)]) + 0.0
    with np.errstate(over="ignore", invalid="ignore"):  # a threshold may be infinite, or close to it
        return np.asarray(grid.values(grid.nearest(starts) + np.array([[-1.0], [0.0], [1.0]])) + 0.0)
