"""A beam search over the ensemble's split thresholds, from one change to as many as are permitted.

Each expanded state yields the margins of all its single changes from the tables; whatever looks favourable is
scored natively in batches. When the beam finds nothing and the space is small, it is swept completely.
"""

from __future__ import annotations

from itertools import chain

import numpy as np
from numpy.typing import NDArray

from explain.counterfactual.budget import Budget
from explain.counterfactual.options import SPARSITY, Options
from explain.counterfactual.problem import Proposal
from explain.counterfactual.target import Target
from explain.counterfactual.thresholds.reach import Reach
from explain.models.base import Model

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Mask = NDArray[np.bool_]
State = tuple[int, ...]  # chosen options, ascending

BEAMS = (16, 96)  # states kept from one depth to the next; the wide beam only if the first finds nothing
_ALIKE = 3  # of them, those that change the same features
_SWEPT = 200  # states at most in a complete sweep; beyond, the exact search is quicker
_REFINED = 6  # proposals that are refined
_BATCH = 256  # rows scored natively at once
THRESHOLD_SEARCH = "threshold_search"


class BeamSearch:
    """One search from one row; `proposals` are natively favourable and clear of the threshold.

    `doubtful` says that a row was favourable but not clear, so that nothing can be proved.
    """

    def __init__(self, model: Model, target: Target, reach: Reach, options: Options, budget: Budget) -> None:
        self.proposals: dict[State, Proposal] = {}
        self.doubtful = False
        self._model = model
        self._target = target
        self._reach = reach
        self._options = options
        self._budget = budget
        self._pending: dict[State, None] = {}
        self._scored: set[State] = set()
        self._expanded: set[State] = set()
        self._dearest = np.inf  # what a new proposal must undercut to be worth a look
        self._rate = 0.0  # margin units that one unit of cost buys at best

    def run(self, row: FloatArray, changes: int, count: int) -> bool:
        """Search for `count` proposals; tell whether all sets of at most `changes` changes were looked at."""
        self._row = row
        for beam in BEAMS[: 1 if changes == 1 else None]:
            if not self.proposals:
                self._deepen(changes, count, beam)
        swept = changes == 1 or self._sweep(changes)
        self._refine()
        return swept and not self._budget.stopped

    def _deepen(self, changes: int, count: int, beam: int) -> None:
        """Go from one change to as many as are permitted, keeping the best states of each depth."""
        frontier: list[State] = [()]
        for depth in range(1, changes + 1):
            worth = [state for state in frontier if self._cost(state) + SPARSITY < self._dearest]
            breed = depth < changes
            offspring = [self._expand(state, breed=breed) for state in worth if self._budget.goes_on()]
            self._score()
            self._dearest = self._cost_of_rank(count)
            frontier = self._select(list(chain.from_iterable(offspring)), beam)

    def _expand(
        self, state: State, *, breed: bool = False, least_feature: int = -1
    ) -> list[tuple[float, State]]:
        """Propose what looks favourable one change beyond a state.

        With `breed`, return other states there with their estimated costs: of each feature the option that
        promises the least cost in the end, and the one that gains most.
        """
        self._expanded.add(state)
        at = list(state)
        cells = self._reach.start.copy()
        cells[self._options.feature[at]] = self._options.cell[at]
        margin, margins = self._reach.margins(cells)
        here = float(self._target.adversity(np.array([margin]))[0])
        beyond = self._target.adversity(margins)
        free = self._options.feature > least_feature
        for feature in self._options.feature[at]:
            free &= self._options.feature != feature
        self._budget.spend(1 + int(free.sum()))
        if state and here <= self._target.possible:
            self._propose(state)
        self._collect(state, free, beyond)
        return self._offspring(state, free, here - beyond, beyond) if breed else []

    def _offspring(
        self, state: State, free: Mask, gained: FloatArray, adverse: FloatArray
    ) -> list[tuple[float, State]]:
        if not state:
            self._rate = float((gained / self._options.cost).max(initial=0.0))
        promising = np.flatnonzero(free & (gained > 0.0) & (adverse > self._target.certain))
        cost, left = self._options.cost[promising], adverse[promising]
        estimate = self._cost(state) + cost + left / (self._rate or 1.0)
        features = self._options.feature[promising]
        picked = {*_first_least(estimate, features), *_first_least(left, features)}
        return [(float(estimate[at]), tuple(sorted((*state, int(promising[at]))))) for at in sorted(picked)]

    def _collect(self, state: State, free: Mask, adverse: FloatArray) -> None:
        """Propose, per feature, the cheapest surely favourable option and the possible ones before it."""
        possible = np.flatnonzero(free & (adverse <= self._target.possible))
        if not len(possible):
            return
        cost = self._cost(state) + self._options.cost[possible]
        settled: set[int] = set()
        for at in possible[np.argsort(cost, kind="stable")[: int((cost < self._dearest).sum())]].tolist():
            feature = int(self._options.feature[at])
            if feature not in settled:
                self._propose(tuple(sorted((*state, at))))
                if adverse[at] <= self._target.certain:
                    settled.add(feature)

    def _propose(self, state: State) -> None:
        if state not in self._scored:
            self._pending[state] = None
        if len(self._pending) >= _BATCH:
            self._score()

    def _score(self) -> None:
        """Ask the native model about the pending states."""
        states = list(self._pending)
        self._pending.clear()
        self._scored.update(states)
        if not states:
            return
        rows = np.repeat(self._row[None, :], len(states), axis=0)
        for row, state in zip(rows, states, strict=True):
            row[self._options.feature[list(state)]] = self._options.value[list(state)]
        prediction = self._model.predict(rows)
        self._budget.spend(len(states))
        reached = self._target.reached(prediction)
        self.doubtful |= bool((self._target.favourable(prediction) & ~reached).any())
        for at in np.flatnonzero(reached).tolist():
            chosen = list(states[at])
            features = tuple(sorted(self._options.feature[chosen].tolist()))
            self.proposals[states[at]] = Proposal(
                features, rows[at], self._cost(states[at]), THRESHOLD_SEARCH
            )

    def _cost(self, state: State) -> float:
        return float(self._options.cost[list(state)].sum())

    def _cost_of_rank(self, count: int) -> float:
        """Return the cost of the cheapest proposals, one for each set of features, at this rank."""
        cheapest: dict[tuple[int, ...], float] = {}
        for proposal in self.proposals.values():
            known = cheapest.get(proposal.features, np.inf)
            cheapest[proposal.features] = min(known, proposal.cost)
        return sorted(cheapest.values())[count - 1] if len(cheapest) >= count else np.inf

    def _select(self, offspring: list[tuple[float, State]], beam: int) -> list[State]:
        """Keep the most promising states, few that change the same features."""
        kept: dict[State, None] = {}
        alike: dict[tuple[int, ...], int] = {}
        for _, state in sorted(offspring):
            features = tuple(self._options.feature[list(state)].tolist())
            if state in kept or alike.get(features, 0) >= _ALIKE:
                continue
            alike[features] = alike.get(features, 0) + 1
            kept[state] = None
            if len(kept) == beam:
                break
        return list(kept)

    def _sweep(self, changes: int) -> bool:
        """Look at every set of changes if nothing was found and they are few; tell whether that was done."""
        if self.proposals or self._budget.stopped or self._states_within(changes - 1) > _SWEPT:
            return False
        level: list[State] = [()]
        for _ in range(1, changes):
            level = [(*state, at) for state in level for at in self._later(state)]
            for state in level:
                if not self._budget.goes_on():
                    return False
                self._expand(state, least_feature=int(self._options.feature[state[-1]]))
            self._score()
            if self.proposals:
                return False
        return True

    def _later(self, state: State) -> range:
        """Return the options of features after those that the state has changed."""
        last = int(self._options.feature[state[-1]]) if state else -1
        return range(int(np.searchsorted(self._options.feature, last, side="right")), len(self._options))

    def _states_within(self, changes: int) -> int:
        """Count the sets of at most so many options of different features, as far as a sweep goes."""
        sets = [1] + [0] * changes
        for options in np.unique(self._options.feature, return_counts=True)[1].tolist():
            for size in range(changes, 0, -1):
                sets[size] += sets[size - 1] * options
            if sum(sets) > _SWEPT:
                break
        return sum(sets)

    def _refine(self) -> None:
        """Take each change of the best proposals back and look for what could do without it, or with less."""
        best = sorted(self.proposals.items(), key=lambda item: (item[1].cost, item[0]))
        for state, _ in [item for item in best if len(item[0]) > 1][:_REFINED]:
            for taken in range(len(state)):
                rest = state[:taken] + state[taken + 1 :]
                if rest not in self._expanded and self._budget.goes_on():
                    self._expand(rest)
        self._score()


def _first_least(values: FloatArray, groups: IntArray) -> list[int]:
    """Return the position of the least value of each group of neighbours; of equal ones the first."""
    if not len(values):
        return []
    starts = np.flatnonzero(np.r_[True, groups[1:] != groups[:-1]])
    counts = np.diff(np.r_[starts, len(groups)])
    least = np.flatnonzero(values == np.repeat(np.minimum.reduceat(values, starts), counts))
    firsts: list[int] = least[np.unique(groups[least], return_index=True)[1]].tolist()
    return firsts
