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
from explain.reasons import Factor, members_of, rank_factors, reference_value, word_factor
from explain.reference import Reference

MOST = 4


@dataclass(frozen=True, slots=True)
class KeyFactor:
    """One factor that affected the score adversely; its fields as of a principal reason."""

    code: str
    factor: str
    text: str
    contribution: float
    wording: int = 0
    reference_value: float | None = None
    sensitive: bool = False
    proxy: bool = False


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
        group, contribution = members[one.at], one.adverse * rule.adverse_sign()
        worded = word_factor(factor, group, instance, reference, space=space, words=words)
        found.append(
            KeyFactor(
                code=worded.code,
                factor=factor.name,
                text=worded.text,
                contribution=contribution,
                wording=worded.wording,
                reference_value=reference_value(group, space, reference),
                sensitive=factor.sensitive or any(space.features[at].sensitive for at in group),
                proxy=factor.proxy,
            )
        )
    return tuple(found)
