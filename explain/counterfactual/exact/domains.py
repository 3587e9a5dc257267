"""The variables of one problem: what may be chosen, value by value, and what each choice costs.

A variable is a feature, or a one-hot group as a whole. Its positions are the values it may take, numbers in
ascending order, a missing one first; one of them is the value it has. Of a number that a tree model reads
there is one position in each cell of the model unless the number is tied to others by a link or an
inequality: then there are all values of its grid.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explain.counterfactual.cells.axes import Axes
from explain.counterfactual.cells.offered import offered_values
from explain.counterfactual.constraints.checker import Constraints
from explain.counterfactual.constraints.grid import Grid
from explain.counterfactual.options import SPARSITY, costs_of
from explain.counterfactual.problem import Problem

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

MOST_POSITIONS = 2_000_000
"""Positions of one problem at most: beyond them the exact search does not begin."""


class TooManyValues(Exception):
    """The values that tied features may take are too many to be listed."""


@dataclass(frozen=True, slots=True, eq=False)
class Variable:
    """What may be chosen for these features together: `values` has shape (positions, features).

    `cost` is what each position costs and `floor` the least that any value costs for which it stands: less
    where a value was taken from a range without steps. `ends` (positions, 2) are the smallest and the
    largest of those values if they do not all mean the same to the model, else the value itself twice.
    """

    features: tuple[int, ...]
    values: FloatArray
    stay: int
    cost: FloatArray
    floor: FloatArray
    ends: FloatArray
    tied: bool = False

    def __len__(self) -> int:
        return len(self.values)

    @property
    def whole(self) -> bool:
        """Whether each position stands for one value, or for values that mean the same to the model."""
        low, high = self.ends[:, 0], self.ends[:, 1]
        return bool(((low == high) | np.isnan(low)).all())


def tied_features(constraints: Constraints) -> frozenset[int]:
    """Return the features that take part in a link or an inequality."""
    names = {name for link in constraints.links for name in (link.feature, *link.parts)}
    names |= {name for inequality in constraints.inequalities for name, _ in inequality.terms}
    return frozenset(constraints.space.index(name) for name in names)


def group_variables(problem: Problem) -> list[Variable]:
    """Return a variable for each one-hot group in which the 1 can move."""
    constraints, row = problem.constraints, problem.instance.row
    tied = tied_features(constraints)
    found = []
    for members in constraints.members:
        before = row[members]
        moves = [
            after
            for after in np.eye(len(members))
            if not np.array_equal(after, before) and _may_become(constraints, members, before, after)
        ]
        if moves:
            values = np.stack([before, *moves])
            costs = np.full(len(values), 1.0 + SPARSITY)
            costs[0] = 0.0
            ends = np.repeat(np.arange(len(values), dtype=np.float64)[:, None], 2, axis=1)
            at = tuple(members.tolist())
            found.append(Variable(at, values, 0, costs, costs, ends, any(one in tied for one in at)))
    return found


def _may_become(constraints: Constraints, members: IntArray, before: FloatArray, after: FloatArray) -> bool:
    return all(
        bool(constraints.allowed(at, float(old), np.array([new]))[0])
        for at, old, new in zip(members.tolist(), before, after, strict=True)
        if old != new
    )


def single_features(problem: Problem) -> list[int]:
    """Return the features that may be changed by themselves."""
    constraints = problem.constraints
    grouped = {at for members in constraints.members for at in members.tolist()}
    return [at for at in constraints.changeable(problem.instance.row) if at not in grouped]


def cell_variable(problem: Problem, axes: Axes, at: int) -> Variable | None:
    """Return the variable of one untied feature of a tree model; None if it has nothing to change to."""
    constraints, before = problem.constraints, float(problem.instance.row[at])
    scale = float(problem.scales[at])
    values = offered_values(axes, constraints, at, before, scale)
    values = values[constraints.allowed(at, before, values)]
    floors = None
    if constraints.grid(at) is None and constraints.space.features[at].type == "number":
        floors = _nearest_ends(constraints, axes, at, before, values)
    return variable_of(problem, at, values, floors)


def _nearest_ends(
    constraints: Constraints, axes: Axes, at: int, before: float, values: FloatArray
) -> FloatArray:
    """Return, for each value, the end of its cell (or of the range) on the side of the row's own value."""
    edges, places = axes.edges[at], axes.place(at, values)
    low, high = constraints.limits(at)
    padded = np.concatenate([[-np.inf], edges, [np.inf]])
    above = np.maximum(padded[places], low)
    below = np.minimum(padded[places + 1], high)
    nearest = np.where(values > before, np.clip(above, before, values), np.clip(below, values, before))
    return np.asarray(nearest)


def tied_variable(problem: Problem, at: int, *, tied: bool = True) -> Variable | None:
    """Return the variable of a feature with all values it may take, as one that is tied to others needs."""
    constraints, before = problem.constraints, float(problem.instance.row[at])
    feature, grid = constraints.space.features[at], constraints.grid(at)
    if grid is not None:
        values = grid_values(grid, constraints.limits(at))
    elif feature.type == "number":  # without a step there is no end to its values
        raise TooManyValues
    else:
        values = np.arange(max(2, len(feature.categories)), dtype=np.float64)
    values = values[constraints.allowed(at, before, values) & (values != before)]
    return variable_of(problem, at, values, tied=tied)


def grid_values(grid: Grid, limits: tuple[float, float]) -> FloatArray:
    """Return all values of a grid between two finite limits, ascending; TooManyValues if they are."""
    low, high = limits
    if not (math.isfinite(low) and math.isfinite(high)) or (high - low) / grid.step > MOST_POSITIONS:
        raise TooManyValues
    first, last = grid.nearest(np.array([low, high]))
    values = grid.values(np.arange(first - 1.0, last + 2.0)) + 0.0
    return np.asarray(values[(values >= low) & (values <= high)])


def variable_of(
    problem: Problem,
    at: int,
    values: FloatArray,
    nearest: FloatArray | None = None,
    ends: FloatArray | None = None,
    *,
    tied: bool = False,
) -> Variable | None:
    """Put the row's own value among the values of one feature, ascending, a missing one first.

    `nearest` are the values nearest to the row's own for which each stands too, `ends` (values, 2) the
    outermost ones if they do not all mean the same to the model.
    """
    if not len(values):
        return None
    constraints, before = problem.constraints, float(problem.instance.row[at])
    stay = 0 if math.isnan(before) else int(np.searchsorted(values, before))
    every = np.insert(values, stay, before)
    near = every if nearest is None else np.insert(nearest, stay, before)
    cost, floor = (costs_of(constraints, problem.scales, at, before, those) for those in (every, near))
    cost[stay] = floor[stay] = 0.0
    outermost = np.stack([values, values], axis=1) if ends is None else ends
    outermost = np.insert(outermost, stay, before, axis=0)
    return Variable((at,), every[:, None], stay, cost, floor, outermost, tied)


@dataclass(frozen=True, slots=True, eq=False)
class Domains:
    """All variables of one problem, and what follows from them."""

    problem: Problem
    variables: tuple[Variable, ...]

    @classmethod
    def of(cls, problem: Problem, variables: Sequence[Variable]) -> Domains:
        """Put the variables together; TooManyValues if they have more positions than can be kept."""
        if sum(map(len, variables)) > MOST_POSITIONS:
            raise TooManyValues
        return cls(problem, tuple(variables))

    @property
    def stay(self) -> IntArray:
        """Where each variable stays."""
        return np.array([variable.stay for variable in self.variables], dtype=np.int64)

    @property
    def sizes(self) -> IntArray:
        """How many positions each variable has."""
        return np.array([len(variable) for variable in self.variables], dtype=np.int64)

    @property
    def changes(self) -> int:
        """How many variables may change at once."""
        return min(self.problem.constraints.max_changes, len(self.variables))

    @property
    def whole(self) -> bool:
        """Whether nothing that is permitted is left out."""
        return all(variable.whole for variable in self.variables)

    def rows(self, positions: IntArray) -> FloatArray:
        """Return the rows that positions (n, variables) mean, derived features recomputed."""
        before = self.problem.instance.row
        rows = np.repeat(before[None, :], len(positions), axis=0)
        for v, variable in enumerate(self.variables):
            rows[:, list(variable.features)] = variable.values[positions[:, v]]
        return self.problem.constraints.complete(before, rows)
