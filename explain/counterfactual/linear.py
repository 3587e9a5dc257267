"""Counterfactuals of a linear model, in closed form.

Each feature has one direction that helps and, by its range, a farthest value there. The gains add up, so the
most that k changes can do is the sum of the k largest gains: if that does not suffice, nothing does. With a
set of features chosen, all but one of them best go all the way and the last one just across the threshold.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from explain.counterfactual.base import Proof
from explain.counterfactual.budget import Budget
from explain.counterfactual.constraints.checker import Constraints
from explain.counterfactual.constraints.grid import display_grids
from explain.counterfactual.options import cost_of
from explain.counterfactual.problem import Problem, Proposal, Proposed
from explain.counterfactual.target import Target
from explain.errors import ModelUnsupported
from explain.features import FloatWidth
from explain.models.base import Model
from explain.models.linear import LinearForm

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

LINEAR_SEARCH = "linear_search"

_BEST = 8  # features considered for sets: those that gain most, and those that gain most for their cost
_LARGEST_SET = 5  # larger sets are only the features that gain most
_SCORED = 32  # sets of each size that are scored natively


@dataclass(frozen=True, slots=True, eq=False)
class LinearTables:
    """The weights (features,) and the constant of a linear model with one output."""

    weights: FloatArray
    base_margin: float
    input_width: FloatWidth
    rounding: float

    @classmethod
    def prepare(cls, form: LinearForm) -> LinearTables:
        """Read the form; ModelUnsupported for several outputs."""
        if form.outputs != 1:
            raise ModelUnsupported(f"counterfactuals of a model with {form.outputs} outputs")
        unit = 2.0**-23 if form.float_width == 32 else 2.0**-52
        rounding = unit * (form.n_features + 2)
        return cls(form.weights[0], float(form.base_margins[0]), form.input_width, rounding)

    def terms(self, rows: FloatArray) -> FloatArray:
        """Return what each number of rows (n, features) adds to the margin; a missing one adds nothing."""
        seen = rows.astype(np.float32).astype(np.float64) if self.input_width == 32 else rows
        return np.asarray(np.nan_to_num(seen, nan=0.0) * self.weights)

    def margins(self, rows: FloatArray) -> FloatArray:
        """Return the margins of rows (n, features), summed in float64."""
        return np.asarray(self.base_margin + self.terms(rows).sum(axis=1))


@dataclass(frozen=True, slots=True, eq=False)
class Farthest:
    """The features that can help: the value at which each helps most, its gain there, and what that costs.

    Where the range has no end, value, gain and cost are infinite. `rate` is the gain for each unit of cost
    (of a feature without an end, of its distance).
    `divisible` says that values on the way there are permitted too.
    """

    feature: IntArray
    value: FloatArray
    gain: FloatArray
    cost: FloatArray
    rate: FloatArray
    divisible: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class LinearSearch:
    """A search prepared for one linear model; it needs a goal whose threshold is a known margin."""

    tables: LinearTables

    @property
    def name(self) -> str:
        """The name that its counterfactuals carry."""
        return LINEAR_SEARCH

    def propose(self, problem: Problem, budget: Budget) -> Proposed:
        """Cross the threshold with every set of features that may; see the module."""
        crossing = _Crossing(problem.model, self.tables, problem.constraints, problem.scales, problem.target)
        return Proposed(*crossing.run(problem.instance.row, budget))


@dataclass(frozen=True, slots=True, eq=False)
class _Crossing:
    """One search; what it proposes is natively favourable and clear of the threshold."""

    model: Model
    tables: LinearTables
    constraints: Constraints
    scales: FloatArray
    target: Target

    def run(self, row: FloatArray, budget: Budget) -> tuple[list[Proposal], Proof | None]:
        """Return proposals, or none and the proof that no permitted change suffices, if there is one."""
        if np.isinf(self.target.possible):  # rounded scores may reach what no margin clears
            return [], None
        farthest = self._farthest(row)
        here = float(self.target.adversity(self.tables.margins(row[None, :]))[0])
        changes = min(self.constraints.max_changes, len(farthest.feature))
        most = np.sort(farthest.gain)[::-1][:changes].sum()
        if here - most > self.target.possible + self._rounding(row, farthest):
            return [], "bounded"
        needed = here - self.target.sure
        rows: list[FloatArray] = []
        for size in range(1, changes + 1):
            if not budget.goes_on():
                break
            sets = self._sets(farthest, size)
            budget.spend(len(sets))
            rows += self._crossings(row, farthest, sets, needed)
        return self._reached(row, rows, budget), None

    def _rounding(self, row: FloatArray, farthest: Farthest) -> float:
        """Bound what the native library's own rounding may do to a margin of any permitted change."""
        sizes = np.abs(self.tables.terms(row[None, :])[0])
        sizes[farthest.feature] = np.maximum(sizes[farthest.feature], sizes[farthest.feature] + farthest.gain)
        return self.tables.rounding * (abs(self.tables.base_margin) + float(sizes.sum()))

    def _gains(self, row: FloatArray, at: int, values: FloatArray) -> FloatArray:
        """Return by how much each value of one feature lowers the adversity."""
        rows = np.repeat(row[None, :], len(values) + 1, axis=0)
        rows[1:, at] = values
        terms = self.target.rule.adverse_sign() * self.tables.terms(rows)[:, at]
        return np.asarray(terms[0] - terms[1:])

    def _farthest(self, row: FloatArray) -> Farthest:
        found: list[tuple[int, float, float, float, float, bool]] = []
        for at in self.constraints.changeable(row):
            slope = self.target.rule.adverse_sign() * float(self.tables.weights[at])
            if slope == 0.0:
                continue
            kind = self.constraints.space.features[at].type
            divisible = kind in ("number", "integer")
            low, high = self.constraints.limits(at)
            end = low if slope > 0.0 else high
            if divisible and np.isinf(end):
                if self._open(at, float(row[at]), end):
                    rate = abs(slope) * float(self.scales[at])
                    found.append((at, end, np.inf, np.inf, rate, divisible))
                continue
            values = self._last_values(at, end) if divisible else self._codes(at)
            values = values[self.constraints.allowed(at, float(row[at]), values) & (values != row[at])]
            gains = self._gains(row, at, values)
            if len(values) and gains.max() > 0.0:
                best = int(gains.argmax())
                cost = self._cost(row, [at], values[best : best + 1])
                gain = float(gains[best])
                found.append((at, float(values[best]), gain, cost, gain / cost, divisible))
        columns = list(zip(*found, strict=True)) or [()] * 6
        kinds = (np.int64, np.float64, np.float64, np.float64, np.float64, np.bool_)
        return Farthest(*(np.array(one, dtype=kind) for one, kind in zip(columns, kinds, strict=True)))

    def _open(self, at: int, before: float, end: float) -> bool:
        """Tell whether the feature may go this way without end."""
        blocked = "decrease" if end > before else "increase"
        return self.constraints.of(at).direction != blocked

    def _last_values(self, at: int, end: float) -> FloatArray:
        """Return the end of a range, or the grid values around it."""
        grid = self.constraints.grid(at)
        if grid is None:
            return np.array([end])
        return grid.values(grid.nearest(np.array([end])) + np.array([-1.0, 0.0, 1.0])) + 0.0

    def _codes(self, at: int) -> FloatArray:
        return np.arange(max(2, len(self.constraints.space.features[at].categories)), dtype=np.float64)

    def _cost(self, row: FloatArray, features: Iterable[int], values: FloatArray) -> float:
        after = row.copy()
        after[list(features)] = values
        return cost_of(self.constraints, self.scales, row, after)

    def _sets(self, farthest: Farthest, size: int) -> IntArray:
        """Return sets of positions in `farthest`, shape (sets, size), always with those that gain most."""
        by_gain = np.lexsort((-farthest.rate, -farthest.gain))
        if size == 1:
            return np.arange(len(by_gain))[:, None]
        if size > _LARGEST_SET:
            return np.asarray(by_gain[None, :size])
        by_rate = np.argsort(-farthest.rate, kind="stable")
        best = np.union1d(by_gain[: max(size, _BEST)], by_rate[:_BEST]).tolist()
        return np.array(list(combinations(best, size)), dtype=np.int64)

    def _crossings(
        self, row: FloatArray, farthest: Farthest, sets: IntArray, needed: float
    ) -> list[FloatArray]:
        """Return rows just across the threshold: in each set all but one go all the way.

        Sets that can do without one of their features are left out: a smaller one is cheaper.
        """
        found: list[tuple[float, FloatArray]] = []
        for last in range(sets.shape[1]):
            rest, final = np.delete(sets, last, axis=1), sets[:, last]
            left = needed - farthest.gain[rest].sum(axis=1)
            suits = (left > 0.0) & (left <= farthest.gain[final])
            part = left / farthest.rate[final]
            part = np.where(farthest.divisible[final], part, farthest.cost[final])
            price = farthest.cost[rest].sum(axis=1) + part
            for at in np.flatnonzero(suits)[np.argsort(price[suits], kind="stable")[:_SCORED]].tolist():
                start = row.copy()
                start[farthest.feature[rest[at]]] = farthest.value[rest[at]]
                found += [
                    (float(price[at]), other) for other in self._across(row, start, farthest, int(final[at]))
                ]
        return [other for _, other in sorted(found, key=lambda one: one[0])[: 2 * _SCORED]]

    def _across(self, row: FloatArray, start: FloatArray, farthest: Farthest, final: int) -> list[FloatArray]:
        """Change one more feature of `start`: as little as may suffice, and as little as surely does."""
        at, end = int(farthest.feature[final]), float(farthest.value[final])
        if not farthest.divisible[final]:
            other = start.copy()
            other[at] = end
            return [other]
        slope = self.target.rule.adverse_sign() * float(self.tables.weights[at])
        here = float(self.target.adversity(self.tables.margins(start[None, :]))[0])
        rows = []
        for level in (-self.target.clearance, self.target.sure):
            crossing = float(row[at]) + (level - here) / slope
            values = self._toward(at, crossing, end, up=slope < 0.0)
            values = values[self.constraints.allowed(at, float(row[at]), values)]
            others = np.repeat(start[None, :], len(values), axis=0)
            others[:, at] = values
            across = self.target.adversity(self.tables.margins(others)) <= level
            if across.any():
                rows.append(others[int(across.argmax())])
        return rows

    def _toward(self, at: int, crossing: float, end: float, *, up: bool) -> FloatArray:
        """Return values around the crossing that may be shown, from near to far, and the end of the range."""
        grid = self.constraints.grid(at) or display_grids(float(self.scales[at]))[0]
        if not np.isfinite(crossing):
            return np.empty(0)
        width = float(np.spacing(np.float32(crossing))) if self.tables.input_width == 32 else 0.0
        steps = np.array([-1.0, 0.0, 1.0, 2.0, 1.0 + np.ceil(width / grid.step)]) * (1.0 if up else -1.0)
        values = grid.values(grid.nearest(np.array([crossing])) + steps) + 0.0
        values = values[(values <= end) if up else (values >= end)]
        return values if np.isinf(end) else np.append(values, end)

    def _reached(self, row: FloatArray, rows: list[FloatArray], budget: Budget) -> list[Proposal]:
        """Ask the native model about all rows, and keep those that are favourable and clear."""
        if not rows:
            return []
        others = np.unique(np.stack(rows), axis=0)
        reached = self.target.reached(self.model.predict(others))
        budget.spend(len(others))
        proposals = []
        for other in others[reached]:
            features = tuple(np.flatnonzero((other != row) & ~np.isnan(row)).tolist())
            cost = cost_of(self.constraints, self.scales, row, other)
            proposals.append(Proposal(features, other, cost, LINEAR_SEARCH))
        return proposals
