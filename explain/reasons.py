"""Principal reasons: an attribution and a reason catalogue become at most four ordered reason codes.

Regulation B, 12 CFR 1002.9(b)(2) and its comments: only factors that were scored, only those that spoke
against the applicant, none of the principal ones left out, no more than four, and never padded to four.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explain.attribution.base import Attribution
from explain.errors import ReasonUnmapped
from explain.features import FeatureSpace, Instance, Value
from explain.outcome import Decision, OutcomeRule
from explain.reference import Reference

NEGLIGIBLE = 1e-6
"""A contribution of at most this share of the largest |phi| is numerically zero, and no reason."""

NEAR_TIE = 0.01
"""Two neighbours whose contributions differ by at most this share of the larger one are a near tie."""


@dataclass(frozen=True, slots=True)
class Factor:
    """Features that count as one reason: one-hot, binned, derived and missing-indicator columns together."""

    name: str
    features: tuple[str, ...]
    code: str | None = None
    text: str | None = None
    sensitive: bool = False


@dataclass(frozen=True, slots=True)
class Reason:
    """One principal reason.

    `contribution` is the sum of the members' phi in margin space, with the sign that phi has there; `share`
    is its part of the total adverse contribution, 0 to 1. `reference_value` is the mean of the reference
    where it is not missing, for a factor of one numeric feature, otherwise None. `near_tie` says that a
    neighbour in the ranking, shown or just left out, is about as large. `sensitive` and `proxy` reasons stay
    in the list: whoever writes a notice has to stop at them. `wording` is the place of the text among the
    factor's wordings; `worded_as_value` says that a value is missing and the catalogue has no words for that.

    A reason of another component of a combined decision has that component's name, its own code as `factor`,
    what it saw as `given` pairs of a name and a text, and no numbers.
    """

    rank: int
    code: str
    factor: str
    text: str
    contribution: float | None
    share: float | None
    reference_value: float | None
    observed: tuple[tuple[str, Value], ...]
    near_tie: bool
    sensitive: bool
    proxy: bool = False
    component: str | None = None
    wording: int = 0
    given: tuple[tuple[str, str], ...] = ()
    worded_as_value: bool = False


def principal_reasons(
    attribution: Attribution,
    factors: Sequence[Factor],
    instance: Instance,
    reference: Reference,
    rule: OutcomeRule,
    *,
    space: FeatureSpace,
    decision: Decision,
    limit: int = 4,
) -> tuple[Reason, ...]:
    """Rank the factors that spoke against the applicant, the largest first, at most `limit` of them.

    A favourable decision has none. Equal contributions keep the declared order of the factors. A principal
    factor without a code or a text raises ReasonUnmapped: the next one never takes its place.
    """
    members = _members(factors, space)
    if decision.favourable:
        return ()
    adverse = np.array([math.fsum(attribution.phi[group].tolist()) for group in members])
    adverse *= rule.adverse_sign()
    floor = NEGLIGIBLE * float(np.abs(attribution.phi).max(initial=0.0))
    ranked = [int(at) for at in np.argsort(-adverse, kind="stable") if adverse[at] > floor]
    total = math.fsum(adverse[ranked].tolist())
    reasons = []
    for place, at in enumerate(ranked[:limit]):
        factor, group = factors[at], members[at]
        if not (factor.code and factor.code.strip() and factor.text and factor.text.strip()):
            raise ReasonUnmapped(factor.name)
        reasons.append(
            Reason(
                rank=place + 1,
                code=factor.code,
                factor=factor.name,
                text=factor.text,
                contribution=float(adverse[at]) * rule.adverse_sign(),
                share=float(adverse[at]) / total,
                reference_value=_reference_value(group, space, reference),
                observed=tuple((space.features[i].name, instance.values[i]) for i in group),
                near_tie=_near_tie(adverse[ranked], place),
                sensitive=factor.sensitive or any(space.features[i].sensitive for i in group),
            )
        )
    return tuple(reasons)


def _members(factors: Sequence[Factor], space: FeatureSpace) -> list[list[int]]:
    """Return each factor's feature positions; every feature has to be in exactly one factor.

    A feature without a factor could be a principal reason that nobody would see: that fails closed too.
    """
    members = [[space.index(name) for name in factor.features] for factor in factors]
    seen = [at for group in members for at in group]
    for at, feature in enumerate(space.features):
        if at not in seen:
            raise ReasonUnmapped(feature.name)
    if len(seen) != len(set(seen)):
        raise ValueError("a feature belongs to two factors")
    return members


def _near_tie(contributions: NDArray[np.float64], place: int) -> bool:
    """Tell whether the contribution at this place is nearly that of a neighbour, shown or left out."""
    own = float(contributions[place])
    neighbours = [int(at) for at in (place - 1, place + 1) if 0 <= at < len(contributions)]
    return any(
        abs(own - float(contributions[at])) <= NEAR_TIE * max(own, float(contributions[at]))
        for at in neighbours
    )


def _reference_value(group: Sequence[int], space: FeatureSpace, reference: Reference) -> float | None:
    if len(group) != 1 or space.features[group[0]].type not in ("number", "integer"):
        return None
    column = reference.rows[:, group[0]]
    present = column[~np.isnan(column)]
    return math.fsum(present.tolist()) / len(present) if len(present) else None
