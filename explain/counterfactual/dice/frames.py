"""What DiCE is shown of a decision: only what may change, in whole numbers.

A number is shown as its multiple of the grid that answers lie on, a category, a boolean or a one-hot group as
a code. What may not change, derived features and missing values that stay missing are held out and put back,
so that whatever DiCE makes of these columns is a row of the model with all links followed. Where a column is
not changed, the row keeps the applicant's own value, on the grid or not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explain.counterfactual.constraints.checker import Constraints
from explain.counterfactual.constraints.grid import Grid, display_grids
from explain.counterfactual.problem import Problem

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

UNKNOWN = -1  # the code of a missing category
_LARGEST = 2.0**53


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """One thing that can change by itself.

    `members` is the position of its feature in model order, or those of a one-hot group. A number has a
    `grid`; everything else has `codes`, how many values there are.
    """

    members: tuple[int, ...]
    grid: Grid | None = None
    codes: int = 0

    @property
    def at(self) -> int:
        """The position of its only feature, or of the group's first."""
        return self.members[0]

    def shown(self, rows: FloatArray) -> FloatArray:
        """Return the column of rows (n, features); NaN where it is missing."""
        if self.grid is not None:
            return np.asarray(np.clip(self.grid.nearest(rows[:, self.at]), -_LARGEST, _LARGEST))
        if len(self.members) > 1:
            return np.asarray(rows[:, list(self.members)].argmax(axis=1), dtype=np.float64)
        return np.asarray(rows[:, self.at])

    def put(self, rows: FloatArray, changed: NDArray[np.bool_], shown: FloatArray) -> None:
        """Write the shown values (n,) back into rows (n, features) where they are `changed`."""
        if self.grid is not None:
            rows[changed, self.at] = self.grid.values(shown[changed]) + 0.0
        elif len(self.members) > 1:
            for code, at in enumerate(self.members):
                rows[changed, at] = shown[changed] == code
        else:
            rows[changed, self.at] = shown[changed]


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """The columns of a model version, numbers first, and its reference rows in them (rows, columns)."""

    columns: tuple[Column, ...]
    reference: FloatArray

    @classmethod
    def of(cls, constraints: Constraints, scales: FloatArray, reference: FloatArray) -> Layout:
        """Lay out what may change at all; `reference` are rows (rows, features), NaN for missing."""
        numbers, others = (
            [],
            [Column(tuple(group.tolist()), codes=len(group)) for group in constraints.members],
        )
        for at, feature in enumerate(constraints.space.features):
            if not constraints.of(at).mutable or constraints.grouped(at):
                continue
            if feature.type in ("number", "integer"):
                grid = constraints.grid(at)
                numbers.append(Column((at,), display_grids(float(scales[at]))[0] if grid is None else grid))
            else:
                others.append(Column((at,), codes=max(2, len(feature.categories))))
        columns = (*numbers, *others)
        shown = [column.shown(reference) for column in columns]
        return cls(columns, np.stack(shown, axis=1) if shown else np.empty((len(reference), 0)))


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """The columns of a layout that one decision may change.

    `chosen` are their places in the layout, `own` (columns,) is the decision in them, and `values` are, for a
    number, the least and the greatest multiple, and otherwise the codes that it may become.
    """

    problem: Problem
    columns: tuple[Column, ...]
    chosen: tuple[int, ...]
    own: FloatArray
    values: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, layout: Layout, problem: Problem) -> Frame:
        """Look which columns may change in this row, and to what."""
        found = []
        for place, column in enumerate(layout.columns):
            own = _own(column, problem)
            shown = layout.reference[:, place]
            values = (
                _codes(column, problem)
                if column.grid is None
                else _multiples(column, column.grid, problem, shown[~np.isnan(shown)])
            )
            if any(value != own for value in values):
                found.append((place, column, own, values))
        return cls(
            problem=problem,
            columns=tuple(column for _, column, _, _ in found),
            chosen=tuple(place for place, _, _, _ in found),
            own=np.array([own for _, _, own, _ in found], dtype=np.float64),
            values=tuple(values for _, _, _, values in found),
        )

    def rows(self, shown: FloatArray) -> FloatArray:
        """Return the model's rows (n, features) for shown ones (n, columns), with every link followed."""
        before = self.problem.instance.row
        rows = np.repeat(before[None, :], len(shown), axis=0)
        changed = shown != self.own
        for place, column in enumerate(self.columns):
            column.put(rows, changed[:, place], shown[:, place])
        return self.problem.constraints.complete(before, rows)


def _own(column: Column, problem: Problem) -> float:
    """Return what stands for the applicant's own value, which may be missing or beside the grid."""
    row = problem.instance.row[None, :]
    if column.grid is None:
        shown = float(column.shown(row)[0])
        return UNKNOWN if math.isnan(shown) else shown
    if math.isnan(row[0, column.at]) and problem.medians is not None:
        row = problem.medians[None, :]
    shown = float(column.shown(row)[0])
    return 0.0 if math.isnan(shown) else shown


def _codes(column: Column, problem: Problem) -> tuple[int, ...]:
    """Return the codes that the column may become."""
    constraints, row = problem.constraints, problem.instance.row
    if not all(constraints.of(at).mutable for at in column.members):
        return ()
    codes = np.arange(column.codes)
    if len(column.members) == 1:
        before = float(row[column.at])
        if column.at not in constraints.changeable(row):
            return ()
        allowed = constraints.allowed(column.at, before, codes.astype(np.float64))
        return tuple(codes[allowed & (codes != before)].tolist())
    taken = int(row[list(column.members)].argmax())
    others = [code for code in codes.tolist() if code != taken]
    return tuple(code for code in others if _may_move(column, problem, taken, code))


def _may_move(column: Column, problem: Problem, taken: int, code: int) -> bool:
    """Tell whether a group's 1 may go from one member to the other."""
    constraints = problem.constraints
    leaves = constraints.allowed(column.members[taken], 1.0, np.zeros(1))
    comes = constraints.allowed(column.members[code], 0.0, np.ones(1))
    return bool(leaves[0] and comes[0])


def _multiples(column: Column, grid: Grid, problem: Problem, reference: FloatArray) -> tuple[int, ...]:
    """Return the least and the greatest multiple that a number may become; nothing if there is none.

    The permitted range is cut to what the reference has seen, where something of it is left: DiCE draws
    evenly over the whole range, and few live at its ends.
    """
    constraints, before = problem.constraints, float(problem.instance.row[column.at])
    if column.at not in constraints.changeable(problem.instance.row):
        return ()
    low, high = constraints.limits(column.at)
    direction = constraints.of(column.at).direction
    if not math.isnan(before):
        low = max(low, before) if direction == "increase" else low
        high = min(high, before) if direction == "decrease" else high
    ends = _inside(grid, low, high)
    seen = (float(reference.min()), float(reference.max())) if len(reference) else (-math.inf, math.inf)
    cut = (max(ends[0], seen[0]), min(ends[1], seen[1]))
    least, greatest = cut if cut[0] < cut[1] else ends
    if not (math.isfinite(least) and math.isfinite(greatest)) or least > greatest:
        return ()
    return int(least), int(greatest)


def _inside(grid: Grid, low: float, high: float) -> tuple[float, float]:
    """Return the multiples of a grid between which all its values in [low, high] lie; infinite ends stay."""
    least, greatest = low, high
    if math.isfinite(low):
        near = grid.nearest(np.array([low])) + np.array([-1.0, 0.0, 1.0])
        least = float(near[grid.values(near) >= low].min())
    if math.isfinite(high):
        near = grid.nearest(np.array([high])) + np.array([-1.0, 0.0, 1.0])
        greatest = float(near[grid.values(near) <= high].max())
    return least, greatest
