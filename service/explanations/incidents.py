"""What must not leave is put on record instead: one `incident.raised` entry per withheld explanation."""

from __future__ import annotations

from uuid import UUID

from audit.canonical import JsonValue, canonical, decimal
from audit.entry import Draft
from explain.components import ComponentsContradict
from explain.errors import AttributionUnreconciled, ReasonUnmapped
from records.subjects import subject_named
from registry.loading import LoadedVersion
from runtime.metrics import INCIDENTS, UNRECONCILED
from schemas.explanation import ExplanationRequest
from service.errors import CounterfactualUnavailable, DecisionMismatch
from service.explanations.finding import Question
from service.explanations.fingerprint import typed
from service.explanations.record import CODE_VERSION

Withheld = (
    AttributionUnreconciled
    | ReasonUnmapped
    | DecisionMismatch
    | ComponentsContradict
    | CounterfactualUnavailable
)

_KINDS: dict[type[Exception], str] = {
    AttributionUnreconciled: "attribution-unreconciled",
    ReasonUnmapped: "reason-unmapped",
    DecisionMismatch: "decision-mismatch",
    ComponentsContradict: "decision-mismatch",
    CounterfactualUnavailable: "counterfactual-unavailable",
}


class ExplanationWithheld(Exception):
    """An explanation was made or attempted and may not leave."""

    def __init__(self, cause: Withheld, incident: Draft) -> None:
        super().__init__(type(cause).__name__)
        self.cause = cause
        self.incident = incident

    def name_incident(self, entry_id: UUID) -> None:
        """Let the problem of a contradicted decision name the incident that is on record of it."""
        if isinstance(self.cause, DecisionMismatch | ComponentsContradict):
            self.cause.members = {"incident_id": str(entry_id)}


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
    if isinstance(cause, DecisionMismatch | ComponentsContradict):
        private["said"] = _said(request)
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
    return subject_named(question.model, request.decision_id, request.subject_ref)


def retention_of(loaded: LoadedVersion) -> str:
    """The retention class of the version's entries, as the manifest declares it."""
    retention = loaded.manifest.retention
    return "standard" if retention is None or retention.kind == "general" else retention.kind


def _said(request: ExplanationRequest) -> JsonValue:
    """What the caller says was decided, by which components, and the action taken on it."""
    application = request.application
    return typed(
        {
            "decided": None if request.decided is None else request.decided.model_dump(mode="json"),
            "components": [component.model_dump() for component in request.components],
            "action": None if application is None else application.action,
        }
    )


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
