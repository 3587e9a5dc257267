"""The values of a grid inside a permitted range: all of them where they are few, else some near and far."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from explain.counterfactual.constraints.checker import Constraints
from explain.counterfactual.constraints.grid import Grid, display_grids

FloatArray = NDArray[np.float64]

ALL = 1_024  # values that are listed completely
_NEAR, _EVEN = 96, 160  # else: so many distances from the own value on each side, and so many places
_REACH = 64.0  # spreads or steps from the own value, where the range has no end


def rungs(
    constraints: Constraints, at: int, before: float, middle: float, scale: float
) -> tuple[FloatArray, Grid, bool]:
    """Return values a number may become, ascending, their grid, and whether there are no others.

    Near and far are counted from `before`, or from `middle` where that is missing. A number without a step
    may become any in its range: only where that is a single one is the list complete. Its grid is the
    coarsest with a value in the range, and the ends of the range are listed too.
    """
    low, high = _range(constraints, at, before)
    start = middle if np.isnan(before) else before
    declared = constraints.grid(at)
    if declared is not None:
        values, complete = _listed(declared, (low, high), start, scale)
        return values, declared, complete
    grids = display_grids(scale)
    if low >= high:
        return np.array([low] if low == high else []), grids[0], True
    for grid in grids:
        values = _listed(grid, (low, high), start, scale)[0]
        values = values[values != before]
        if len(values):
            break
    ends = np.array([low, high])
    return np.union1d(values, ends[np.isfinite(ends) & (ends != before)]) + 0.0, grid, False


def inside(grid: Grid, near: float, far: float, most: int) -> FloatArray:
    """Return at most so many values of a grid strictly between two numbers, evenly spread, nearer first."""
    ends = grid.nearest(np.array([near, far]))
    multiples = np.unique(np.rint(np.linspace(ends[0], ends[1], most + 2)))
    values = grid.values(multiples if near < far else multiples[::-1]) + 0.0
    return np.asarray(values[(values > min(near, far)) & (values < max(near, far))])


def _range(constraints: Constraints, at: int, before: float) -> tuple[float, float]:
    """Return the permitted range on the side to which the number may move."""
    low, high = constraints.limits(at)
    direction = constraints.of(at).direction
    if direction == "increase" and not np.isnan(before):
        low = max(low, before)
    if direction == "decrease" and not np.isnan(before):
        high = min(high, before)
    return low, high


def _listed(grid: Grid, limits: tuple[float, float], start: float, scale: float) -> tuple[FloatArray, bool]:
    """Return values of a grid within limits, and whether they are all."""
    low, high = limits
    bounded = bool(np.isfinite([low, high]).all())
    reach = _REACH * max(scale, grid.step)
    low = low if np.isfinite(low) else min(start, high) - reach
    high = high if np.isfinite(high) else max(start, low) + reach
    first, last = grid.nearest(np.array([low, high])).tolist()
    ends = grid.values(np.array([first, last]))
    first, last = first + float(ends[0] < low), last - float(ends[1] > high)
    count = last - first + 1.0
    if count <= ALL:
        return grid.values(np.arange(first, last + 0.5)) + 0.0, bounded
    middle = min(max(float(grid.nearest(np.array([start]))[0]), first), last)
    near = np.rint(np.geomspace(1.0, count, _NEAR))
    multiples = np.concatenate([middle - near, [middle], middle + near, np.linspace(first, last, _EVEN)])
    multiples = np.unique(np.clip(np.rint(multiples), first, last))
    return grid.values(multiples) + 0.0, False
