"""What one explanation found, before it is put on record, and how it is found: in one hot thread."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from explain.attribution.base import Attribution
from explain.attribution.deciding import attribute_decisions
from explain.counterfactual.base import CounterfactualSet, Status
from explain.counterfactual.search import METHOD_VERSION
from explain.deadline import Deadline
from explain.errors import AttributionUnreconciled
from explain.features import Instance
from explain.outcome import Decision
from explain.reasons import Reason, principal_reasons
from explain.seeding import canonical_row, seed_for
from records.private_parts import WarningRow
from registry.loading import LoadedVersion
from schemas.explanation import Decided, ExplanationRequest
from service.errors import CounterfactualUnavailable, DecisionMismatch, InvalidInput
from service.strict_json import Flaw, escape

# A decided score is often sent rounded: it counts as reproduced within half of its last decimal place, at
# most this.
_COARSEST_ROUNDING = 0.005


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
    """One decision explained by one model version, reconciled and verified, but not yet on record."""

    question: Question
    loaded: LoadedVersion
    instance: Instance
    decision: Decision
    attribution: Attribution
    reasons: tuple[Reason, ...]
    counterfactuals: CounterfactualSet
    warnings: tuple[WarningRow, ...]
    durations: Durations


@dataclass(frozen=True, slots=True)
class Attributed:
    """The native decision with its reconciled attribution, and the milliseconds that both took."""

    decision: Decision
    attribution: Attribution
    milliseconds: float


def find(loaded: LoadedVersion, question: Question, deadline: Deadline) -> Finding:
    """Explains one decision: attribution, reasons, then counterfactuals in what is left until `deadline`.

    Raises `InvalidFeatures`, `AttributionUnreconciled`, `ReasonUnmapped`, `DecisionMismatch` or
    `CounterfactualUnavailable`; nothing partial is ever returned.
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
    if request.decided is not None:
        check_decided(request.decided, decision)
    reasons = principal_reasons(
        attribution,
        loaded.factors,
        instance,
        loaded.reference,
        loaded.rule,
        space=loaded.space,
        decision=decision,
        words=loaded.words,
        limit=loaded.manifest.reasons.limit,
        minimum_share=float(loaded.manifest.reasons.minimum_share),
    )
    reasoned = time.monotonic()
    counterfactuals = search(loaded, request, instance, decision, deadline)
    searched = time.monotonic()
    return Finding(
        question=question,
        loaded=loaded,
        instance=instance,
        decision=decision,
        attribution=attribution,
        reasons=reasons,
        counterfactuals=counterfactuals,
        warnings=warnings_of(loaded, question, instance, reasons),
        durations=Durations(attributed.milliseconds, 1e3 * (reasoned - started), 1e3 * (searched - reasoned)),
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
    """Counterfactuals as far as they were asked for and as time allows.

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


def check_decided(decided: Decided, decision: Decision) -> None:
    """Refuses an explanation of a decision that this model version would not have made."""
    if decided.outcome is not None and decided.outcome != decision.outcome:
        raise DecisionMismatch("The model version does not reproduce the outcome that was sent.")
    if decided.score is not None:
        _, _, decimals = repr(float(decided.score)).partition(".")
        rounding = 0.5 * 10.0 ** -len(decimals) if decimals.isdigit() else 0.0
        allowed = max(1e-6 * max(1.0, abs(decision.score)), min(rounding, _COARSEST_ROUNDING))
        if abs(decided.score - decision.score) > allowed * (1 + 1e-9):
            raise DecisionMismatch("The model version does not reproduce the score that was sent.")


def check_protected(loaded: LoadedVersion, protected: tuple[str, ...]) -> None:
    """Refuses protected attributes that the manifest does not declare."""
    unknown = [name for name in protected if name not in loaded.manifest.protected]
    if unknown:
        raise InvalidInput(
            tuple(
                Flaw(f"/protected/{escape(name)}", "is not declared as protected by the manifest")
                for name in unknown
            )
        )


def warnings_of(
    loaded: LoadedVersion, question: Question, instance: Instance, reasons: tuple[Reason, ...]
) -> tuple[WarningRow, ...]:
    """What a reader should know: missing and out-of-range inputs, sensitive reasons, values not kept."""
    rows: list[WarningRow] = [
        {"code": "missing", "feature": feature.name, "detail": "no value was given"}
        for feature, value in zip(loaded.space.features, instance.values, strict=True)
        if value is None
    ]
    rows += [
        {"code": warning.code, "feature": _feature_at(warning.pointer), "detail": warning.detail}
        for warning in instance.warnings
    ]
    rows += [
        {
            "code": "sensitive_reason",
            "feature": None,
            "detail": f"principal factor {reason.factor} is sensitive",
        }
        for reason in reasons
        if reason.sensitive
    ]
    if question.protected:
        detail = "protected attributes were checked and not kept: this release has no fairness store"
        rows.append({"code": "protected_not_stored", "feature": None, "detail": detail})
    return tuple(rows)


def _feature_at(pointer: str) -> str:
    return pointer.removeprefix("/").replace("~1", "/").replace("~0", "~")


def _settled(status: Status) -> CounterfactualSet:
    return CounterfactualSet(status=status, complete=True, items=(), evaluations=0, seed=0, effort=())
