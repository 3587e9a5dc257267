"""The variables open to one applicant, and what each may become in any state of the search."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from explain.counterfactual.budget import Budget
from explain.counterfactual.cells.axes import Axes
from explain.counterfactual.cells.offered import codes_of, offered_values
from explain.counterfactual.constraints.checker import differing
from explain.counterfactual.constraints.grid import Grid
from explain.counterfactual.options import costs_of
from explain.counterfactual.problem import Problem
from explain.counterfactual.steps.choices import Choices
from explain.counterfactual.steps.relations import Relation
from explain.counterfactual.steps.rungs import inside, rungs

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Mask = NDArray[np.bool_]
State = tuple[int, ...]


_CHOICES, _FEW = 32, 4  # choices of a variable that are looked at: where they are many, and very many
_FIRST, _SHOWN = 768, 4_096  # choices looked at, all variables together: at least, and about at most


class Openings:
    """The changes of one problem.

    `shown` are choices from the row itself, near and far, by variable, and `columns` the features of each
    variable. `sizes` counts the values of each variable that a complete sweep has to look at; infinite where
    no list is complete. Variables that are `bound` have a part in some inequality. `stopped` says that the
    budget ended while variables were left to open: then nothing is known.
    """

    def __init__(self, problem: Problem, axes: Axes | None, budget: Budget) -> None:
        self._constraints = problem.constraints
        self._scales = problem.scales
        self._axes = axes
        self._middles = np.zeros(len(problem.scales)) if problem.medians is None else problem.medians
        self.row = problem.instance.row
        self.columns: list[IntArray] = []
        self.sizes: list[float] = []
        self.stopped = False
        self._moves: dict[int, Choices] = {}
        self._values: dict[int, FloatArray] = {}
        self._relations: dict[int, Relation] = {}
        self._grids: dict[int, Grid] = {}
        self._known: dict[tuple[int, bytes], tuple[Choices, Mask]] = {}
        bound: list[bool] = []
        self.shown = Choices.joined(self._opened(budget, bound))
        self.bound = np.array(bound, dtype=np.bool_)
        self._partners = self._partners_of_all()

    def _opened(self, budget: Budget, bound: list[bool]) -> list[Choices]:
        """Open all groups, then the other features, as long as the budget goes on."""
        parts: list[Choices] = []
        grouped = set()
        for group in self._constraints.members:
            grouped.update(group.tolist())
            moves = self._group(group)
            if moves is not None:
                parts.append(moves)
                bound.append(self._bound([Relation.of(self._constraints, at) for at in group.tolist()]))
        changeable = [at for at in self._constraints.changeable(self.row) if at not in grouped]
        variables = max(1, len(parts) + len(changeable))
        most = max(_FIRST // variables, min(_CHOICES, max(_FEW, _SHOWN // variables)))
        parts = [part.thinned(self.row, most) for part in parts]
        for at in changeable:
            if not budget.goes_on():
                self.stopped = True
                break
            relation = Relation.of(self._constraints, at)
            parts.append(self._feature(at, relation).thinned(self.row, most))
            bound.append(self._bound([relation]))
        return parts

    @property
    def complete(self) -> bool:
        """Tell whether what every variable may become is listed completely."""
        return all(math.isfinite(size) for size in self.sizes)

    def __len__(self) -> int:
        return len(self.columns)

    def taken_back(self, row: FloatArray, variable: int) -> FloatArray:
        """Return a row with this variable as it was; what follows from it is left to the caller."""
        back = row.copy()
        back[self.columns[variable]] = self.row[self.columns[variable]]
        return back

    def differing(self, rows: FloatArray) -> Mask:
        """Tell in which states (rows) the partners of which related number differ: it has other choices."""
        differ = np.zeros((len(rows), len(self)), dtype=np.bool_)
        if self._relations:
            changed = differing(self.row, rows)
            for at in range(len(rows)):
                differ[at, list(self._relations)] = self._partners[:, changed[at]].any(axis=1)
        return differ

    def related(self, variable: int, row: FloatArray) -> tuple[Choices, Mask]:
        """Return a related number's choices in a state, and which keep its inequalities there.

        Of each kind of value that model and inequalities can tell apart it is the nearest.
        """
        at, values = int(self.columns[variable][0]), self._values[variable]
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
        """Return the choices of a complete sweep, by variable: of related numbers all values of the grid."""
        parts = []
        for variable, columns in enumerate(self.columns):
            if variable in self._moves:
                parts.append(self._moves[variable])
            else:
                values = self._values[variable]
                cost = self.cost(variable, values)
                parts.append(Choices.of_feature(variable, int(columns[0]), values, cost))
        return Choices.joined(parts)

    def between(self, variable: int, near: float, far: float, most: int) -> FloatArray:
        """Return at most so many values of a number strictly between two, the nearer first."""
        at = int(self.columns[variable][0])
        if variable in self._grids:
            low, high = self._constraints.limits(at)
            values = inside(self._grids[variable], min(max(near, low), high), far, most)
            return values[self._constraints.allowed(at, float(self.row[at]), values)]
        own = self._values[variable]
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
        self._moves[variable] = Choices.of_group(variable, int(ones[0]), np.array(new), float(cost[0]))
        return self._moves[variable]

    def _feature(self, at: int, relation: Relation | None) -> Choices:
        """Open one feature; return its choices from the row itself."""
        before, scale, axes = float(self.row[at]), float(self._scales[at]), self._axes
        variable = self._open(at)
        numeric = self._constraints.space.features[at].type in ("number", "integer")
        relation = relation if numeric else None
        if not numeric:
            values, complete = codes_of(self._constraints.space.features[at], before), True
        elif axes is not None and relation is None:
            middle = float(self._middles[at])
            values = offered_values(axes, self._constraints, at, before, scale, middle=middle)
            complete = True
        else:
            middle = float(self._middles[at])
            values, self._grids[variable], complete = rungs(self._constraints, at, before, middle, scale)
        values = values[self._constraints.allowed(at, before, values) & (values != before)]
        if complete:
            self.sizes[variable] = len(values)
        if numeric and (axes is None or relation is not None):
            values = values[np.argsort(self.cost(variable, values), kind="stable")]
        self._values[variable] = values
        if relation is None or axes is None:
            return Choices.of_feature(variable, at, values, self.cost(variable, values))
        self._relations[variable] = relation
        return self.related(variable, self.row)[0]

    def _bound(self, relations: list[Relation | None]) -> bool:
        return any(relation is not None and relation.inequalities for relation in relations)

    def _partners_of_all(self) -> Mask:
        """Return which features (columns) each related number (rows) depends on."""
        partners = np.zeros((len(self._relations), len(self.row)), dtype=np.bool_)
        for at, relation in enumerate(self._relations.values()):
            partners[at, relation.partners] = True
        return partners

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
