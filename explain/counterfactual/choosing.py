"""Which of many counterfactuals to show: the cheapest, then ones unlike those already chosen, none wasteful.

The choice is greedy for the determinant of K with K_ij = 1 / (1 + d(i, j)), the diversity of Mothilal et al.
2020 (Explaining Machine Learning Classifiers through Diverse Counterfactual Explanations, section 3.1): each
next one is the proposal whose logarithm of the determinant's growth, less what it costs more than the
cheapest, is largest. Greedy choices come near the best set (Nemhauser et al. 1978), and the first few of a
longer choice are the shorter choice.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from explain.counterfactual.problem import Problem, Proposal

FloatArray = NDArray[np.float64]
Mask = NDArray[np.bool_]

DEARER = 2.0
"""How much dearer than the cheapest another choice may be, in costs of the cheapest ..."""

DEARER_AT_LEAST = 4.0
"""... or in units of cost, if that is more: where the cheapest costs little, others may cost more."""

NEARNESS = 0.1
"""What the whole of that costs, in units of the logarithm of diversity."""

_CONSIDERED = 128
_DIGITS = 9  # of what a choice is worth: logarithms differ in their last bits from processor to processor
_ALIKE = 1e-12  # growth of the determinant below which two proposals count as equal


def choose(problem: Problem, proposals: Sequence[Proposal], count: int) -> list[Proposal]:
    """Choose at most `count` proposals, the cheapest first; ties are broken by the features and values.

    A proposal that contains another one, making the same changes as far or further, is left out. Those that
    are much dearer than the cheapest come last, by cost.
    """
    ordered = sorted(proposals, key=lambda it: (it.cost, it.features, it.row[list(it.features)].tolist()))
    if not ordered or not count:
        return []
    shortlist = _Shortlist(problem, ordered[:_CONSIDERED])
    return [ordered[at] for at in shortlist.picked(count)]


class _Shortlist:
    """Proposals by cost as points: their distances from each other, and which contain which.

    A number's coordinate is in units of its spread; what has no order differs by 1, and a value that was
    missing by 1 from one still missing. Moving the 1 of a one-hot group is one difference, half for each of
    its two features; derived features follow from the others and count for nothing.
    """

    def __init__(self, problem: Problem, proposals: Sequence[Proposal]) -> None:
        constraints, origin = problem.constraints, problem.instance.row
        rows = np.stack([proposal.row for proposal in proposals])
        differing = ((rows != origin) & ~(np.isnan(rows) & np.isnan(origin))).any(axis=0)
        columns = [at for at in np.flatnonzero(differing).tolist() if not constraints.derived(at)]
        features = constraints.space.features
        self._named = np.array(
            [features[at].type in ("boolean", "category") or constraints.grouped(at) for at in columns],
            dtype=np.bool_,
        )
        self._weights = np.array([0.5 if constraints.grouped(at) else 1.0 for at in columns])
        self._points = np.where(self._named, rows[:, columns], rows[:, columns] / problem.scales[columns])
        self._origin = np.where(self._named, origin[columns], origin[columns] / problem.scales[columns])
        self._changed = self._points != self._origin
        self._changed &= ~(np.isnan(self._points) & np.isnan(self._origin))
        self._costs = np.array([proposal.cost for proposal in proposals])

    def picked(self, count: int) -> list[int]:
        """Return the positions of the choice, in the order in which they were chosen."""
        simple = self._simple()
        cheapest = self._costs[simple[0]]
        slack = max(DEARER * cheapest, DEARER_AT_LEAST)
        near = simple[self._costs[simple] <= cheapest + slack]
        chosen = self._diverse(near, count, slack)
        return chosen + [int(at) for at in simple[len(near) :][: count - len(chosen)]]

    def _simple(self) -> NDArray[np.intp]:
        """Return the positions, by cost, of those that contain no other one."""
        left = np.ones(len(self._points), dtype=np.bool_)
        for at in range(len(left)):
            if left[at]:
                containing = self._containing(at)
                containing[: at + 1] = False
                left &= ~containing
        return np.flatnonzero(left)

    def _containing(self, simpler: int) -> Mask:
        """Tell which proposals make every change of another, numbers in its direction and no shorter."""
        at = np.flatnonzero(self._changed[simpler])
        point, origin, others = self._points[simpler, at], self._origin[at], self._points[:, at]
        upwards = point > origin
        further = self._changed[:, at] & np.where(upwards, others >= point, others <= point)
        exact = self._named[at] | np.isnan(origin)
        return np.asarray(np.where(exact, others == point, further).all(axis=1))

    def _diverse(self, near: NDArray[np.intp], count: int, slack: float) -> list[int]:
        """Choose greedily, the first of them first; the factor of K grows by one row for each choice."""
        penalty = NEARNESS * (self._costs[near] - self._costs[near[0]]) / slack
        growth = np.ones(len(near))
        factor = np.zeros((min(count, len(near)), len(near)))
        chosen = [0]
        while len(chosen) < len(factor):
            row = len(chosen) - 1
            last = chosen[-1]
            kernel = 1.0 / (1.0 + self._distances(int(near[last]), near))
            factor[row] = (kernel - (factor[:row, last, None] * factor[:row]).sum(axis=0)) / np.sqrt(
                growth[last]
            )
            growth = np.maximum(growth - factor[row] ** 2, _ALIKE)
            worth = np.round(np.log(growth) - penalty, _DIGITS)
            worth[chosen] = -np.inf
            chosen.append(int(worth.argmax()))
        return [int(near[at]) for at in chosen]

    def _distances(self, one: int, others: NDArray[np.intp]) -> FloatArray:
        """Return the distances of some proposals from one of them."""
        apart = np.abs(self._points[others] - self._points[one])
        unlike = (apart > 0.0) | (np.isnan(self._points[others]) != np.isnan(self._points[one]))
        apart = np.where(self._named | np.isnan(apart), unlike, apart)
        return np.asarray((apart * self._weights).sum(axis=1))
