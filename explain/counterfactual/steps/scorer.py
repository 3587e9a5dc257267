"""Rows before the native model, in batches, within the effort that is allowed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from explain.counterfactual.budget import Budget
from explain.counterfactual.constraints.checker import differing
from explain.counterfactual.problem import Problem, Proposal
from explain.counterfactual.steps.openings import State
from explain.models.base import Prediction

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Mask = NDArray[np.bool_]

BATCH = 256  # rows made and scored at once, between two looks at the budget
_AT_ONCE = 2**17  # numbers in them at most
_PROPOSED = 2**22  # numbers in all rows that are proposed together


def rows_at_once(width: int) -> int:
    """Return how many rows of so many features are made and scored between two looks at the budget."""
    return max(1, min(BATCH, _AT_ONCE // width))


class Find(NamedTuple):
    """A row that reaches the goal: the variables changed, ascending, their cost, and all that differs.

    `columns` are the features that differ from the applicant's row, derived ones too, and `values` theirs.
    """

    taken: State
    cost: float
    columns: IntArray
    values: FloatArray


class Scorer:
    """Scores rows of one problem and keeps those that reach the goal and are permitted.

    `found` are these by their keys: what differs from the applicant's row, as
    bytes. `doubtful` says that a permitted row was favourable but not clear of the threshold, so that nothing
    can be proved.
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
    ) -> tuple[FloatArray, list[bytes]]:
        """Return how far rows (n, features) are from the goal, and their keys; infinite where nobody asked.

        `proving`: also of rows that seem far off the native score is asked, not the margin alone.
        """
        keys, columns, values = self._keyed(rows)
        first: dict[bytes, int] = {}
        for at, key in enumerate(keys):
            if key not in self._known:
                first.setdefault(key, at)
        new = list(first.values())
        together = rows_at_once(rows.shape[1])
        for start in range(0, len(new), together):
            if not self.goes_on():
                break
            batch = np.array(new[start : start + together])
            self._budget.spend(len(batch))
            distance, reached, doubtful = self._asked(rows[batch], proving=proving)
            self.doubtful |= bool((doubtful & permitted[batch]).any())
            for at, far in zip(batch.tolist(), distance.tolist(), strict=True):
                self._known[keys[at]] = far
            for at in batch[reached & permitted[batch]].tolist():
                self.found[keys[at]] = Find(taken[at], float(cost[at]), columns[at], values[at])
        return np.array([self._known.get(key, np.inf) for key in keys]), keys

    def goes_on(self) -> bool:
        """Tell whether more may be made and scored."""
        self.stopped = self.stopped or not self._budget.goes_on()
        return not self.stopped

    def row(self, find: Find) -> FloatArray:
        """Return a find's row."""
        row = self._problem.instance.row.copy()
        row[find.columns] = find.values
        return row

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
        """Return the finds (of very many the cheapest) as proposals; derived features are none of theirs."""
        finds = list(self.found.values())
        constraints, origin = self._problem.constraints, self._problem.instance.row
        most = max(self._problem.count, _PROPOSED // len(origin))
        if len(finds) > most:
            cheapest = np.argsort([find.cost for find in finds], kind="stable")[:most]
            finds = [finds[at] for at in cheapest.tolist()]
        return [
            Proposal(
                tuple(at for at in find.columns.tolist() if not constraints.derived(at)),
                self.row(find),
                find.cost,
                self._method,
            )
            for find in finds
        ]

    def _keyed(self, rows: FloatArray) -> tuple[list[bytes], list[IntArray], list[FloatArray]]:
        """Return the keys of rows, the features in which they differ, and these features' values."""
        if not len(rows):
            return [], [], []
        row, column = np.nonzero(differing(self._problem.instance.row, rows))
        value = rows[row, column] + 0.0
        ends = np.cumsum(np.bincount(row, minlength=len(rows)))[:-1]
        columns, values = np.split(column, ends), np.split(value, ends)
        keys = [at.tobytes() + own.tobytes() for at, own in zip(columns, values, strict=True)]
        return keys, columns, values

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
