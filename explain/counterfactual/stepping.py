"""The beam search of `steps`: states that differ from the applicant's row in ever more variables."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from explain.counterfactual.choices import Choices
from explain.counterfactual.openings import Openings, State
from explain.counterfactual.options import SPARSITY, row_costs
from explain.counterfactual.problem import Problem
from explain.counterfactual.scorer import Find, Scorer

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Mask = NDArray[np.bool_]

BEAMS = (16, 96)  # states kept from one depth to the next; the wide beam only if the first finds nothing
_ALIKE = 3  # of them, those that change the same variables
_CHOICES = 32  # choices of a variable that are looked at, unless the variables are few
_FIRST = 768  # choices looked at from the row itself, all variables together, where they are few
_BRED = 24  # choices of a state that are looked at, beside the one of each variable that gains most
_FRESH = 8  # choices of a related number in a state where its partners differ
_TOGETHER = 16  # states expanded at once
_REFINED, _REFINEMENTS = 4, 2  # finds that are refined, and how often
_POINTS, _ZOOMS = 24, 2  # values tried between two, and how often


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """A state of the search: its row, the variables that were changed, ascending, and what is known of it."""

    row: FloatArray
    taken: State
    cost: float
    distance: float
    permitted: bool


@dataclass(frozen=True, slots=True, eq=False)
class Brood:
    """What one step beyond some states leads to."""

    rows: FloatArray
    taken: list[State]
    cost: FloatArray
    distance: FloatArray
    permitted: Mask

    def promising(self, dearest: float) -> IntArray:
        """Return those from which one more change could still undercut a cost."""
        return np.flatnonzero((self.cost + SPARSITY < dearest) & np.isfinite(self.distance))

    def node(self, at: int) -> Node:
        """Return one of them as a state."""
        return Node(
            self.rows[at],
            self.taken[at],
            float(self.cost[at]),
            float(self.distance[at]),
            bool(self.permitted[at]),
        )


class Stepping:
    """One search from one row; what it finds is in the scorer."""

    def __init__(self, problem: Problem, openings: Openings, scorer: Scorer, changes: int) -> None:
        self._problem = problem
        self._openings = openings
        self._scorer = scorer
        self._changes = changes
        self._rate = 1.0
        self._expanded_from: set[bytes] = set()

    def run(self) -> None:
        """Look at single changes, then deeper, then closer to what was found."""
        first = self._begin()
        for beam in BEAMS:
            if not self._scorer.stopped and (beam == BEAMS[0] or not self._scorer.found):
                self._deepen(first, beam)
        self._refine()

    def _begin(self) -> Brood:
        """Score the single changes; learn what each gains and what a unit of cost buys at best."""
        openings = self._openings
        most = max(_CHOICES, _FIRST // len(openings))
        shown = openings.every.thinned(openings.row, most)
        rows = np.concatenate([openings.row[None, :], shown.applied(openings.row)])
        brood = self._scored(rows, [(), *((variable,) for variable in shown.variable.tolist())])
        self._shown = shown
        with np.errstate(invalid="ignore"):
            gain = brood.distance[0] - brood.distance[1:]
        self._gain = np.nan_to_num(gain, nan=0.0, posinf=0.0, neginf=0.0)
        by_gain = np.argsort(-self._gain, kind="stable")
        self._gainers = by_gain[np.unique(shown.variable[by_gain], return_index=True)[1]]
        self._rate = float((self._gain / shown.cost).max(initial=0.0)) or 1.0
        return brood

    def _deepen(self, first: Brood, beam: int) -> None:
        """Go from two changes to as many as are permitted, keeping the best states of each depth."""
        broods = [first]
        for depth in range(2, self._changes + 1):
            frontier = self._selected(broods, beam)
            broods = []
            for begin in range(0, len(frontier), _TOGETHER):
                if self._scorer.stopped:
                    return
                together = frontier[begin : begin + _TOGETHER]
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
            node = brood.node(at)
            key = node.row.tobytes()
            if key in kept or key in self._scorer.found or alike.get(node.taken, 0) >= _ALIKE:
                continue
            alike[node.taken] = alike.get(node.taken, 0) + 1
            kept[key] = node
            if len(kept) == beam:
                break
        return list(kept.values())

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
        shown = self._shown.picked(choice)
        rows, parents, variables = [shown.applied(start[state])], [state], [shown.variable]
        for variable, own in differ.items():
            for at in np.flatnonzero(own).tolist():
                if variable not in nodes[at].taken:
                    fresh = self._fresh(nodes[at], variable, float(rooms[at]))
                    rows.append(fresh.applied(nodes[at].row))
                    parents.append(np.full(len(fresh), at))
                    variables.append(fresh.variable)
        pairs = zip(np.concatenate(parents).tolist(), np.concatenate(variables).tolist(), strict=True)
        taken = [tuple(sorted((*nodes[at].taken, variable))) for at, variable in pairs]
        return self._scored(np.concatenate(rows), taken, last=last)

    def _promising(
        self, nodes: list[Node], rooms: FloatArray, differ: dict[int, Mask]
    ) -> tuple[IntArray, IntArray]:
        """Return pairs of states and choices: those that promise least cost, and of each variable the best.

        Left out are variables that have other choices in a state. A state that breaks an inequality must
        change something in it.
        """
        shown = self._shown
        closed = np.zeros((len(nodes), len(self._openings)), dtype=np.bool_)
        for variable, own in differ.items():
            closed[own, variable] = True
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

    def _permitted(self, rows: FloatArray) -> tuple[FloatArray, Mask]:
        constraints, origin = self._problem.constraints, self._openings.row
        complete = constraints.complete(origin, rows)
        return complete, constraints.permitted(origin, complete)

    def _scored(self, rows: FloatArray, taken: list[State], *, last: bool = False) -> Brood:
        """Recompute what follows, check and score rows; of the `last` ones only those that are permitted."""
        problem = self._problem
        rows, permitted = self._permitted(rows)
        if last:
            taken = [state for state, wanted in zip(taken, permitted.tolist(), strict=True) if wanted]
            rows, permitted = rows[permitted], permitted[permitted]
        cost = row_costs(problem.constraints, problem.scales, self._openings.row, rows)
        distance = self._scorer.distances(rows, taken, cost, permitted)
        return Brood(rows, taken, cost, distance, permitted)

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
        rows = [self._openings.taken_back(find.row, variable) for find, variable in rest]
        states = [tuple(one for one in find.taken if one != variable) for find, variable in rest]
        brood = self._scored(np.stack(rows), states)
        nodes: list[Node] = []
        ceilings: list[float] = []
        for at, (find, _) in enumerate(rest):
            key = brood.rows[at].tobytes()
            if key not in self._expanded_from and key not in self._scorer.found:
                self._expanded_from.add(key)
                nodes.append(brood.node(at))
                ceilings.append(find.cost)
        if nodes and not self._scorer.stopped:
            self._expanded(nodes, np.array(ceilings), last=True)

    def _closer(self, best: list[Find]) -> None:
        """Move each number of the best finds towards the row's own, to the nearest value that suffices."""
        openings = self._openings
        moves = [
            Move(find.taken, find.row, variable, float(openings.row[column]), float(find.row[column]))
            for find in best
            for variable in find.taken
            if openings.numeric(variable)
            for column in openings.columns[variable].tolist()
        ]
        for _ in range(_ZOOMS):
            values = [openings.between(move.variable, move.near, move.far, _POINTS) for move in moves]
            tried = [(move, own) for move, own in zip(moves, values, strict=True) if len(own)]
            if not tried or self._scorer.stopped:
                return
            rows = [move.rows(int(openings.columns[move.variable][0]), own) for move, own in tried]
            states = [move.taken for move, own in tried for _ in own]
            brood = self._scored(np.concatenate(rows), states)
            held = np.array([row.tobytes() in self._scorer.found for row in brood.rows])
            ends = np.cumsum([len(own) for _, own in tried])[:-1]
            moves = [
                move.within(own, suffices)
                for (move, own), suffices in zip(tried, np.split(held, ends), strict=True)
            ]


@dataclass(frozen=True, slots=True, eq=False)
class Move:
    """A number of a find on its way back: `near` does not suffice, as far as is known, and `far` does."""

    taken: State
    row: FloatArray
    variable: int
    near: float
    far: float

    def rows(self, at: int, values: FloatArray) -> FloatArray:
        """Return the find's row with each of these values."""
        rows = np.repeat(self.row[None, :], len(values), axis=0)
        rows[:, at] = values
        return rows

    def within(self, values: FloatArray, suffices: Mask) -> Move:
        """Return the narrower move, after values between were asked for, the nearer first."""
        if not suffices.any():
            return replace(self, near=float(values[-1]))
        first = int(suffices.argmax())
        return replace(self, near=float(values[first - 1]) if first else self.near, far=float(values[first]))
