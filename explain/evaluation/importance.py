"""Global importance: how far each declared factor moves the margin, on average over many decisions.

The importance of a factor is the mean over rows of |sum of its members' phi| (Lundberg et al. 2020, "global
feature importance", there with one feature to a factor). A factor's contribution is the sum of its members'
values, as in the reasons of one decision; the absolute value is taken after that sum.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FactorImportance:
    """One factor over all rows, in margin space.

    `mean_abs` is the mean of its |contribution|, `standard_error` that mean's standard error over rows drawn
    at random (None for a single row), `mean` the mean of the contributions with their signs. `share` is
    `mean_abs` over the sum of all factors' (0 where nothing moves any margin). `rank` counts from 1, the
    largest `mean_abs` first; of equal ones the factor that was declared first.
    """

    factor: str
    features: tuple[int, ...]
    mean_abs: float
    standard_error: float | None
    mean: float
    share: float
    rank: int


@dataclass(frozen=True, slots=True)
class Importance:
    """All factors, by rank, over `rows` explained rows."""

    rows: int
    factors: tuple[FactorImportance, ...]


def importance(phi: Reals, factors: Sequence[tuple[str, Sequence[int]]]) -> Importance:
    """Average Shapley values of shape (n, features) over rows, per factor (name, positions of its features).

    Sums are correctly rounded, so the order of the rows changes no bit of the answer. ValueError without
    rows, for values that are not finite, and unless every feature is in exactly one factor.
    """
    if phi.ndim != 2 or not len(phi) or not np.isfinite(phi).all():
        raise ValueError("finite values of shape (n, features), n at least 1, are needed")
    positions = sorted(position for _, members in factors for position in members)
    if positions != list(range(phi.shape[1])):
        raise ValueError("every feature has to be in exactly one factor")
    contributions = [phi[:, list(members)].sum(axis=1) for _, members in factors]
    sizes = [_mean(np.abs(one)) for one in contributions]
    total = math.fsum(sizes)
    order = sorted(range(len(factors)), key=lambda at: -sizes[at])
    return Importance(
        rows=len(phi),
        factors=tuple(
            FactorImportance(
                factor=factors[at][0],
                features=tuple(factors[at][1]),
                mean_abs=sizes[at],
                standard_error=_standard_error(np.abs(contributions[at]), sizes[at]),
                mean=_mean(contributions[at]),
                share=sizes[at] / total if total > 0.0 else 0.0,
                rank=rank,
            )
            for rank, at in enumerate(order, start=1)
        ),
    )


def each_feature(names: Sequence[str]) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """Return every feature as a factor of its own, for the importance of single features."""
    return tuple((name, (position,)) for position, name in enumerate(names))


def _mean(values: Reals) -> float:
    return math.fsum(values.tolist()) / len(values)


def _standard_error(values: Reals, mean: float) -> float | None:
    """The sample standard deviation over the root of the number of rows."""
    count = len(values)
    if count < 2:
        return None
    return math.sqrt(math.fsum(((values - mean) ** 2).tolist()) / (count - 1) / count)
