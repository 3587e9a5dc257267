"""An explanation on its way to the record, and the answer once it is there: commit first, then answer."""

from __future__ import annotations

import time
from concurrent.futures import Future
from dataclasses import dataclass

from audit.entry import Appended, Draft, Idempotency
from explain.deadline import Deadline
from records.private import build_private
from records.private_parts import PrivatePart
from runtime.metrics import COUNTERFACTUALS, STAGE_SECONDS
from schemas.base import format_moment
from service.committing import PATIENCE_SECONDS, outcome
from service.context import Services
from service.explanations.deferring import keep, promised
from service.explanations.escalating import escalate
from service.explanations.finding import Finding
from service.explanations.incidents import retention_of, subject_of
from service.explanations.owing import notice_of
from service.explanations.recalling import EXPLANATION
from service.explanations.record import JsonObject, answer, clear_body, private_part
from service.explanations.searching import Recourse


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer that is on record, and the milliseconds of the call that made it; None if it was there.

    `searched` is when its search was over, on the monotonic clock.
    """

    body: JsonObject
    timings_ms: dict[str, float] | None
    searched: float = 0.0


@dataclass(frozen=True, slots=True)
class Prepared:
    """An explanation on its way to the record.

    `searched` is when its search was over, on the monotonic clock; `ended` holds when its commits ended, once
    they have.
    """

    finding: Finding
    recourse: Recourse
    part: PrivatePart
    draft: Draft
    deadline: Deadline
    searched: float
    submitted: float
    committed: Future[Appended]
    ended: list[float]


def submit(
    services: Services,
    finding: Finding,
    recourse: Recourse,
    idempotency: Idempotency,
    *,
    actor: str,
    deadline: Deadline,
    searched: float,
) -> Prepared:
    """Hands the entry over; nothing has left yet."""
    now = services.clock.now()
    notice = notice_of(finding, now)
    part = private_part(finding, recourse, notice)
    draft = Draft(
        type=EXPLANATION,
        actor=actor,
        body=clear_body(finding, recourse, notice),
        private=build_private(part),
        subject=subject_of(finding.question),
        retention_class=retention_of(finding.loaded),
        idempotency=idempotency,
    )
    submitted, ended = time.monotonic(), list[float]()
    handed_over = services.committer.submit(draft, now)
    handed_over.add_done_callback(lambda _: ended.append(time.monotonic()))
    return Prepared(finding, recourse, part, draft, deadline, searched, submitted, handed_over, ended)


async def committed(services: Services, prepared: Prepared) -> Appended:
    """Waits for the record, a little longer than the budget lasts; raises `StillCommitting`.

    Where a notice stops at one of the reasons, that is on record too when this returns.
    """
    patience = prepared.deadline.remaining_seconds() + PATIENCE_SECONDS
    appended = await outcome(prepared.committed, patience)
    if appended.duplicate:
        return appended
    if await escalate(services, prepared.draft, prepared.part, appended.entry_id, PATIENCE_SECONDS):
        prepared.ended.append(time.monotonic())
    return appended


async def follow(services: Services, prepared: Prepared, appended: Appended) -> None:
    """What a new entry has promised is there when this returns, if that is not too late for the answer."""
    promise = promised(prepared.draft, appended.entry_id, appended.time)
    if promise is not None and await keep(services, promise, prepared.deadline):
        prepared.ended.append(time.monotonic())


def answered(services: Services, prepared: Prepared, appended: Appended) -> Answered:
    """The answer, now that its entry is committed."""
    COUNTERFACTUALS.labels(status=prepared.recourse.found.status).inc()
    body = answer(prepared.part, prepared.draft.body, str(appended.entry_id))
    timings = _timings(prepared)
    body["timings_ms"] = timings
    body["receipt"] = services.receipt(appended).to_json()
    body["late"] = timings["total"] >= prepared.deadline.budget_ms
    body["created_at"] = format_moment(appended.time)
    return Answered(body, timings, prepared.searched)


async def left(services: Services, made: Answered) -> None:
    """Remembers what it took from the end of a search until its answer was sent, for the searches to come."""
    services.reserve.observe(time.monotonic() - made.searched)


def observe_stages(made: Answered) -> None:
    """Tells the operator's numbers where the time of a new explanation went."""
    for stage, milliseconds in (made.timings_ms or {}).items():
        STAGE_SECONDS.labels(stage=stage).observe(milliseconds / 1e3)


def _timings(prepared: Prepared) -> dict[str, float]:
    """Milliseconds of each stage; the record's last word counts, be it an incident's or a promise's."""
    finding, ended = prepared.finding, prepared.ended[-1]
    return {
        "attribution": round(finding.attribution_ms, 3),
        "reasons": round(finding.reasons_ms, 3),
        "counterfactuals": round(prepared.recourse.milliseconds, 3),
        "audit": round(1e3 * (ended - prepared.submitted), 3),
        "total": round(1e3 * (ended - prepared.deadline.started), 3),
    }
