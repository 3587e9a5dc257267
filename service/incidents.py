"""What must not leave is put on record instead: one `incident.raised` entry per withheld explanation."""

from __future__ import annotations

from audit.canonical import JsonValue, canonical, decimal
from audit.entry import Draft
from explain.errors import AttributionUnreconciled, ReasonUnmapped
from registry.loading import LoadedVersion
from runtime.metrics import INCIDENTS, UNRECONCILED
from service.errors import CounterfactualUnavailable, DecisionMismatch
from service.finding import Question
from service.fingerprint import typed
from service.record import CODE_VERSION

Withheld = AttributionUnreconciled | ReasonUnmapped | DecisionMismatch | CounterfactualUnavailable

_KINDS: dict[type[Exception], str] = {
    AttributionUnreconciled: "attribution-unreconciled",
    ReasonUnmapped: "reason-unmapped",
    DecisionMismatch: "decision-mismatch",
    CounterfactualUnavailable: "counterfactual-unavailable",
}


class ExplanationWithheld(Exception):
    """An explanation was made or attempted and may not leave."""

    def __init__(self, cause: Withheld, incident: Draft) -> None:
        super().__init__(type(cause).__name__)
        self.cause = cause
        self.incident = incident


def kind_of_incident(cause: Withheld) -> str:
    """The incident's name, the same as that of the problem the caller sees."""
    return _KINDS[type(cause)]


def incident(loaded: LoadedVersion, question: Question, actor: str, cause: Withheld) -> Draft:
    """Which version failed and how in clear; about whom, and with what input, encrypted."""
    request = question.request
    body: dict[str, JsonValue] = {
        "kind": kind_of_incident(cause),
        "model": loaded.model_name,
        "version": loaded.version,
        "model_digest": loaded.artifact_digest,
        "reference_digest": loaded.reference_digest,
        "code_version": CODE_VERSION,
    }
    private: dict[str, JsonValue] = {
        "decision_id": request.decision_id,
        "subject_ref": request.subject_ref,
        "features": typed(request.features),
        "detail": _detail(cause),
    }
    return Draft(
        type="incident.raised",
        actor=actor,
        body=body,
        private=canonical(private),
        subject=subject_of(question),
        retention_class=retention_of(loaded),
    )


def count_incident(withheld: ExplanationWithheld) -> None:
    """Tells the operator's numbers that an explanation was withheld."""
    INCIDENTS.labels(kind=kind_of_incident(withheld.cause)).inc()
    if isinstance(withheld.cause, AttributionUnreconciled):
        UNRECONCILED.inc()


def subject_of(question: Question) -> str:
    """Whose key encrypts: the person's, or the decision's own where the caller names nobody."""
    request = question.request
    if request.subject_ref is not None:
        return f"subject/{request.subject_ref}"
    return f"decision/{question.model}/{request.decision_id}"


def retention_of(loaded: LoadedVersion) -> str:
    """The retention class of the version's entries, as the manifest declares it."""
    retention = loaded.manifest.retention
    return "standard" if retention is None or retention.kind == "general" else retention.kind


def _detail(cause: Withheld) -> dict[str, str]:
    if isinstance(cause, AttributionUnreconciled):
        numbers = {"expected": cause.expected, "total": cause.total, "tolerance": cause.tolerance}
        return {name: _decimal(number) for name, number in numbers.items()}
    return {"message": str(cause)}


def _decimal(number: float) -> str:
    """An unreconciled sum may be anything, NaN included; an incident about it must still be writable."""
    try:
        return decimal(float(number))
    except Exception:  # noqa: BLE001
        return repr(float(number))
