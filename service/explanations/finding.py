"""What one explanation found, before it is put on record, and how it is found: in one hot thread."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from explain.attribution.base import Attribution
from explain.attribution.deciding import attribute_decisions
from explain.components import Combined
from explain.counterfactual.base import CounterfactualSet, Status
from explain.counterfactual.search import METHOD_VERSION
from explain.deadline import Deadline
from explain.errors import AttributionUnreconciled
from explain.features import Instance
from explain.outcome import Decision
from explain.reasons import Reason
from explain.seeding import canonical_row, seed_for
from records.private_parts import KeyFactorPart, WarningRow
from registry.loading import LoadedVersion
from schemas.explanation import ExplanationRequest
from service.errors import CounterfactualUnavailable
from service.explanations.agreeing import agree, check_protected
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
class Durations:
    """Milliseconds spent in each part of the engine."""

    attribution: float
    reasons: float
    counterfactuals: float


@dataclass(frozen=True, slots=True)
class Finding:
    """One decision explained by one model version, reconciled and verified, but not yet on record.

    `decision` is the model's, `combined` that of all components; `reasons` are those of the latter.
    `key_factors` are empty unless the model's own score is a consumer-report score; `crowded_out` are the
    model's principal reasons at which a notice stops and for which other components' reasons left no place.
    """

    question: Question
    loaded: LoadedVersion
    instance: Instance
    decision: Decision
    attribution: Attribution
    combined: Combined
    reasons: tuple[Reason, ...]
    key_factors: tuple[KeyFactorPart, ...]
    counterfactuals: CounterfactualSet
    warnings: tuple[WarningRow, ...]
    durations: Durations
    crowded_out: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class Attributed:
    """The native decision with its reconciled attribution, and the milliseconds that both took."""

    decision: Decision
    attribution: Attribution
    milliseconds: float


def find(loaded: LoadedVersion, question: Question, deadline: Deadline) -> Finding:
    """Explains one decision: attribution, reasons, then counterfactuals in what is left until `deadline`.

    Raises `InvalidFeatures`, `InvalidComponents`, `AttributionUnreconciled`, `ReasonUnmapped`,
    `DecisionMismatch`, `ComponentsContradict` or `CounterfactualUnavailable`; nothing partial is ever
    returned.
    """
    instance = instance_of(loaded, question)
    (attributed,) = attribute_all(loaded, (instance,))
    return conclude(loaded, question, instance, attributed, deadline)


def instance_of(loaded: LoadedVersion, question: Question) -> Instance:
    """The row that is explained; raises `InvalidFeatures`, or `InvalidInput` for protected attributes."""
    check_protected(loaded, question.protected)
    return loaded.space.read(question.request.features)


def conclude(
    loaded: LoadedVersion,
    question: Question,
    instance: Instance,
    attributed: Attributed | AttributionUnreconciled,
    deadline: Deadline,
) -> Finding:
    """Everything after the attribution: what was decided compared, reasons, counterfactuals, warnings."""
    if isinstance(attributed, AttributionUnreconciled):
        raise attributed
    request, decision, attribution = question.request, attributed.decision, attributed.attribution
    started = time.monotonic()
    combined = agree(loaded, request, decision)
    whole = reasons_of(loaded, instance, decision, attribution, combined)
    key_factors = key_factors_of(loaded, instance, attribution, combined)
    reasoned = time.monotonic()
    counterfactuals = search(loaded, request, instance, decision, deadline)
    searched = time.monotonic()
    return Finding(
        question=question,
        loaded=loaded,
        instance=instance,
        decision=decision,
        attribution=attribution,
        combined=combined,
        reasons=whole.told,
        key_factors=key_factors,
        counterfactuals=counterfactuals,
        warnings=(
            *input_warnings(loaded, instance),
            *reason_warnings((*whole.told, *whole.crowded_out)),
            *component_warnings(loaded, decision, combined),
            *protected_warnings(question.protected),
        ),
        durations=Durations(attributed.milliseconds, 1e3 * (reasoned - started), 1e3 * (searched - reasoned)),
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


def search(
    loaded: LoadedVersion,
    request: ExplanationRequest,
    instance: Instance,
    decision: Decision,
    deadline: Deadline,
) -> CounterfactualSet:
    """Counterfactuals as far as they were asked for and as time allows; they concern the model alone.

    Nothing continues after the answer, so a search that the deadline stopped is `partial` or `unresolved` and
    never `deferred`: that word promises that somebody is still looking.
    """
    asked = request.counterfactuals
    if decision.favourable:
        return _settled("not_needed")
    if asked.count == 0:
        return _settled("not_requested")
    if loaded.search is None:  # several classes: nothing may change, which is proof enough
        nothing = CounterfactualSet("no_recourse", True, (), 0, 0, (), "exhaustive")
        return _required(asked.required, nothing)
    seed = seed_for(loaded.artifact_digest, canonical_row(instance.row), METHOD_VERSION)
    found = loaded.search.find(instance, count=asked.count, deadline=deadline, seed=seed)
    return _required(asked.required, found)


def _required(required: bool, found: CounterfactualSet) -> CounterfactualSet:
    if required and not any(item.verified for item in found.items):
        raise CounterfactualUnavailable(
            f"No verified counterfactual was found inside the budget ({found.status})."
        )
    return found


def _settled(status: Status) -> CounterfactualSet:
    return CounterfactualSet(status=status, complete=True, items=(), evaluations=0, seed=0, effort=())
