"""The values of a grid inside a permitted range: all of them where they are few, else some near and far."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from explain.counterfactual.constraints import Constraints
from explain.counterfactual.grid import Grid, display_grids

FloatArray = NDArray[np.float64]

ALL = 1_024  # values that are listed completely
_NEAR, _EVEN = 96, 160  # else: so many distances from the own value on each side, and so many places
_REACH = 64.0  # spreads from the own value, where the range has no end


def rungs(constraints: Constraints, at: int, start: float, scale: float) -> tuple[FloatArray, Grid, bool]:
    """Return values a number may become, ascending, their grid, and whether there are no others.

    `start` is the value from which near and far are counted.
    """
    declared = constraints.grid(at)
    grid = display_grids(scale)[0] if declared is None else declared
    low, high = constraints.limits(at)
    bounded = bool(np.isfinite([low, high]).all())
    low = low if np.isfinite(low) else min(start, high) - _REACH * scale
    high = high if np.isfinite(high) else max(start, low) + _REACH * scale
    first, last = grid.nearest(np.array([low, high])).tolist()
    ends = grid.values(np.array([first, last]))
    first, last = first + float(ends[0] < low), last - float(ends[1] > high)
    count = last - first + 1.0
    if count <= ALL:
        multiples = np.arange(first, last + 0.5)
        return grid.values(multiples) + 0.0, grid, bounded and declared is not None
    middle = min(max(float(grid.nearest(np.array([start]))[0]), first), last)
    near = np.rint(np.geomspace(1.0, count, _NEAR))
    multiples = np.concatenate([middle - near, [middle], middle + near, np.linspace(first, last, _EVEN)])
    multiples = np.unique(np.clip(np.rint(multiples), first, last))
    return grid.values(multiples) + 0.0, grid, False


def inside(grid: Grid, near: float, far: float, most: int) -> FloatArray:
    """Return at most so many values of a grid strictly between two numbers, evenly spread, nearer first."""
    ends = grid.nearest(np.array([near, far]))
    multiples = np.unique(np.rint(np.linspace(ends[0], ends[1], most + 2)))
    values = grid.values(multiples if near < far else multiples[::-1]) + 0.0
    return np.asarray(values[(values > min(near, far)) & (values < max(near, far))])
