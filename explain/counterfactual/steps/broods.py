"""Candidates of the step search: rows one change away from others, made only when they are looked at."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from explain.counterfactual.options import SPARSITY
from explain.counterfactual.steps.choices import Choices
from explain.counterfactual.steps.openings import State

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """One choice each, made in one of some rows: `bases` (m, features), which changed `states` already.

    `parent` numbers the base of each candidate. What follows from a choice is left to the caller.
    """

    bases: FloatArray
    states: list[State]
    parent: IntArray
    choices: Choices

    def __len__(self) -> int:
        return len(self.parent)

    @classmethod
    def unchanged(cls, rows: FloatArray, states: list[State]) -> Candidates:
        """Return rows as candidates as they are."""
        return cls(rows, states, np.arange(len(rows)), Choices.none(rows))

    def rows(self, at: IntArray) -> FloatArray:
        """Return the rows of some of them."""
        return self.choices.picked(at).applied(self.bases[self.parent[at]])

    def taken(self, at: int) -> State:
        """Return the variables that one of them changes, ascending."""
        state, variable = self.states[self.parent[at]], int(self.choices.variable[at])
        return state if variable < 0 or variable in state else tuple(sorted((*state, variable)))


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
    """What is known of some candidates, by their numbers `at`; `keys` tell their rows apart."""

    candidates: Candidates
    at: IntArray
    taken: list[State]
    keys: list[bytes]
    cost: FloatArray
    distance: FloatArray
    permitted: Mask

    def promising(self, dearest: float) -> IntArray:
        """Return those from which one more change could still undercut a cost."""
        return np.flatnonzero((self.cost + SPARSITY < dearest) & np.isfinite(self.distance))

    def node(self, number: int, row: FloatArray) -> Node:
        """Return one of them, and its row, as a state."""
        return Node(
            row,
            self.taken[number],
            float(self.cost[number]),
            float(self.distance[number]),
            bool(self.permitted[number]),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Move:
    """A number of a find on its way back: `near` does not suffice, as far as is known, and `far` does."""

    find: int
    variable: int
    near: float
    far: float

    def within(self, values: FloatArray, suffices: Mask) -> Move:
        """Return the narrower move, after values between were asked for, the nearer first."""
        if not suffices.any():
            return replace(self, near=float(values[-1]))
        first = int(suffices.argmax())
        return replace(self, near=float(values[first - 1]) if first else self.near, far=float(values[first]))
