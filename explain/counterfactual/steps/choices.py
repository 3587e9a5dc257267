"""The single changes open to one applicant, variable by variable: a feature of its own, or a one-hot group.

A number that no link or inequality touches has one value in each cell of the model's axes. One that takes
part in some has values of its grid: in each state one of each kind that model and inequalities can tell apart
there, the nearest to the applicant's own. Without axes numbers have values near and far.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Mask = NDArray[np.bool_]

_NEAREST = 8  # of many values of a variable, so many of the nearest are taken on each side


@dataclass(frozen=True, slots=True, eq=False)
class Choices:
    """Single changes, by variable: the two features that each sets (a feature alone: twice), and its cost."""

    variable: IntArray
    column: IntArray
    value: FloatArray
    cost: FloatArray

    def __len__(self) -> int:
        return len(self.variable)

    @classmethod
    def of_feature(cls, variable: int, at: int, values: FloatArray, cost: FloatArray) -> Choices:
        """Return the choices of one feature."""
        column = np.full((len(values), 2), at, dtype=np.int64)
        return cls(np.full(len(values), variable), column, np.stack([values, values], axis=1), cost)

    @classmethod
    def none(cls, rows: FloatArray) -> Choices:
        """Return for each row the choice to leave it as it is, of no variable (-1)."""
        count = len(rows)
        column = np.zeros((count, 2), dtype=np.int64)
        return cls(np.full(count, -1), column, np.repeat(rows[:, :1], 2, axis=1), np.zeros(count))

    @classmethod
    def of_group(cls, variable: int, old: int, new: IntArray, cost: float) -> Choices:
        """Return the choices of a one-hot group: the 1 moves from one feature to another."""
        column = np.stack([np.full(len(new), old, dtype=np.int64), new], axis=1)
        value = np.tile([0.0, 1.0], (len(new), 1))
        return cls(np.full(len(new), variable), column, value, np.full(len(new), cost))

    @classmethod
    def joined(cls, parts: Sequence[Choices]) -> Choices:
        """Return all choices of several lists, in their order."""
        return cls(
            np.concatenate([np.empty(0, dtype=np.int64), *(part.variable for part in parts)]),
            np.concatenate([np.empty((0, 2), dtype=np.int64), *(part.column for part in parts)]),
            np.concatenate([np.empty((0, 2)), *(part.value for part in parts)]),
            np.concatenate([np.empty(0), *(part.cost for part in parts)]),
        )

    def picked(self, wanted: Mask | IntArray) -> Choices:
        """Return the wanted ones, by mask or by position."""
        return Choices(self.variable[wanted], self.column[wanted], self.value[wanted], self.cost[wanted])

    def applied(self, rows: FloatArray) -> FloatArray:
        """Return copies of one row, or of one row for each choice, with the choices made."""
        changed = np.array(np.broadcast_to(rows, (len(self), rows.shape[-1])))
        changed[np.arange(len(self))[:, None], self.column] = self.value
        return changed

    def thinned(self, origin: FloatArray, most: int) -> Choices:
        """Return about `most` choices of one variable's, near and far on both sides of its own value."""
        if len(self) <= most:
            return self
        kept = np.zeros(len(self), dtype=np.bool_)
        up = self.value[:, 1] > origin[self.column[:, 1]]
        for side in (np.flatnonzero(~up), np.flatnonzero(up)):
            share = max(1, round(most * len(side) / len(self)))
            by_cost = side[np.argsort(self.cost[side], kind="stable")]
            kept[by_cost[_near_and_far(len(side), share)]] = True
        return self.picked(kept)


@functools.lru_cache(maxsize=4_096)
def _near_and_far(count: int, most: int) -> IntArray:
    """Return at most so many ranks of `count`: the first ones, then further and further apart, the last."""
    if count <= most:
        return np.arange(count)
    if most == 2:  # the nearest and the farthest
        return np.array([0, count - 1])
    near = min(_NEAREST, most // 2)
    far = np.geomspace(near + 1, count, most - near) - 1.0
    return np.unique(np.concatenate([np.arange(near), np.rint(far).astype(np.int64)]))
