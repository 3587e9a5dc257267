"""The beam search of `steps`: states that differ from the applicant's row in ever more variables."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from explain.counterfactual.options import SPARSITY, row_costs
from explain.counterfactual.problem import Problem
from explain.counterfactual.steps.broods import Brood, Candidates, Move, Node
from explain.counterfactual.steps.choices import Choices
from explain.counterfactual.steps.openings import Openings, State
from explain.counterfactual.steps.scorer import Find, Scorer, rows_at_once

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Mask = NDArray[np.bool_]

BEAMS = (16, 96)  # states kept from one depth to the next; the wide beam only if the first finds nothing
_ALIKE = 3  # of them, those that change the same variables
_CHOICES = 32  # choices of a related number that are looked at in one state
_BRED = 24  # choices of a state that are looked at, beside the one of each variable that gains most
_GAINERS = 96  # variables, those that gain most, of which a state's choices include that one
_FRESH = 8  # choices of a related number in a state where its partners differ
_TOGETHER = 16  # states expanded at once, fewer where rows are wide
_REFINED, _REFINEMENTS = 4, 2  # finds that are refined, and how often
_POINTS, _ZOOMS = 24, 2  # values tried between two, and how often


class Stepping:
    """One search from one row; what it finds is in the scorer."""

    def __init__(self, problem: Problem, openings: Openings, scorer: Scorer, changes: int) -> None:
        self._problem = problem
        self._openings = openings
        self._scorer = scorer
        self._changes = changes
        self._rate = 1.0
        self._together = max(1, min(_TOGETHER, rows_at_once(len(openings.row)) // 16))
        self._expanded_from: set[bytes] = set()

    def run(self) -> None:
        """Look at single changes, then deeper, then closer to what was found."""
        first = self._begin()
        if first is None:
            return
        for beam in BEAMS:
            if not self._scorer.stopped and (beam == BEAMS[0] or not self._scorer.found):
                self._deepen(first, beam)
        self._refine()

    def _begin(self) -> Brood | None:
        """Score the single changes; learn what each gains and what a unit of cost buys; None if stopped."""
        origin, shown = self._openings.row[None, :], self._openings.shown
        choices = Choices.joined([Choices.none(origin), shown])
        brood = self._scored(Candidates(origin, [()], np.zeros(len(choices), dtype=np.int64), choices))
        if self._scorer.stopped:
            return None
        self._shown = shown
        with np.errstate(invalid="ignore"):
            gain = brood.distance[0] - brood.distance[1:]
        self._gain = np.nan_to_num(gain, nan=0.0, posinf=0.0, neginf=0.0)
        by_gain = np.argsort(-self._gain, kind="stable")
        best = np.sort(np.unique(shown.variable[by_gain], return_index=True)[1])[:_GAINERS]
        self._gainers = by_gain[best]
        self._rate = float((self._gain / shown.cost).max(initial=0.0)) or 1.0
        return brood

    def _deepen(self, first: Brood, beam: int) -> None:
        """Go from two changes to as many as are permitted, keeping the best states of each depth."""
        broods = [first]
        for depth in range(2, self._changes + 1):
            frontier = self._selected(broods, beam)
            broods = []
            for begin in range(0, len(frontier), self._together):
                if not self._scorer.goes_on():
                    return
                together = frontier[begin : begin + self._together]
                ceilings = np.full(len(together), self._dearest())
                broods.append(self._expanded(together, ceilings, last=depth == self._changes))

    def _dearest(self) -> float:
        return self._scorer.dearest(self._problem.count)

    def _selected(self, broods: list[Brood], beam: int) -> list[Node]:
        """Keep the most promising states, few that change the same variables."""
        kept: dict[bytes, Node] = {}
        alike: dict[State, int] = {}
        dearest = self._dearest()
        promising = [(brood, brood.promising(dearest)) for brood in broods]
        estimates = np.concatenate([np.empty(0), *(self._estimates(brood)[at] for brood, at in promising)])
        places = [(brood, at) for brood, own in promising for at in own.tolist()]
        for best in np.argsort(estimates, kind="stable").tolist():
            brood, at = places[best]
            key, taken = brood.keys[at], brood.taken[at]
            if key in kept or key in self._scorer.found or alike.get(taken, 0) >= _ALIKE:
                continue
            alike[taken] = alike.get(taken, 0) + 1
            kept[key] = self._node(brood, at)
            if len(kept) == beam:
                break
        return list(kept.values())

    def _node(self, brood: Brood, at: int) -> Node:
        rows = brood.candidates.rows(brood.at[at : at + 1])
        return brood.node(at, self._problem.constraints.complete(self._openings.row, rows)[0])

    def _estimates(self, brood: Brood) -> FloatArray:
        """Estimate what it will have cost to reach the goal; what is not permitted needs one more change."""
        onward = np.maximum(brood.distance, 0.0) / self._rate
        return np.asarray(brood.cost + onward + np.where(brood.permitted, 0.0, SPARSITY))

    def _expanded(self, nodes: list[Node], ceilings: FloatArray, *, last: bool) -> Brood:
        """Make one more change in each state; each new state must cost less than its ceiling."""
        start = np.stack([node.row for node in nodes])
        rooms = ceilings - np.array([node.cost for node in nodes])
        differ = self._openings.differing(start)
        state, choice = self._promising(nodes, rooms, differ)
        parents, choices = [state], [self._shown.picked(choice)]
        for variable, at in zip(*(own.tolist() for own in np.nonzero(differ.T)), strict=True):
            if variable not in nodes[at].taken:
                if not self._scorer.goes_on():
                    break
                fresh = self._fresh(nodes[at], variable, float(rooms[at]))
                parents.append(np.full(len(fresh), at))
                choices.append(fresh)
        states = [node.taken for node in nodes]
        candidates = Candidates(start, states, np.concatenate(parents), Choices.joined(choices))
        return self._scored(candidates, last=last)

    def _promising(self, nodes: list[Node], rooms: FloatArray, differ: Mask) -> tuple[IntArray, IntArray]:
        """Return pairs of states and choices: those that promise least cost, and of each variable the best.

        Left out are variables that have other choices in a state. A state that breaks an inequality must
        change something in it.
        """
        shown = self._shown
        closed = differ.copy()
        for at, node in enumerate(nodes):
            closed[at, list(node.taken)] = True
            closed[at] |= not node.permitted and ~self._openings.bound
        wanted = ~closed[:, shown.variable] & (shown.cost < rooms[:, None])
        distance = np.array([node.distance for node in nodes])
        estimate = shown.cost + np.maximum(distance[:, None] - self._gain, 0.0) / self._rate
        order = np.argsort(np.where(wanted, estimate, np.inf), axis=1, kind="stable")
        chosen = np.zeros_like(wanted)
        chosen[np.arange(len(nodes))[:, None], order[:, :_BRED]] = True
        chosen[:, self._gainers] = True
        state, choice = np.nonzero(chosen & wanted)
        return state, choice

    def _fresh(self, node: Node, variable: int, room: float) -> Choices:
        """Return the choices of a related number in a state where its partners differ: cheap, promising."""
        choices, kept = self._openings.related(variable, node.row)
        choices = choices.picked((choices.cost < room) & (kept | node.permitted))
        choices = choices.thinned(self._openings.row, _CHOICES)
        gain = self._gain_like(choices)
        estimate = choices.cost + np.maximum(node.distance - gain, 0.0) / self._rate
        return choices.picked(np.sort(np.argsort(estimate, kind="stable")[:_FRESH]))

    def _gain_like(self, choices: Choices) -> FloatArray:
        """Guess what choices of one variable gain: as much as the nearest value that was looked at."""
        own = np.flatnonzero(np.isin(self._shown.variable, choices.variable))
        if not len(own):
            return np.zeros(len(choices))
        apart = np.abs(choices.value[:, :1] - self._shown.value[own, 0][None, :])
        return np.asarray(self._gain[own[apart.argmin(axis=1)]])

    def _scored(self, candidates: Candidates, *, last: bool = False) -> Brood:
        """Recompute what follows, check and score rows; of the `last` ones only those that are permitted.

        Rows are made as the budget goes on; those that no more were are left out.
        """
        problem, origin = self._problem, self._openings.row
        together = rows_at_once(len(origin))
        parts: list[tuple[IntArray, FloatArray, FloatArray, Mask]] = []
        taken: list[State] = []
        keys: list[bytes] = []
        for start in range(0, len(candidates), together):
            if not self._scorer.goes_on():
                break
            at = np.arange(start, min(start + together, len(candidates)))
            rows = problem.constraints.complete(origin, candidates.rows(at))
            permitted = problem.constraints.permitted(origin, rows)
            if last:
                at, rows, permitted = at[permitted], rows[permitted], permitted[permitted]
            cost = row_costs(problem.constraints, problem.scales, origin, rows)
            states = [candidates.taken(one) for one in at.tolist()]
            distance, own = self._scorer.distances(rows, states, cost, permitted)
            parts.append((at, cost, distance, permitted))
            taken += states
            keys += own
        parts.append((np.empty(0, dtype=np.int64), np.empty(0), np.empty(0), np.empty(0, dtype=np.bool_)))
        numbers, cost, distance, permitted = (np.concatenate(own) for own in zip(*parts, strict=True))
        return Brood(candidates, numbers, taken, keys, cost, distance, permitted)

    def _refine(self) -> None:
        """Take changes back, look for what could do instead, and move numbers closer to the row's own."""
        for _ in range(_REFINEMENTS):
            before = len(self._scorer.found)
            best = self._scorer.best(_REFINED)
            self._replaced([find for find in best if len(find.taken) > 1])
            self._closer(self._scorer.best(_REFINED))
            if self._scorer.stopped or len(self._scorer.found) == before:
                break

    def _replaced(self, best: list[Find]) -> None:
        """Take each change back, and look what could do in its place for less."""
        rest = [(find, variable) for find in best for variable in find.taken]
        if not rest:
            return
        back = [self._openings.taken_back(self._scorer.row(find), variable) for find, variable in rest]
        states = [tuple(one for one in find.taken if one != variable) for find, variable in rest]
        brood = self._scored(Candidates.unchanged(np.stack(back), states))
        if self._scorer.stopped:
            return
        nodes: list[Node] = []
        ceilings: list[float] = []
        for at, (find, _) in enumerate(rest):
            key = brood.keys[at]
            if key not in self._expanded_from and key not in self._scorer.found:
                self._expanded_from.add(key)
                nodes.append(self._node(brood, at))
                ceilings.append(find.cost)
        for begin in range(0, len(nodes), self._together):
            if not self._scorer.goes_on():
                return
            own = slice(begin, begin + self._together)
            self._expanded(nodes[own], np.array(ceilings[own]), last=True)

    def _closer(self, best: list[Find]) -> None:
        """Move each number of the best finds towards the row's own, to the nearest value that suffices."""
        openings = self._openings
        if not best:
            return
        rows = np.stack([self._scorer.row(find) for find in best])
        moves = [
            Move(at, variable, float(openings.row[column]), float(rows[at, column]))
            for at, find in enumerate(best)
            for variable in find.taken
            if openings.numeric(variable)
            for column in openings.columns[variable].tolist()
        ]
        for _ in range(_ZOOMS):
            tried: list[tuple[Move, FloatArray]] = []
            for move in moves:
                if not self._scorer.goes_on():
                    return
                values = openings.between(move.variable, move.near, move.far, _POINTS)
                if len(values):
                    tried.append((move, values))
            if not tried:
                return
            brood = self._scored(self._moved(rows, [find.taken for find in best], tried))
            if self._scorer.stopped:
                return
            held = np.array([key in self._scorer.found for key in brood.keys])
            ends = np.cumsum([len(own) for _, own in tried])[:-1]
            moves = [
                move.within(own, suffices)
                for (move, own), suffices in zip(tried, np.split(held, ends), strict=True)
            ]

    def _moved(
        self, rows: FloatArray, states: list[State], tried: list[tuple[Move, FloatArray]]
    ) -> Candidates:
        """Return the rows of the finds with each of the values that are tried."""
        columns = [int(self._openings.columns[move.variable][0]) for move, _ in tried]
        choices = [
            Choices.of_feature(move.variable, at, own, np.zeros(len(own)))
            for at, (move, own) in zip(columns, tried, strict=True)
        ]
        parent = np.concatenate([np.full(len(own), move.find) for move, own in tried])
        return Candidates(rows, states, parent, Choices.joined(choices))
