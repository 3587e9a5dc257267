"""The variables of a linear model: it tells all numbers apart, so ranges stand for many values at once.

A short grid is listed value by value. Of a longer one, of a range without steps and of one without an end,
each position is a span: it stands for all values between two points, and its row for the far one. What lies
in the last span of a range without an end is known to no row; whatever may reach the goal only there leaves
the search without a proof.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from explain.counterfactual.constraints.grid import Grid, display_grids
from explain.counterfactual.exact.domains import Variable, tied_variable, variable_of
from explain.counterfactual.problem import Problem

FloatArray = NDArray[np.float64]

_LISTED = 20_000  # values of one feature at most that are listed one by one
_SPANS = 20_000  # spans on each side of the row's own value
_FARTHEST = 1e30


def linear_variable(problem: Problem, at: int, needed: float) -> Variable | None:
    """Return the variable of one untied feature of a linear model; None if it has nothing to change to.

    `needed` is a distance over which the feature alone could decide: ranges without an end are looked at
    that far.
    """
    constraints, before = problem.constraints, float(problem.instance.row[at])
    grid, (low, high) = constraints.grid(at), constraints.limits(at)
    if constraints.space.features[at].type in ("boolean", "category"):
        return tied_variable(problem, at, tied=False)
    if grid is not None and (high - low) / grid.step <= _LISTED:
        return tied_variable(problem, at, tied=False)
    start = _first_value(grid, low, high) if math.isnan(before) else before
    direction = None if math.isnan(before) else constraints.of(at).direction
    reach = min(max(100.0 * float(problem.scales[at]), needed), _FARTHEST)
    if start is None:
        return None
    parts = [np.full((int(math.isnan(before)), 3), start)]  # what fills a missing value may be the first
    if direction != "increase" and low < start:
        parts.insert(0, _spans(problem, at, start, low, reach)[::-1])
    if direction != "decrease" and high > start:
        parts.append(_spans(problem, at, start, high, reach))
    spans = np.concatenate(parts)
    spans = spans[constraints.allowed(at, before, spans[:, 1]) & (spans[:, 1] != before)]
    return variable_of(problem, at, spans[:, 1], spans[:, 0], np.sort(spans[:, [0, 2]], axis=1))


def _first_value(grid: Grid | None, low: float, high: float) -> float | None:
    """Return the permitted value nearest to 0; None if no value of the grid lies in the range."""
    start = min(max(0.0, low), high)
    if grid is None:
        return start
    values = grid.values(grid.nearest(np.array([start])) + np.arange(-1.0, 2.0)) + 0.0
    values = values[(values >= low) & (values <= high)]
    return float(values[np.abs(values - start).argmin()]) if len(values) else None


def _spans(problem: Problem, at: int, start: float, limit: float, reach: float) -> FloatArray:
    """Return spans from `start` towards a limit, near to far: near end, the value of its row, far end."""
    up = limit > start
    grid = problem.constraints.grid(at)
    low, high = problem.constraints.counted_limits(at)
    last = limit if math.isfinite(limit) else min(max(start + (reach if up else -reach), low), high)
    step = (grid or display_grids(float(problem.scales[at]))[0]).step
    stride = max(1.0, math.ceil(abs(last - start) / step / _SPANS))
    shown = grid or display_grids(float(problem.scales[at]))[0]
    first, final = shown.nearest(np.array([start, last]))
    multiples = np.arange(1.0, abs(final - first) // stride + 2.0) * (stride if up else -stride) + first
    points = shown.values(multiples) + 0.0
    points = points[(points > start) & (points < last)] if up else points[(points < start) & (points > last)]
    if grid is None or math.isfinite(limit):
        end = last if grid is None else _last_on_grid(shown.values(final + np.arange(-1.0, 2.0)), limit, up)
        if (end > start) == up and end != start:
            points = np.append(points, end)
    points = np.unique(points)[:: 1 if up else -1]
    spans = np.stack([np.concatenate([[start], points[:-1]]), points, points], axis=1)
    if math.isfinite(limit) or not len(points):
        return spans
    beyond = shown.values(shown.nearest(points[-1:]) + (1.0 if up else -1.0))[0]
    return np.concatenate([spans, [[points[-1], beyond, limit]]])


def _last_on_grid(values: FloatArray, limit: float, up: bool) -> float:
    """Return the last grid value within a limit."""
    return float(values[values <= limit].max() if up else values[values >= limit].min())
