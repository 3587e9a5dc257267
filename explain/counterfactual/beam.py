"""A beam search over the ensemble's split thresholds, from one change to as many as are permitted.

Each expanded state yields the margins of all its single changes from the tables; whatever looks favourable is
scored natively in batches. When the beam finds nothing and the space is small, it is swept completely.
"""

from __future__ import annotations

from itertools import chain

import numpy as np
from numpy.typing import NDArray

from explain.counterfactual.budget import Budget
from explain.counterfactual.choosing import Proposal
from explain.counterfactual.options import SPARSITY, Options
from explain.counterfactual.reach import Reach
from explain.counterfactual.target import Target
from explain.models.base import Model

FloatArray = NDArray[np.float64]
Mask = NDArray[np.bool_]
State = tuple[int, ...]  # chosen options, ascending

BEAM = 16  # states kept from one depth to the next
_ALIKE = 3  # of them, those that change the same features
_SWEPT = 4_000  # states at most in a complete sweep
_REFINED = 6  # proposals that are refined
_BATCH = 256  # rows scored natively at once


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
        frontier: list[State] = [()]
        for depth in range(1, changes + 1):
            worth = [state for state in frontier if self._cost(state) + SPARSITY < self._dearest]
            offspring = [self._expand(state) for state in worth if self._budget.goes_on()]
            self._score()
            self._dearest = self._cost_of_rank(count)
            if depth < changes:
                frontier = self._select(list(chain.from_iterable(offspring)))
        swept = changes == 1 or self._sweep(changes)
        self._refine()
        return swept and not self._budget.stopped

    def _expand(self, state: State, least_feature: int = -1) -> list[tuple[float, State]]:
        """Collect what looks favourable one change beyond a state; return the rest with its priority."""
        self._expanded.add(state)
        chosen = self._options.feature[list(state)]
        free = (self._options.feature > least_feature) & ~np.isin(self._options.feature, chosen)
        cells = self._reach.start.copy()
        cells[chosen] = self._options.cell[list(state)]
        margin, margins = self._reach.margins(cells)
        self._budget.spend(1 + int(free.sum()))
        if state and self._target.possibly(np.array([margin]))[0]:
            self._propose(state)
        self._collect(state, free, margins)
        gained = float(self._target.adversity(np.array([margin]))[0]) - self._target.adversity(margins)
        if not state:
            self._rate = float((gained / self._options.cost).max(initial=0.0))
        cost = self._cost(state) + self._options.cost
        open_ones = np.flatnonzero(free & (gained > 0.0) & ~self._target.surely(margins))
        priority = cost + self._target.adversity(margins) / (self._rate or 1.0)
        best = open_ones[np.argsort(priority[open_ones], kind="stable")[: 4 * BEAM]]
        return [(float(priority[at]), tuple(sorted((*state, at)))) for at in best.tolist()]

    def _collect(self, state: State, free: Mask, margins: FloatArray) -> None:
        """Propose, per feature, the cheapest surely favourable option and all possible ones."""
        worth = self._cost(state) + self._options.cost < self._dearest
        possible = np.flatnonzero(free & worth & self._target.possibly(margins))
        sure = self._target.surely(margins[possible])
        settled: set[int] = set()
        for at in np.argsort(self._options.cost[possible], kind="stable").tolist():
            feature = int(self._options.feature[possible[at]])
            if feature not in settled:
                self._propose(tuple(sorted((*state, int(possible[at])))))
                if sure[at]:
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
            self.proposals[states[at]] = Proposal(features, rows[at], self._cost(states[at]))

    def _cost(self, state: State) -> float:
        return float(self._options.cost[list(state)].sum())

    def _cost_of_rank(self, count: int) -> float:
        """Return the cost of the cheapest proposals, one for each set of features, at this rank."""
        cheapest: dict[tuple[int, ...], float] = {}
        for proposal in self.proposals.values():
            known = cheapest.get(proposal.features, np.inf)
            cheapest[proposal.features] = min(known, proposal.cost)
        return sorted(cheapest.values())[count - 1] if len(cheapest) >= count else np.inf

    def _select(self, offspring: list[tuple[float, State]]) -> list[State]:
        """Keep the most promising states, few that change the same features."""
        kept: dict[State, None] = {}
        alike: dict[tuple[int, ...], int] = {}
        for _, state in sorted(offspring):
            features = tuple(self._options.feature[list(state)].tolist())
            if state in kept or alike.get(features, 0) >= _ALIKE:
                continue
            alike[features] = alike.get(features, 0) + 1
            kept[state] = None
            if len(kept) == BEAM:
                break
        return list(kept)

    def _sweep(self, changes: int) -> bool:
        """Look at every set of changes if nothing was found and they are few; tell whether that was done."""
        if self.proposals or self._states_within(changes - 1) > _SWEPT:
            return False
        level: list[State] = [()]
        for depth in range(1, changes):
            level = [(*state, at) for state in level for at in self._later(state)]
            for state in level:
                if not self._budget.goes_on():
                    return False
                least = int(self._options.feature[state[-1]]) if depth < changes else -1
                self._expand(state, least)
            self._score()
            if self.proposals:
                return False
        return True

    def _later(self, state: State) -> range:
        """Return the options of features after those that the state has changed."""
        last = int(self._options.feature[state[-1]]) if state else -1
        return range(int(np.searchsorted(self._options.feature, last, side="right")), len(self._options))

    def _states_within(self, changes: int) -> int:
        """Count the sets of at most so many options of different features."""
        sets = [1] + [0] * changes
        for options in np.unique(self._options.feature, return_counts=True)[1].tolist():
            for size in range(changes, 0, -1):
                sets[size] += sets[size - 1] * options
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
