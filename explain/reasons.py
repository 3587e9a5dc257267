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
from explain.catalogue import ReasonCatalogue, Worded
from explain.errors import ReasonUnmapped
from explain.features import FeatureSpace, Instance, Value
from explain.outcome import Decision, OutcomeRule
from explain.reference import Reference
from explain.wording import names_missing, word

FloatArray = NDArray[np.float64]

NEGLIGIBLE = 1e-6
"""A contribution of at most this share of the largest |phi| is numerically zero, and no reason."""

EQUAL = 1e-9
"""Contributions that differ by at most this share of the largest |phi| are equal: the rest is rounding."""

NEAR_TIE = 0.01
"""Two neighbours whose contributions differ by at most this share of the larger one are a near tie."""


@dataclass(frozen=True, slots=True)
class Factor:
    """Features that count as one reason: one-hot, binned, derived and missing-indicator columns together.

    `proxy` says that the manifest declares one of them to stand in for a protected attribute, `inquiries`
    that the factor counts recent inquiries.
    """

    name: str
    features: tuple[str, ...]
    sensitive: bool = False
    proxy: bool = False
    inquiries: bool = False


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


@dataclass(frozen=True, slots=True)
class RankedFactor:
    """One factor that spoke against the applicant: its place among the factors, and how much it did.

    `adverse` is its contribution in margin space, positive whatever the direction of the score; `share` its
    part of the total; `near_tie` as for a reason.
    """

    at: int
    adverse: float
    share: float
    near_tie: bool


def principal_reasons(  # noqa: PLR0913  everything that a reason depends on
    attribution: Attribution,
    factors: Sequence[Factor],
    instance: Instance,
    reference: Reference,
    rule: OutcomeRule,
    *,
    space: FeatureSpace,
    decision: Decision,
    words: ReasonCatalogue,
    limit: int = 4,
    minimum_share: float = 0.0,
    gray: bool = False,
) -> tuple[Reason, ...]:
    """Rank the factors that spoke against the applicant, the largest first, at most `limit` of them.

    A favourable decision has none, unless its score fell into the `gray` band and judgment then denied. Equal
    contributions keep the declared order of the factors. Factors below `minimum_share` of the total adverse
    contribution are not principal; the largest always is. Texts are in the catalogue's default language. A
    principal factor without words raises ReasonUnmapped: the next one never takes its place.
    """
    members = members_of(factors, space)
    if decision.favourable and not gray:
        return ()
    ranked = rank_factors(attribution.phi, members, rule)
    principal = [one for one in ranked[:limit] if one.share >= minimum_share or one is ranked[0]]
    reasons = []
    for rank, one in enumerate(principal, start=1):
        factor, group = factors[one.at], members[one.at]
        worded = word_factor(factor, group, instance, reference, space=space, words=words)
        observed = tuple((space.features[at].name, instance.values[at]) for at in group)
        wording = words.factors[factor.name].wordings[worded.wording]
        reasons.append(
            Reason(
                rank=rank,
                code=worded.code,
                factor=factor.name,
                text=worded.text,
                contribution=one.adverse * rule.adverse_sign(),
                share=one.share,
                reference_value=reference_value(group, space, reference),
                observed=observed,
                near_tie=one.near_tie,
                sensitive=factor.sensitive or any(space.features[at].sensitive for at in group),
                proxy=factor.proxy,
                wording=worded.wording,
                worded_as_value=any(value is None for _, value in observed) and not names_missing(wording),
            )
        )
    return tuple(reasons)


def members_of(factors: Sequence[Factor], space: FeatureSpace) -> list[list[int]]:
    """Return each factor's feature positions; every feature has to be in exactly one factor.

    A feature without a factor could be a principal reason that nobody would see: ReasonUnmapped.
    """
    members = [[space.index(name) for name in factor.features] for factor in factors]
    seen = {at for group in members for at in group}
    for at, feature in enumerate(space.features):
        if at not in seen:
            raise ReasonUnmapped(feature.name)
    if len(seen) != sum(map(len, members)):
        raise ValueError("a feature belongs to two factors")
    return members


def rank_factors(
    phi: FloatArray, members: Sequence[Sequence[int]], rule: OutcomeRule
) -> tuple[RankedFactor, ...]:
    """Rank every factor with an adverse contribution, the largest first; equal ones in the declared order.

    `phi` has shape (features,), in margin space; `members` are each factor's positions in it.
    """
    values = phi.tolist()
    sign = rule.adverse_sign()
    adverse = [sign * math.fsum([values[at] for at in group]) for group in members]
    largest = max(map(abs, values), default=0.0)
    against = [at for at, size in enumerate(adverse) if size > NEGLIGIBLE * largest]
    order = _largest_first(against, adverse, EQUAL * largest)
    sizes = [adverse[at] for at in order]
    total = math.fsum(sizes)
    return tuple(
        RankedFactor(at, sizes[place], sizes[place] / total, _near_tie(sizes, place))
        for place, at in enumerate(order)
    )


def _largest_first(against: Sequence[int], adverse: Sequence[float], apart: float) -> list[int]:
    """Order places by size; neighbours that are no further apart than this keep their declared order."""
    order: list[int] = []
    tied: list[int] = []
    for at in sorted(against, key=lambda place: -adverse[place]):
        if tied and adverse[tied[-1]] - adverse[at] > apart:
            order += sorted(tied)
            tied = []
        tied.append(at)
    return order + sorted(tied)


def word_factor(
    factor: Factor,
    group: Sequence[int],
    instance: Instance,
    reference: Reference,
    *,
    space: FeatureSpace,
    words: ReasonCatalogue,
) -> Worded:
    """Word one factor by what was observed of its features; ReasonUnmapped where the catalogue cannot."""
    known = words.factors.get(factor.name)
    if known is None:
        raise ReasonUnmapped(factor.name)
    values = {space.features[at].name: instance.values[at] for at in group}
    means = {space.features[at].name: _mean(at, space, reference) for at in group}
    return word(known, values, means, words, words.default_language)


def reference_value(group: Sequence[int], space: FeatureSpace, reference: Reference) -> float | None:
    """Return the mean of the reference for a factor of one numeric feature, otherwise None."""
    return _mean(group[0], space, reference) if len(group) == 1 else None


def _near_tie(sizes: Sequence[float], place: int) -> bool:
    """Tell whether the contribution at this place is nearly that of a neighbour, shown or left out."""
    own = sizes[place]
    neighbours = [sizes[at] for at in (place - 1, place + 1) if 0 <= at < len(sizes)]
    return any(abs(own - other) <= NEAR_TIE * max(own, other) for other in neighbours)


def _mean(at: int, space: FeatureSpace, reference: Reference) -> float | None:
    """Return the mean of the reference for a numeric feature where it is not missing, otherwise None."""
    return reference.mean(at) if space.features[at].type in ("number", "integer") else None
