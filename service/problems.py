"""Which problem document each error becomes (RFC 9457).

The rooms behind the wire raise errors without any notion of HTTP; this table is the only place that gives
them one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import orjson
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from audit import errors as audit
from audit.sealing import NotDecrypted
from explain import components
from explain import errors as explain
from explain.reference import ReferenceCorrupt
from records import erasures, evaluations, holds, notices
from records.private import PrivatePartMalformed
from records.reaching import RecordsUnavailable
from registry import errors as registry
from reports.registers import errors as registers
from schemas.fault_words import words_of
from schemas.problem import PointedError
from service import errors as service
from service import report_problems
from service.problem_kinds import (
    AUDIT_UNAVAILABLE,
    CONFLICT,
    ERASED,
    INTEGRITY,
    INTERNAL,
    INVALID_INPUT,
    METHOD_NOT_ALLOWED,
    MISMATCH,
    NOT_FOUND,
    OVERLOADED,
    STORE_DAMAGED,
    Kind,
)
from service.strict_json import Flaw, InvalidJson, escape

MEDIA_TYPE = "application/problem+json"
SHOWN_FLAWS = (
    100  # more than anybody reads; without a limit a hostile body is answered with ten times its size
)


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem as it is sent."""

    kind: Kind
    detail: str
    flaws: tuple[Flaw, ...] = ()
    retry_after_seconds: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    members: Mapping[str, object] = field(default_factory=dict)  # what this kind says beside the usual


TABLE: Mapping[type[Exception], Kind] = {
    InvalidJson: INVALID_INPUT,
    service.InvalidInput: INVALID_INPUT,
    ClientDisconnect: Kind("body-incomplete", 400, "The body did not arrive", detail="The connection ended."),
    service.OverrideWithoutReasons: Kind(
        "override-without-reasons", 422, "The reasons of the decision are not on record"
    ),
    service.UnsupportedMediaType: Kind("unsupported-media-type", 415, "The content type is not taken here"),
    service.BodyTooLarge: Kind("body-too-large", 413, "The body is too large"),
    service.BatchTooLarge: Kind("batch-too-large", 413, "The batch is too large"),
    service.Unauthenticated: Kind("unauthenticated", 401, "A valid bearer token is needed"),
    service.Forbidden: Kind("forbidden", 403, "This token may not do that"),
    service.NotFound: NOT_FOUND,
    service.DecisionConflict: CONFLICT,
    service.DecisionMismatch: MISMATCH,
    service.CounterfactualUnavailable: Kind("counterfactual-unavailable", 503, "No verified counterfactual"),
    service.NotAcceptable: Kind("not-acceptable", 406, "Not available in an accepted media type"),
    service.NoticeConflict: Kind("notice-conflict", 409, "This step is on record with other content"),
    service.NoticeStepRefused: Kind("notice-step-refused", 409, "The notice is not at this point"),
    service.NoticeOverridden: Kind("notice-overridden", 409, "A person decided otherwise"),
    service.ErasureRefused: Kind("erasure-refused", 409, "The erasure is refused"),
    service.TooBusy: OVERLOADED,
    service.StillCommitting: AUDIT_UNAVAILABLE,
    service.NotReady: Kind("not-ready", 503, "The service is starting", retry_after_seconds=1),
    explain.InvalidFeatures: replace(
        INVALID_INPUT, detail="Features are not valid; `errors` says which and why."
    ),
    explain.InvalidNarrowing: replace(
        INVALID_INPUT,
        detail="What is asked of the counterfactuals does not fit the model; `errors` says what and why.",
    ),
    explain.TargetReached: Kind("target-reached", 422, "The decision already reaches this goal"),
    explain.ModelUnsupported: Kind("model-unsupported", 422, "The model cannot be explained exactly"),
    explain.ModelCorrupt: Kind("model-corrupt", 422, "The artifact is damaged"),
    explain.ManifestContradiction: Kind(
        "manifest-contradiction", 422, "The artifact contradicts the manifest"
    ),
    explain.ReferenceTooSmall: Kind("reference-too-small", 422, "The reference population is too small"),
    explain.AttributionUnreconciled: Kind(
        "attribution-unreconciled",
        500,
        "The attribution does not add up",
        detail="The attribution does not add up to the model's own margin, so no explanation leaves.",
    ),
    explain.TablesChanged: Kind(
        "tables-changed", 503, "The model is being prepared again", retry_after_seconds=1
    ),
    explain.ReasonUnmapped: Kind("reason-unmapped", 500, "A principal factor has no reason"),
    components.InvalidComponents: INVALID_INPUT,
    components.ComponentsContradict: MISMATCH,
    explain.ConstraintError: Kind(
        "constraints-contradictory", 422, "The counterfactual constraints contradict"
    ),
    ReferenceCorrupt: STORE_DAMAGED,
    explain.ExplainError: INTERNAL,
    audit.AuditUnavailable: AUDIT_UNAVAILABLE,
    audit.Overloaded: OVERLOADED,
    audit.Conflict: CONFLICT,
    audit.EntryNotFound: NOT_FOUND,
    audit.PayloadErased: ERASED,
    audit.PayloadExpired: ERASED,
    audit.IntegrityHalt: INTEGRITY,
    audit.KeyMissing: Kind(
        "key-missing", 500, "The key of this entry is missing", detail="No record says that it was destroyed."
    ),
    audit.MalformedProof: INVALID_INPUT,
    audit.NotCanonical: INTERNAL,
    audit.MalformedEntry: INTERNAL,
    audit.EntryRefused: INTERNAL,
    audit.CustodyRefused: INTERNAL,
    audit.LimitContradicted: INTERNAL,
    audit.MalformedNote: INTERNAL,
    audit.VerificationFailed: INTERNAL,
    NotDecrypted: INTERNAL,
    audit.AuditError: INTERNAL,
    registry.ManifestInvalid: Kind("manifest-invalid", 422, "The manifest is not valid"),
    registry.ReferenceInvalid: Kind("reference-invalid", 422, "The reference does not fit the manifest"),
    registry.ReferenceContradiction: Kind(
        "reference-contradiction", 422, "The reference contradicts the manifest"
    ),
    registry.ModelUnknown: NOT_FOUND,
    registry.VersionUnknown: NOT_FOUND,
    registry.CatalogueUnknown: NOT_FOUND,
    registry.CatalogueInvalid: Kind("catalogue-invalid", 422, "The catalogue is not valid"),
    registry.CatalogueConflict: Kind(
        "catalogue-conflict", 409, "This version of the catalogue is registered with other content"
    ),
    registry.CatalogueUnfit: Kind("catalogue-unfit", 422, "The catalogue does not fit the model version"),
    registry.NotApproved: Kind("model-not-approved", 409, "The model version is not approved"),
    registry.VersionConflict: Kind("version-conflict", 409, "This version is registered with other content"),
    registry.StatusRefused: Kind("status-refused", 409, "The status cannot be changed like this"),
    registry.ExaminationStopped: OVERLOADED,
    registry.ExaminationStarved: OVERLOADED,
    registry.ExaminationFailed: INTERNAL,
    registry.BlobMissing: STORE_DAMAGED,
    registry.BlobDamaged: STORE_DAMAGED,
    registry.RegistryError: INTERNAL,
    **report_problems.ROWS,
    notices.CursorMalformed: INVALID_INPUT,
    PrivatePartMalformed: INTERNAL,
    RecordsUnavailable: AUDIT_UNAVAILABLE,
    erasures.ErasureNotFound: NOT_FOUND,
    erasures.SubjectUnknown: NOT_FOUND,
    erasures.ErasureConflict: Kind("erasure-conflict", 409, "Another erasure is scheduled"),
    erasures.EffectiveTimeRefused: INVALID_INPUT,
    holds.HoldNotFound: NOT_FOUND,
    holds.HoldTooLate: Kind("hold-too-late", 409, "The hold comes too late"),
    evaluations.EvaluationError: INTERNAL,
    evaluations.EvaluationNotFound: NOT_FOUND,
    evaluations.EvaluationKindUnknown: Kind("evaluation-kind-unknown", 422, "No worker does this evaluation"),
}

# Errors that concern one member of the request whatever it says.
_POINTERS: Mapping[type[Exception], str] = {
    **report_problems.POINTERS,
    registry.CatalogueUnfit: "/name",
    notices.CursorMalformed: "/cursor",
    erasures.EffectiveTimeRefused: "/effective_at",
    explain.TargetReached: "/counterfactuals/target",
    evaluations.EvaluationKindUnknown: "/kind",
}
_HTTP_KINDS = {404: NOT_FOUND, 405: METHOD_NOT_ALLOWED}


def kind_of(error: Exception) -> Kind:
    """The row of the nearest class in the table."""
    for ancestor in type(error).__mro__:
        kind = TABLE.get(ancestor)
        if kind is not None:
            return kind
    return INTERNAL


def problem_of(error: Exception) -> Problem:
    """The problem an error becomes; whatever nobody foresaw is a 500 that says nothing."""
    if isinstance(error, HTTPException):
        kind = _HTTP_KINDS.get(error.status_code, INVALID_INPUT if error.status_code < 500 else INTERNAL)
        return Problem(kind, kind.detail or kind.title + ".", headers=dict(error.headers or {}))
    if isinstance(error, RequestValidationError):
        flaws = tuple(Flaw(_parameter(found["loc"]), words_of(found)) for found in error.errors())
        return Problem(INVALID_INPUT, "A parameter of the address is not valid.", flaws)
    kind = kind_of(error)
    retry_after = getattr(error, "retry_after_seconds", None)
    members = getattr(error, "members", {})
    return Problem(kind, kind.detail or str(error), _flaws_of(error), retry_after, members=members)


# Where a document that was refused stands in what was sent.
_PARTS: Mapping[type[Exception], str] = {
    registry.ManifestInvalid: "/manifest",
    registry.ReferenceInvalid: "/reference",
    registry.ReferenceContradiction: "/manifest",
    registry.CatalogueInvalid: "",
}


def _flaws_of(error: Exception) -> tuple[Flaw, ...]:
    found: tuple[Flaw, ...] = ()
    match error:
        case service.InvalidInput() | InvalidJson():
            found = error.flaws
        case explain.InvalidFeatures():
            found = tuple(Flaw("/features" + fault.pointer, fault.detail) for fault in error.errors)
        case explain.InvalidNarrowing():
            found = tuple(Flaw("/counterfactuals" + fault.pointer, fault.detail) for fault in error.errors)
        case components.InvalidComponents():
            found = tuple(Flaw(fault.pointer, fault.detail) for fault in error.errors)
        case components.ComponentsContradict():
            found = (Flaw(error.pointer, error.detail),)
        case service.DecisionMismatch():
            found = (Flaw(error.pointer, str(error)),)
        case registers.ParameterRefused():
            found = (Flaw(_parameter(("query", error.parameter)), str(error)),)
        case (
            registry.ManifestInvalid()
            | registry.ReferenceInvalid()
            | registry.ReferenceContradiction()
            | registry.CatalogueInvalid()
        ):
            found = _pointed(_PARTS[type(error)], error.errors)
        case _ if type(error) in _POINTERS:
            found = (Flaw(_POINTERS[type(error)], str(error)),)
    return found


def _pointed(part: str, faults: tuple[PointedError, ...]) -> tuple[Flaw, ...]:
    """Faults inside one part of a multipart body: the part's name comes first."""
    return tuple(Flaw(part + fault.pointer, fault.detail) for fault in faults)


def _parameter(place: tuple[str | int, ...]) -> str:
    """A query or path parameter has no place in a document; it is named by itself."""
    return "/" + "/".join(escape(str(part)) for part in place[1:])


def document_of(problem: Problem, instance: str) -> dict[str, object]:
    """The problem document; `instance` names this occurrence."""
    body: dict[str, object] = {
        "type": problem.kind.type,
        "title": problem.kind.title,
        "status": problem.kind.status,
        "detail": problem.detail,
        "instance": instance,
        **problem.members,
    }
    if problem.flaws:
        shown = problem.flaws[:SHOWN_FLAWS]
        body["errors"] = [{"pointer": flaw.pointer, "detail": flaw.detail} for flaw in shown]
        if len(problem.flaws) > len(shown):
            body["detail"] = f"{len(problem.flaws)} faults, of which the first {len(shown)} are listed."
    return body


def render(problem: Problem, instance: str, headers: Mapping[str, str] | None = None) -> Response:
    """The problem document as a response; `instance` is the request id."""
    sent = {**problem.headers, **(headers or {})}
    retry_after = problem.retry_after_seconds or problem.kind.retry_after_seconds
    if retry_after is not None:
        sent["Retry-After"] = str(retry_after)
    if problem.kind.status == 401:
        sent["WWW-Authenticate"] = 'Bearer realm="ofrecord"'
    content = orjson.dumps(document_of(problem, instance))
    return Response(content, problem.kind.status, sent, MEDIA_TYPE)
