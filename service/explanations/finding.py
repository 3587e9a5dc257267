"""What one explanation found before any counterfactual is looked for, and how: in one hot thread."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from explain.attribution.base import Attribution
from explain.attribution.deciding import attribute_decisions
from explain.components import Combined
from explain.errors import AttributionUnreconciled
from explain.features import Instance
from explain.outcome import Decision
from explain.reasons import Reason
from records.private_parts import KeyFactorPart, WarningRow
from registry.loading import LoadedVersion
from schemas.explanation import ExplanationRequest
from service.explanations.agreeing import agree, check_protected
from service.explanations.asking import Sought, checked, sought_of
from service.explanations.flagging import (
    component_warnings,
    input_warnings,
    protected_warnings,
    reason_warnings,
)
from service.explanations.reasoning import key_factors_of, reasons_of


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked about one decision. Of the protected attributes only the names came this far."""

    model: str
    request: ExplanationRequest
    protected: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """One decision explained by one model version and reconciled; neither searched nor on record yet.

    `decision` is the model's, `combined` that of all components; `reasons` are those of the latter.
    `key_factors` are empty unless the model's own score is a consumer-report score; `crowded_out` are the
    model's principal reasons at which a notice stops and for which other components' reasons left no place.
    `sought` is None where no counterfactual is looked for. Attribution and reasons took milliseconds.
    """

    question: Question
    loaded: LoadedVersion
    instance: Instance
    decision: Decision
    attribution: Attribution
    combined: Combined
    reasons: tuple[Reason, ...]
    key_factors: tuple[KeyFactorPart, ...]
    warnings: tuple[WarningRow, ...]
    sought: Sought | None
    attribution_ms: float
    reasons_ms: float
    crowded_out: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class Attributed:
    """The native decision with its reconciled attribution, and the milliseconds that both took."""

    decision: Decision
    attribution: Attribution
    milliseconds: float


def find(loaded: LoadedVersion, question: Question) -> Finding:
    """Explains one decision up to its reasons; what is asked of the counterfactuals is checked first.

    Raises `InvalidFeatures`, `InvalidInput`, `InvalidNarrowing`, `TargetReached`, `InvalidComponents`,
    `AttributionUnreconciled`, `ReasonUnmapped`, `DecisionMismatch` or `ComponentsContradict`; nothing partial
    is ever returned.
    """
    instance = instance_of(loaded, question)
    sought = checked(loaded, question.request.counterfactuals, instance)
    (attributed,) = attribute_all(loaded, (instance,))
    return explained(loaded, question, instance, attributed, sought)


def instance_of(loaded: LoadedVersion, question: Question) -> Instance:
    """The row that is explained; raises `InvalidFeatures`, or `InvalidInput` for protected attributes."""
    check_protected(loaded, question.protected)
    return loaded.space.read(question.request.features)


def explained(
    loaded: LoadedVersion,
    question: Question,
    instance: Instance,
    attributed: Attributed | AttributionUnreconciled,
    sought: Sought | None,
) -> Finding:
    """Everything after the attribution: what was decided compared, reasons, warnings, what is sought."""
    if isinstance(attributed, AttributionUnreconciled):
        raise attributed
    request, decision, attribution = question.request, attributed.decision, attributed.attribution
    started = time.monotonic()
    combined = agree(loaded, request, decision)
    whole = reasons_of(loaded, instance, decision, attribution, combined)
    key_factors = key_factors_of(loaded, instance, attribution, combined)
    return Finding(
        question=question,
        loaded=loaded,
        instance=instance,
        decision=decision,
        attribution=attribution,
        combined=combined,
        reasons=whole.told,
        key_factors=key_factors,
        warnings=(
            *input_warnings(loaded, instance),
            *reason_warnings((*whole.told, *whole.crowded_out)),
            *component_warnings(loaded, decision, combined),
            *protected_warnings(question.protected),
        ),
        sought=sought or sought_of(loaded, request.counterfactuals, instance, decision),
        attribution_ms=attributed.milliseconds,
        reasons_ms=1e3 * (time.monotonic() - started),
        crowded_out=whole.crowded_out,
    )


def attribute_all(
    loaded: LoadedVersion, instances: Sequence[Instance]
) -> list[Attributed | AttributionUnreconciled]:
    """Each decision with its attribution, reconciled with the native margin or failed; the time is shared."""
    if not instances:
        return []
    started = time.monotonic()
    rows = np.stack([instance.row for instance in instances])
    found = attribute_decisions(loaded.model, loaded.shap, loaded.rule, rows)
    milliseconds = 1e3 * (time.monotonic() - started) / len(rows)
    return [
        attribution
        if isinstance(attribution, AttributionUnreconciled)
        else Attributed(decision, attribution, milliseconds)
        for decision, attribution in found
    ]
