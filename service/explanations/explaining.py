"""One decision, explained and put on record: commit first, then answer."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass

from pydantic import Field

from audit.entry import Appended, Draft, Idempotency
from audit.errors import Conflict
from explain.components import ComponentsContradict
from explain.deadline import Deadline
from explain.errors import AttributionUnreconciled, ReasonUnmapped
from records.private import build_private
from records.private_parts import PrivatePart
from records.tokens import Principal
from registry.loading import LoadedVersion
from runtime.metrics import STAGE_SECONDS
from schemas.base import JsonScalar, Wire, format_moment
from schemas.explanation import ExplanationRequest, InputName
from service.bodies import validated
from service.committing import commit, outcome
from service.context import Services
from service.errors import CounterfactualUnavailable, DecisionConflict, DecisionMismatch
from service.explanations.agreeing import check_times
from service.explanations.escalating import escalate
from service.explanations.finding import Durations, Finding, Question, find
from service.explanations.fingerprint import idempotency_of
from service.explanations.incidents import (
    ExplanationWithheld,
    count_incident,
    incident,
    retention_of,
    subject_of,
)
from service.explanations.owing import notice_of
from service.explanations.recalling import EXPLANATION, Recalled, recall
from service.explanations.record import JsonObject, answer, clear_body, private_part
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
class Prepared:
    """An explanation on its way to the record; `ended` holds when its commits ended, once they have."""

    finding: Finding
    part: PrivatePart
    draft: Draft
    deadline: Deadline
    submitted: float
    committed: Future[Appended]
    ended: list[float]


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
        await record_incident(services, withheld)
        raise withheld.cause from None
    if isinstance(prepared, Recalled):
        return first_answer(prepared, question)
    appended = await committed(services, prepared)
    if appended.duplicate:  # an identical request was faster
        return first_answer(await services.desk.run(recall, services, appended.entry_id), question)
    return answered(services, prepared, appended)


async def committed(services: Services, prepared: Prepared) -> Appended:
    """Waits for the record, a little longer than the budget lasts; raises `StillCommitting`.

    Where a notice stops at one of the reasons, that is on record too when this returns.
    """
    patience = prepared.deadline.remaining_seconds() + PATIENCE_SECONDS
    appended = await outcome(prepared.committed, patience)
    if not appended.duplicate and await escalate(
        services, prepared.draft, prepared.part, appended.entry_id, PATIENCE_SECONDS
    ):
        prepared.ended.append(time.monotonic())
    return appended


async def record_incident(services: Services, withheld: ExplanationWithheld) -> None:
    """Puts on record that an explanation may not leave, before its caller is told."""
    await commit(services.committer, withheld.incident, PATIENCE_SECONDS)
    count_incident(withheld)


def _prepare(services: Services, question: Question, actor: str, deadline: Deadline) -> Prepared | Recalled:
    """Everything between the request and the commit, in one thread."""
    idempotency = idempotency_of(question.model, question.request)
    first = recorded(services, idempotency)
    if first is not None:
        return first
    check_times(question.request, services.clock.now())
    loaded = services.versions.get(question.model, question.request.version)
    with withholding(loaded, question, actor):
        finding = find(loaded, question, searching(deadline))
    return submit(services, finding, idempotency, actor, deadline)


def recorded(services: Services, idempotency: Idempotency) -> Recalled | None:
    """The answer that is on record already; raises `Conflict` where it is one to another question."""
    first = services.log.find_duplicate(idempotency)
    if isinstance(first, Conflict):
        raise first
    return None if first is None else recall(services, first.entry_id)


def searching(deadline: Deadline) -> Deadline:
    """The part of a budget after which nothing is searched any more: the commit takes the rest."""
    return deadline.keeping(min(LARGEST_RESERVE_MS, RESERVE_SHARE * deadline.budget_ms))


@contextmanager
def withholding(loaded: LoadedVersion, question: Question, actor: str) -> Iterator[None]:
    """Makes what may not leave an incident that is still to be put on record."""
    try:
        yield
    except (
        AttributionUnreconciled,
        ReasonUnmapped,
        DecisionMismatch,
        ComponentsContradict,
        CounterfactualUnavailable,
    ) as cause:
        raise ExplanationWithheld(cause, incident(loaded, question, actor, cause)) from None


def submit(
    services: Services, finding: Finding, idempotency: Idempotency, actor: str, deadline: Deadline
) -> Prepared:
    """Hands the entry over; nothing has left yet."""
    now = services.clock.now()
    notice = notice_of(finding, now)
    part = private_part(finding, notice)
    draft = Draft(
        type=EXPLANATION,
        actor=actor,
        body=clear_body(finding, notice),
        private=build_private(part),
        subject=subject_of(finding.question),
        retention_class=retention_of(finding.loaded),
        idempotency=idempotency,
    )
    submitted, ended = time.monotonic(), list[float]()
    handed_over = services.committer.submit(draft, now)
    handed_over.add_done_callback(lambda _: ended.append(time.monotonic()))
    return Prepared(finding, part, draft, deadline, submitted, handed_over, ended)


def answered(services: Services, prepared: Prepared, appended: Appended) -> Answered:
    """The answer, now that its entry is committed."""
    body = answer(prepared.part, prepared.draft.body, str(appended.entry_id))
    deadline, ended = prepared.deadline, prepared.ended[-1]
    timings = _timings(prepared.finding.durations, ended - prepared.submitted, ended - deadline.started)
    body["timings_ms"] = timings
    body["receipt"] = services.receipt(appended).to_json()
    body["late"] = 1e3 * (ended - deadline.started) >= deadline.budget_ms
    body["created_at"] = format_moment(appended.time)
    return Answered(body, timings)


def observe_stages(made: Answered) -> None:
    """Tells the operator's numbers where the time of a new explanation went."""
    for stage, milliseconds in (made.timings_ms or {}).items():
        STAGE_SECONDS.labels(stage=stage).observe(milliseconds / 1e3)


def _timings(durations: Durations, audit_seconds: float, total_seconds: float) -> dict[str, float]:
    return {
        "attribution": round(durations.attribution, 3),
        "reasons": round(durations.reasons, 3),
        "counterfactuals": round(durations.counterfactuals, 3),
        "audit": round(1e3 * audit_seconds, 3),
        "total": round(1e3 * total_seconds, 3),
    }


def first_answer(first: Recalled, question: Question) -> Answered:
    """The answer on record, unless this request asks for another version than the one that gave it."""
    asked = question.request.version
    if asked is not None and asked != first.body["version"]:
        raise DecisionConflict("This decision is on record as decided by another version.")
    return Answered(first.body, None)
