"""The variables open to one applicant, and what each may become in any state of the search."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from explain.counterfactual.axes import Axes
from explain.counterfactual.cells import codes_of, offered_values
from explain.counterfactual.choices import Choices
from explain.counterfactual.constraints import differing
from explain.counterfactual.grid import Grid
from explain.counterfactual.options import costs_of
from explain.counterfactual.problem import Problem
from explain.counterfactual.relations import Relation
from explain.counterfactual.rungs import inside, rungs

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Mask = NDArray[np.bool_]
State = tuple[int, ...]


class Openings:
    """The changes of one problem.

    `every` are the choices from the row itself, and `columns` the features of each variable. `sizes` counts
    the values of each variable that a complete sweep has to look at; infinite where no list is complete.
    Variables that are `bound` have a part in some inequality.
    """

    def __init__(self, problem: Problem, axes: Axes | None) -> None:
        self._constraints = problem.constraints
        self._scales = problem.scales
        self._axes = axes
        self._middles = np.zeros(len(problem.scales)) if problem.medians is None else problem.medians
        self.row = problem.instance.row
        self.columns: list[IntArray] = []
        self.sizes: list[float] = []
        self._relations: dict[int, Relation] = {}
        self._rungs: dict[int, FloatArray] = {}
        self._grids: dict[int, Grid] = {}
        self._known: dict[tuple[int, bytes], tuple[Choices, Mask]] = {}
        parts = [part for group in self._constraints.members if (part := self._group(group)) is not None]
        grouped = {at for group in self._constraints.members for at in group.tolist()}
        changeable = [at for at in self._constraints.changeable(self.row) if at not in grouped]
        self.every = Choices.joined([*parts, *(self._feature(at) for at in changeable)])
        self.bound = np.array([self._bound(columns) for columns in self.columns], dtype=np.bool_)

    def __len__(self) -> int:
        return len(self.columns)

    def taken_back(self, row: FloatArray, variable: int) -> FloatArray:
        """Return a row with this variable as it was; what follows from it is left to the caller."""
        back = row.copy()
        back[self.columns[variable]] = self.row[self.columns[variable]]
        return back

    def differing(self, rows: FloatArray) -> dict[int, Mask]:
        """Tell for each related number in which states its partners differ, so that it has other choices."""
        return {
            variable: np.asarray(
                differing(self.row[relation.partners], rows[:, relation.partners]).any(axis=1)
            )
            for variable, relation in self._relations.items()
        }

    def related(self, variable: int, row: FloatArray) -> tuple[Choices, Mask]:
        """Return a related number's choices in a state, and which keep its inequalities there.

        Of each kind of value that model and inequalities can tell apart it is the nearest.
        """
        at, values = int(self.columns[variable][0]), self._rungs[variable]
        if self._axes is None:
            cost = self.cost(variable, values)
            return Choices.of_feature(variable, at, values, cost), np.ones(len(values), dtype=np.bool_)
        relation = self._relations[variable]
        key = variable, row[relation.partners].tobytes()
        if key not in self._known:
            kinds, kept = relation.kinds(self._axes, row, values)
            first = np.sort(np.unique(kinds, return_index=True)[1])  # of each kind the nearest
            choices = Choices.of_feature(variable, at, values[first], self.cost(variable, values[first]))
            self._known[key] = choices, kept[first]
        return self._known[key]

    def swept(self) -> Choices:
        """Return the choices of a complete sweep: of related numbers all values of the grid."""
        parts = []
        for variable, columns in enumerate(self.columns):
            if variable in self._rungs:
                values = self._rungs[variable]
                cost = self.cost(variable, values)
                parts.append(Choices.of_feature(variable, int(columns[0]), values, cost))
            else:
                parts.append(self.every.picked(self.every.variable == variable))
        return Choices.joined(parts)

    def between(self, variable: int, near: float, far: float, most: int) -> FloatArray:
        """Return at most so many values of a number strictly between two, the nearer first."""
        at = int(self.columns[variable][0])
        if variable in self._grids:
            values = inside(self._grids[variable], near, far, most)
            return values[self._constraints.allowed(at, float(self.row[at]), values)]
        own = self.every.value[self.every.variable == variable, 0]
        values = np.sort(own[(own > min(near, far)) & (own < max(near, far))])
        if len(values) > most:
            values = values[np.unique(np.rint(np.linspace(0, len(values) - 1, most)).astype(np.int64))]
        return values if near < far else values[::-1]

    def numeric(self, variable: int) -> bool:
        """Tell whether a variable is a number that was there before, so that it has nearer values."""
        at = int(self.columns[variable][0])
        kind = self._constraints.space.features[at].type
        alone = len(self.columns[variable]) == 1
        return alone and kind in ("number", "integer") and not math.isnan(self.row[at])

    def cost(self, variable: int, values: FloatArray) -> FloatArray:
        """Return what values of a feature's variable cost."""
        at = int(self.columns[variable][0])
        return costs_of(self._constraints, self._scales, at, float(self.row[at]), values)

    def _group(self, members: IntArray) -> Choices | None:
        """Open a one-hot group, if its 1 may move."""
        constraints, row = self._constraints, self.row
        ones = members[row[members] == 1.0]
        if len(ones) != 1 or not constraints.allowed(int(ones[0]), 1.0, np.zeros(1))[0]:
            return None
        others = [at for at in members.tolist() if at != ones[0] and row[at] == 0.0]
        new = [at for at in others if constraints.allowed(at, 0.0, np.ones(1))[0]]
        if not new or len(others) != len(members) - 1:
            return None
        variable = self._open(*members.tolist())
        self.sizes[variable] = len(new)
        cost = self.cost(variable, np.ones(1))
        return Choices.of_group(variable, int(ones[0]), np.array(new), float(cost[0]))

    def _feature(self, at: int) -> Choices:
        """Open one feature."""
        before, scale, axes = float(self.row[at]), float(self._scales[at]), self._axes
        variable = self._open(at)
        numeric = self._constraints.space.features[at].type in ("number", "integer")
        relation = Relation.of(self._constraints, at) if numeric else None
        if not numeric:
            values, complete = codes_of(self._constraints.space.features[at], before), True
        elif axes is not None and relation is None:
            middle = float(self._middles[at])
            values = offered_values(axes, self._constraints, at, before, scale, middle=middle)
            complete = True
        else:
            start = float(self._middles[at]) if math.isnan(before) else before
            values, self._grids[variable], complete = rungs(self._constraints, at, start, scale)
        values = values[self._constraints.allowed(at, before, values) & (values != before)]
        if complete:
            self.sizes[variable] = len(values)
        if numeric and (axes is None or relation is not None):
            values = values[np.argsort(self.cost(variable, values), kind="stable")]
            self._rungs[variable] = values
        if relation is None or axes is None:
            return Choices.of_feature(variable, at, values, self.cost(variable, values))
        self._relations[variable] = relation
        return self.related(variable, self.row)[0]

    def _bound(self, columns: IntArray) -> bool:
        relations = [Relation.of(self._constraints, at) for at in columns.tolist()]
        return any(relation is not None and relation.inequalities for relation in relations)

    @property
    def on_grids(self) -> bool:
        """Tell whether every number that may change has a grid of its own, so that no value is left out."""
        numbers = [int(columns[0]) for at, columns in enumerate(self.columns) if self.numeric(at)]
        return all(self._constraints.grid(at) is not None for at in numbers)

    def _open(self, *columns: int) -> int:
        """Add a variable; return its number."""
        self.columns.append(np.array(columns, dtype=np.int64))
        self.sizes.append(math.inf)
        return len(self.columns) - 1
