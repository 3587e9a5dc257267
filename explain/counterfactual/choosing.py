"""Which of many counterfactuals to show: the cheapest, then different ones, none that only asks for more."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from explain.counterfactual.problem import Proposal

FloatArray = NDArray[np.float64]

DIVERSITY = 2.0
"""How many times the cheapest cost a wholly different set of features may cost more than a repetition."""

_CONSIDERED = 200


def choose(proposals: Sequence[Proposal], origin: FloatArray, count: int) -> list[Proposal]:
    """Choose at most `count` proposals, the cheapest first; ties are broken by the features and values.

    A proposal that contains another one, changing the same features as far or further, is left out. Each next
    choice weighs its cost against how far its features differ (Jaccard) from those chosen before.
    """
    ordered = sorted(proposals, key=lambda it: (it.cost, it.features, it.row[list(it.features)].tolist()))
    left: list[Proposal] = []
    for proposal in ordered[:_CONSIDERED]:
        if not any(_contains(proposal, simpler, origin) for simpler in left):
            left.append(proposal)
    chosen: list[Proposal] = []
    while left and len(chosen) < count:
        best = min(range(len(left)), key=lambda at: _worth(left[at], chosen))
        chosen.append(left.pop(best))
    return chosen


def _contains(larger: Proposal, simpler: Proposal, origin: FloatArray) -> bool:
    """Tell whether `larger` makes every change of `simpler`, in the same direction and no shorter."""
    if not set(simpler.features) <= set(larger.features):
        return False
    at = list(simpler.features)
    small, large = simpler.row[at] - origin[at], larger.row[at] - origin[at]
    return bool(((np.sign(small) == np.sign(large)) & (np.abs(large) >= np.abs(small))).all())


def _worth(proposal: Proposal, chosen: Sequence[Proposal]) -> float:
    if not chosen:
        return proposal.cost
    nearest = min(_difference(proposal.features, other.features) for other in chosen)
    return proposal.cost - DIVERSITY * chosen[0].cost * nearest


def _difference(some: tuple[int, ...], others: tuple[int, ...]) -> float:
    """Return the Jaccard distance of two sets of features."""
    return 1.0 - len(set(some) & set(others)) / len(set(some) | set(others))
