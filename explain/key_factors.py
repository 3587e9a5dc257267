"""Key factors of a credit score that the model itself makes: FCRA 609(f)(1)(C), (f)(2)(B) and (f)(9).

They belong to a score, whatever was decided with it, and never stand in for the reasons of a decision.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from explain.attribution.base import Attribution
from explain.catalogue import ReasonCatalogue
from explain.features import FeatureSpace, Instance
from explain.outcome import OutcomeRule
from explain.reasons import Factor, members_of, rank_factors, word_factor
from explain.reference import Reference

MOST = 4


@dataclass(frozen=True, slots=True)
class KeyFactor:
    """One factor that affected the score adversely; `contribution` as for a principal reason."""

    code: str
    factor: str
    text: str
    contribution: float


def key_factors(
    attribution: Attribution,
    factors: Sequence[Factor],
    instance: Instance,
    reference: Reference,
    rule: OutcomeRule,
    *,
    space: FeatureSpace,
    words: ReasonCatalogue,
) -> tuple[KeyFactor, ...]:
    """Return what affected the score adversely in the order of its effect: at most four.

    A factor that counts inquiries comes fifth where it was adverse and is not among the four. Texts are in
    the catalogue's default language. Raises ReasonUnmapped for a key factor without words.
    """
    members = members_of(factors, space)
    ranked = rank_factors(attribution.phi, members, rule)
    inquiries = [one for one in ranked if factors[one.at].inquiries]
    shown = [*ranked[:MOST], *(one for one in inquiries[:1] if one not in ranked[:MOST])]
    found = []
    for one in shown:
        factor = factors[one.at]
        worded = word_factor(factor, members[one.at], instance, reference, space=space, words=words)
        found.append(KeyFactor(worded.code, factor.name, worded.text, one.adverse * rule.adverse_sign()))
    return tuple(found)
