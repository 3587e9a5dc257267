"""The reasons of the whole decision, and the key factors of a score that is a consumer report by itself."""

from __future__ import annotations

from dataclasses import dataclass

from explain.attribution.base import Attribution
from explain.components import Combined, combined_reasons
from explain.features import Instance
from explain.key_factors import key_factors
from explain.outcome import Decision
from explain.reasons import Reason, principal_reasons
from records.private_parts import KeyFactorPart
from registry.loading import LoadedVersion


@dataclass(frozen=True, slots=True)
class WholeReasons:
    """The reasons of the whole decision, and those of the model's own that they left no place for.

    `crowded_out` holds only what a notice stops at: a factor stays a principal reason of the model that
    denied, whoever else took the four places.
    """

    told: tuple[Reason, ...]
    crowded_out: tuple[Reason, ...] = ()


def reasons_of(
    loaded: LoadedVersion,
    instance: Instance,
    decision: Decision,
    attribution: Attribution,
    combined: Combined,
) -> WholeReasons:
    """The principal reasons of all components together; the model's only where it shares in the denial."""
    rules = loaded.manifest.reasons
    model: tuple[Reason, ...] = ()
    if combined.needs_model_reasons:
        model = principal_reasons(
            attribution,
            loaded.factors,
            instance,
            loaded.reference,
            loaded.rule,
            space=loaded.space,
            decision=decision,
            words=loaded.words,
            limit=rules.limit,
            minimum_share=float(rules.minimum_share),
            gray=combined.model.result == "gray",
        )
    if len(combined.components) == 1:  # the model alone: nothing to join
        return WholeReasons(model)
    told = combined_reasons(combined, model, loaded.words, rules.limit)
    kept = {reason.factor for reason in told if reason.contribution is not None}
    stopping = (reason for reason in model if reason.sensitive or reason.proxy)
    return WholeReasons(told, tuple(reason for reason in stopping if reason.factor not in kept))


def key_factors_of(
    loaded: LoadedVersion, instance: Instance, attribution: Attribution, combined: Combined
) -> tuple[KeyFactorPart, ...]:
    """The key factors of the model's own score, where the manifest declares it a consumer-report score.

    They go with any adverse decision in which the score was used, whichever component denied (FCRA
    615(a)(2)), and never stand in for the reasons.
    """
    notice = loaded.manifest.notice
    if notice is None or notice.consumer_report_score is None:
        return ()
    if combined.favourable or combined.model.result == "not_used":
        return ()
    found = key_factors(
        attribution,
        loaded.factors,
        instance,
        loaded.reference,
        loaded.rule,
        space=loaded.space,
        words=loaded.words,
    )
    return tuple(
        {
            "code": one.code,
            "factor": one.factor,
            "text": one.text,
            "contribution": one.contribution,
            "wording": one.wording,
            "reference_value": one.reference_value,
            "sensitive": one.sensitive,
            "proxy": one.proxy,
        }
        for one in found
    )
