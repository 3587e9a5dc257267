"""One decision, explained and put on record: commit first, then answer."""

from __future__ import annotations

import time
from concurrent.futures import Future
from dataclasses import dataclass

from pydantic import Field

from audit.entry import Appended, Draft
from audit.errors import Conflict
from explain.deadline import Deadline
from explain.errors import AttributionUnreconciled, ReasonUnmapped
from records.private import build_private
from records.private_parts import PrivatePart
from records.tokens import Principal
from schemas.base import JsonScalar, Wire, format_moment
from schemas.explanation import ExplanationRequest, InputName
from service.bodies import validated
from service.committing import commit, outcome
from service.context import Services
from service.errors import CounterfactualUnavailable, DecisionConflict, DecisionMismatch
from service.finding import Durations, Finding, Question, find
from service.fingerprint import idempotency_of
from service.incidents import ExplanationWithheld, count_incident, incident, retention_of, subject_of
from service.recalling import EXPLANATION, Recalled, recall
from service.record import JsonObject, answer, clear_body, private_part
from service.strict_json import JsonValue

# A stalled disk may make an answer late; longer than this it is no answer any more.
PATIENCE_SECONDS = 2.0
# Kept back from the search, so that the commit falls inside the budget: measured commits take 2 to 5 ms.
RESERVE_SHARE = 0.2
LARGEST_RESERVE_MS = 25.0


class ProtectedAttributes(Wire):
    """The one member that is taken out before anything else looks at a request."""

    protected: dict[InputName, JsonScalar] = Field(
        default_factory=dict, max_length=100, description="attributes that are never inputs, by name"
    )


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer that is on record, and the milliseconds of the call that made it; None if it was there."""

    body: JsonObject
    timings_ms: dict[str, float] | None


@dataclass(frozen=True, slots=True)
class _Prepared:
    finding: Finding
    part: PrivatePart
    draft: Draft
    submitted: float
    committed: Future[Appended]


def question_of(model: str, document: dict[str, JsonValue]) -> Question:
    """Splits the protected attributes off, then checks the rest; of the former only the names go on."""
    rest = {name: value for name, value in document.items() if name != "protected"}
    protected: tuple[str, ...] = ()
    if "protected" in document:
        given = validated({"protected": document["protected"]}, ProtectedAttributes)
        protected = tuple(given.protected)
    return Question(model, validated(rest, ExplanationRequest), protected)


async def explain(services: Services, question: Question, principal: Principal, started: float) -> Answered:
    """Explains one decision, or returns its first answer.

    `started` is when the request arrived, on the monotonic clock: the budget counts from there. Whatever may
    not leave raises, after its incident is committed.
    """
    deadline = Deadline(question.request.budget_ms, started)
    try:
        prepared = await services.hot.run(_prepare, services, question, principal.name, deadline)
    except ExplanationWithheld as withheld:
        await commit(services.committer, withheld.incident, PATIENCE_SECONDS)
        count_incident(withheld)
        raise withheld.cause from None
    if isinstance(prepared, Recalled):
        return Answered(_first_answer(prepared, question), None)
    appended = await outcome(prepared.committed, deadline.remaining_seconds() + PATIENCE_SECONDS)
    if appended.duplicate:  # an identical request was faster
        first = await services.desk.run(recall, services, appended.entry_id)
        return Answered(_first_answer(first, question), None)
    return _answered(services, prepared, appended, deadline)


def _prepare(services: Services, question: Question, actor: str, deadline: Deadline) -> _Prepared | Recalled:
    """Everything between the request and the commit, in one thread."""
    idempotency = idempotency_of(question.model, question.request)
    first = services.log.find_duplicate(idempotency)
    if isinstance(first, Conflict):
        raise first
    if first is not None:
        return recall(services, first.entry_id)
    loaded = services.versions.get(question.model, question.request.version)
    reserve_ms = min(LARGEST_RESERVE_MS, RESERVE_SHARE * question.request.budget_ms)
    try:
        finding = find(loaded, question, deadline.keeping(reserve_ms))
    except (AttributionUnreconciled, ReasonUnmapped, DecisionMismatch, CounterfactualUnavailable) as cause:
        raise ExplanationWithheld(cause, incident(loaded, question, actor, cause)) from None
    part = private_part(finding)
    draft = Draft(
        type=EXPLANATION,
        actor=actor,
        body=clear_body(finding),
        private=build_private(part),
        subject=subject_of(question),
        retention_class=retention_of(loaded),
        idempotency=idempotency,
    )
    return _Prepared(finding, part, draft, time.monotonic(), services.committer.submit(draft))


def _answered(services: Services, prepared: _Prepared, appended: Appended, deadline: Deadline) -> Answered:
    body = answer(prepared.part, prepared.draft.body, str(appended.entry_id))
    now = time.monotonic()
    timings = _timings(prepared.finding.durations, now - prepared.submitted, now - deadline.started)
    body["timings_ms"] = timings
    body["receipt"] = services.receipt(appended).to_json()
    body["late"] = deadline.expired
    body["created_at"] = format_moment(appended.time)
    return Answered(body, timings)


def _timings(durations: Durations, audit_seconds: float, total_seconds: float) -> dict[str, float]:
    return {
        "attribution": round(durations.attribution, 3),
        "reasons": round(durations.reasons, 3),
        "counterfactuals": round(durations.counterfactuals, 3),
        "audit": round(1e3 * audit_seconds, 3),
        "total": round(1e3 * total_seconds, 3),
    }


def _first_answer(first: Recalled, question: Question) -> JsonObject:
    """The answer on record, unless this request asks for another version than the one that gave it."""
    asked = question.request.version
    if asked is not None and asked != first.body["version"]:
        raise DecisionConflict("This decision is on record as decided by another version.")
    return first.body
