"""Coalition games over a reference set, and the weighted least squares that KernelSHAP solves on them.

The value of a coalition S is the mean margin over the reference rows when the features in S take the
explained row's values (the interventional game of Lundberg and Lee 2017, eq. 11, marginal expectations).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Coalitions = NDArray[np.bool_]  # (coalitions, players)

_ROWS_AT_ONCE = 1 << 16


class Game:
    """The game of one row: its players are the features in which some reference row differs from it.

    Values are counted from the row's own margin, so that the grand coalition is worth exactly 0 and a
    constant model gives exactly 0 everywhere.
    """

    def __init__(
        self,
        predict_margin: Callable[[FloatArray], FloatArray],
        row: FloatArray,
        reference: FloatArray,
    ) -> None:
        same = (reference == row) | (np.isnan(reference) & np.isnan(row))
        self.players: NDArray[np.intp] = np.flatnonzero(~same.all(axis=0))
        self.evaluations = 1
        self._predict = predict_margin
        self._row = row
        self._reference = reference
        self.margin = float(predict_margin(row[None, :])[0])
        self.empty = float(self.values(np.zeros((1, len(self.players)), dtype=np.bool_))[0])

    @property
    def base_value(self) -> float:
        """The mean margin of the reference."""
        return self.margin + self.empty

    def values(self, coalitions: Coalitions) -> FloatArray:
        """Return the coalitions' values, counted from the row's own margin; shape (coalitions,)."""
        count = len(self._reference)
        at_once = max(1, _ROWS_AT_ONCE // count)
        values = np.empty(len(coalitions))
        for start in range(0, len(coalitions), at_once):
            part = coalitions[start : start + at_once]
            present = np.zeros((len(part), 1, len(self._row)), dtype=np.bool_)
            present[:, 0, self.players] = part
            rows = np.where(present, self._row, self._reference[None, :, :])
            margins = self._predict(rows.reshape(-1, len(self._row))) - self.margin
            values[start : start + at_once] = margins.reshape(len(part), count).mean(axis=1)
            self.evaluations += len(part) * count
        return values


def every_coalition(players: int) -> Coalitions:
    """Return all 2^players coalitions; coalition k holds player i where bit i of k is set."""
    codes = np.arange(1 << players)[:, None]
    return np.asarray((codes >> np.arange(players)) & 1 == 1)


def coalitions_of_size(players: int, size: int) -> Coalitions:
    """Return all coalitions of this size, each followed by its complement where that has another size."""
    members = np.array(list(combinations(range(players), size)), dtype=np.intp)
    chosen = np.zeros((len(members), players), dtype=np.bool_)
    np.put_along_axis(chosen, members, values=True, axis=1)
    if 2 * size == players:
        return chosen
    return np.stack([chosen, ~chosen], axis=1).reshape(-1, players)


def exact_values(values: FloatArray, players: int) -> FloatArray:
    """Return the Shapley values from the values of `every_coalition` (Shapley 1953)."""
    codes = np.arange(1 << players)
    sizes = np.bitwise_count(codes)
    weights = np.array([1.0 / (players * comb(players - 1, size)) for size in range(players)])
    phi = np.empty(players)
    for player in range(players):
        without = codes[codes >> player & 1 == 0]
        gains = values[without | 1 << player] - values[without]
        phi[player] = np.dot(weights[sizes[without]], gains)
    return phi


def kernel_mass(players: int) -> FloatArray:
    """Return the Shapley kernel's mass of each coalition size, summing to 1; none and all have 0."""
    sizes = np.arange(1, players)
    mass = np.zeros(players + 1)
    mass[1:players] = 1.0 / (sizes * (players - sizes))
    return np.asarray(mass / mass.sum())


@dataclass(frozen=True, slots=True)
class Moments:
    """The normal equations A phi = b of a weighted set of coalitions."""

    a: FloatArray
    b: FloatArray

    @classmethod
    def of(cls, coalitions: Coalitions, gains: FloatArray, weight: float) -> Moments:
        """Sum over coalitions of equal weight; `gains` are values above the empty coalition's."""
        z = coalitions.astype(np.float64)
        return cls(weight * (z.T @ z), weight * (z.T @ gains))

    def __add__(self, other: Moments) -> Moments:
        return Moments(self.a + other.a, self.b + other.b)

    def solve(self, total: float) -> FloatArray:
        """Return the phi that fits best among those that add up to `total` exactly (efficiency)."""
        solved = np.linalg.solve(self.a, np.column_stack([self.b, np.ones(len(self.b))]))
        phi = solved[:, 0] - solved[:, 1] * ((solved[:, 0].sum() - total) / solved[:, 1].sum())
        return np.asarray(phi + (total - phi.sum()) / len(phi))

    def projector(self) -> FloatArray:
        """Return the matrix that carries a small change of b into the change of phi under efficiency."""
        inverse = np.linalg.inv(self.a)
        ones = inverse.sum(axis=1)
        return np.asarray(inverse - np.outer(ones, ones) / ones.sum())


def sampled_pairs(players: int, mass: FloatArray, rng: np.random.Generator) -> Iterator[Coalitions]:
    """Draw coalitions by the size masses, each with its complement (antithetic), in blocks of 64 pairs."""
    chances = mass / mass.sum()
    while True:
        sizes = rng.choice(players + 1, size=64, p=chances)
        order = rng.random((64, players)).argsort(axis=1).argsort(axis=1)
        drawn = order < sizes[:, None]
        yield np.stack([drawn, ~drawn], axis=1).reshape(-1, players)
