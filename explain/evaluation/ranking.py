"""Which factors are principal, for many attributions of one decision at once.

The rule is that of `explain.reasons`: only what spoke against the applicant, the largest first, of equal ones
the factor that was declared first, no more than so many, and none below a share of all that is adverse.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from explain.features import FeatureSpace
from explain.outcome import OutcomeRule
from explain.reasons import EQUAL, NEGLIGIBLE, Factor, members_of

Reals = NDArray[np.float64]
Ints = NDArray[np.int64]

NONE = -1
"""Stands where fewer factors are principal than could be."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """How factors become principal: each factor's feature positions, in the declared order of the factors.

    Every feature is in exactly one. `sign` is +1 where a larger margin is more adverse, else -1.
    """

    members: tuple[tuple[int, ...], ...]
    sign: Literal[1, -1]
    limit: int = 4
    minimum_share: float = 0.0

    @classmethod
    def of(
        cls,
        factors: Sequence[Factor],
        space: FeatureSpace,
        rule: OutcomeRule,
        *,
        limit: int = 4,
        minimum_share: float = 0.0,
    ) -> Ranking:
        """Take the declared factors and the side that is adverse; ReasonUnmapped for a feature in none."""
        members = tuple(tuple(group) for group in members_of(factors, space))
        return cls(members, rule.adverse_sign(), limit, minimum_share)

    def adverse(self, phi: Reals) -> Reals:
        """Return what each factor adds against the applicant, (n, factors), of values (n, features)."""
        order = np.array([at for group in self.members for at in group], dtype=np.int64)
        sizes = np.array([len(group) for group in self.members])
        starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        summed: Reals = np.add.reduceat(phi[:, order], starts, axis=1) * self.sign
        return summed

    def principal(self, phi: Reals) -> Ints:
        """Return the principal factors' numbers, shape (n, limit), of n attributions of shape (n, features).

        The largest stands first; NONE fills up.
        """
        adverse = self.adverse(phi)
        largest = np.abs(phi).max(axis=1, initial=0.0)[:, np.newaxis]
        counted = adverse > NEGLIGIBLE * largest
        if self.minimum_share > 0.0:
            total = np.where(counted, adverse, 0.0).sum(axis=1, keepdims=True)
            most = adverse.max(axis=1, keepdims=True)  # the largest always is principal
            counted &= (adverse >= self.minimum_share * total) | (adverse == most)
        open_ones = np.where(counted, adverse, -np.inf)
        chosen = np.full((len(phi), self.limit), NONE, dtype=np.int64)
        rows = np.arange(len(phi))
        for place in range(min(self.limit, adverse.shape[1])):
            most = open_ones.max(axis=1, keepdims=True)
            best = np.argmax(open_ones >= most - EQUAL * largest, axis=1)  # of equal ones the first
            chosen[:, place] = np.where(most[:, 0] > -np.inf, best, NONE)
            open_ones[rows, best] = -np.inf
        return chosen
