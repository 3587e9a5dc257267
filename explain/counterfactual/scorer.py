"""Rows before the native model, in batches, within the effort that is allowed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from explain.counterfactual.budget import Budget
from explain.counterfactual.constraints import differing
from explain.counterfactual.openings import State
from explain.counterfactual.problem import Problem, Proposal
from explain.models.base import Prediction

FloatArray = NDArray[np.float64]
Mask = NDArray[np.bool_]

BATCH = 256  # rows scored at once, between two looks at the budget


class Find(NamedTuple):
    """A row that reaches the goal, the variables that it changes, ascending, and what that costs."""

    taken: State
    row: FloatArray
    cost: float


class Scorer:
    """Scores rows of one problem and keeps those that reach the goal and are permitted.

    `found` are these by their bytes. `doubtful` says that a permitted row was
    favourable but not clear of the threshold, so that nothing can be proved.
    """

    def __init__(self, problem: Problem, budget: Budget, method: str) -> None:
        self.found: dict[bytes, Find] = {}
        self.doubtful = False
        self.stopped = False
        self._problem = problem
        self._budget = budget
        self._method = method
        self._known: dict[bytes, float] = {}

    def distances(
        self,
        rows: FloatArray,
        taken: list[State],
        cost: FloatArray,
        permitted: Mask,
        *,
        proving: bool = False,
    ) -> FloatArray:
        """Return how far rows (n, features) are from the goal; infinite where nobody was left to ask.

        `proving`: also of rows that seem far off the native score is asked, not the margin alone.
        """
        keys = [row.tobytes() for row in rows]
        first: dict[bytes, int] = {}
        for at, key in enumerate(keys):
            if key not in self._known:
                first.setdefault(key, at)
        new = list(first.values())
        for start in range(0, len(new), BATCH):
            if not self._budget.goes_on():
                self.stopped = True
                break
            batch = np.array(new[start : start + BATCH])
            self._budget.spend(len(batch))
            distance, reached, doubtful = self._asked(rows[batch], proving=proving)
            self.doubtful |= bool((doubtful & permitted[batch]).any())
            for at, far in zip(batch.tolist(), distance.tolist(), strict=True):
                self._known[keys[at]] = far
            for at in batch[reached & permitted[batch]].tolist():
                self.found[keys[at]] = Find(taken[at], rows[at], float(cost[at]))
        return np.array([self._known.get(key, np.inf) for key in keys])

    def dearest(self, count: int) -> float:
        """Return the cost that a new find must undercut: that of the last wanted set of variables."""
        cheapest: dict[State, float] = {}
        for find in self.found.values():
            cheapest[find.taken] = min(find.cost, cheapest.get(find.taken, np.inf))
        return sorted(cheapest.values())[count - 1] if len(cheapest) >= count else np.inf

    def best(self, most: int) -> list[Find]:
        """Return the cheapest find of each set of variables, the cheapest sets first."""
        ordered = sorted(self.found.items(), key=lambda item: (item[1].cost, item[1].taken, item[0]))
        first: dict[State, Find] = {}
        for _, find in ordered:
            first.setdefault(find.taken, find)
        return list(first.values())[:most]

    def proposals(self) -> list[Proposal]:
        """Return all finds as proposals; what is derived is no feature of theirs."""
        finds = list(self.found.values())
        if not finds:
            return []
        constraints, origin = self._problem.constraints, self._problem.instance.row
        chosen = np.array([not constraints.derived(at) for at in range(len(origin))])
        changed = differing(origin, np.stack([find.row for find in finds])) & chosen
        return [
            Proposal(tuple(np.flatnonzero(own).tolist()), find.row, find.cost, self._method)
            for find, own in zip(finds, changed, strict=True)
        ]

    def _asked(self, rows: FloatArray, *, proving: bool) -> tuple[FloatArray, Mask, Mask]:
        """Return distances, and which rows have reached the goal, and which are favourable but not clear.

        Scores cost as much as margins: where the threshold is a known margin, only rows near or beyond it
        are asked for theirs.
        """
        model, target = self._problem.model, self._problem.target
        reached = np.zeros(len(rows), dtype=np.bool_)
        doubtful = reached.copy()
        near = np.arange(len(rows))
        distance = np.empty(0)
        if target.threshold is not None and not proving:
            margins = model.margins(rows)
            distance = target.distance(Prediction(margins, margins))
            near = np.flatnonzero(distance <= target.possible)
        if len(near):
            prediction = model.predict(rows[near])
            distance = distance if len(distance) else target.distance(prediction)
            reached[near] = target.reached(prediction)
            doubtful[near] = target.favourable(prediction) & ~reached[near]
        return np.nan_to_num(distance, nan=np.inf), reached, doubtful
