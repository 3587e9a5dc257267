"""What happened to a notice outside, put on record: it was sent, the applicant answered.

What may follow what is decided by everything committed, not by the table of notices, which runs behind.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from audit.canonical import JsonValue, canonical
from audit.entry import Appended, Draft, Idempotency
from audit.errors import Conflict
from records.lifecycle import RESPONSE, SENT, Answer, NoticeState, Sending
from records.notices import ListState, NoticeRow, count_overdue, list_notices, state_of
from records.projecting import behind
from records.reaching import transaction
from records.tokens import Principal
from reports.letters.errors import LetterBlocked, LetterNotDue
from runtime.metrics import NOTICES_BEHIND_ENTRIES, NOTICES_BEHIND_SECONDS, NOTICES_OVERDUE
from schemas.base import format_moment
from schemas.notice import NoticeResponse, NoticeSent
from service.committing import PATIENCE_SECONDS, commit
from service.context import Services
from service.errors import InvalidInput, NoticeConflict, NoticeStepRefused
from service.explanations.agreeing import SKEW
from service.explanations.record import JsonObject
from service.letters.sources import Decrypted, decrypt
from service.strict_json import Flaw


@dataclass(frozen=True, slots=True)
class _Step:
    """A step to be recorded, and the state that it leads to."""

    draft: Draft
    state: NoticeState
    at: datetime


@dataclass(frozen=True, slots=True)
class _Told:
    """What an entry is and says beside its content; `once` is what it may be recorded for only once."""

    type: str
    once: str
    beside: Mapping[str, JsonValue]


async def record_sent(
    services: Services, explanation_id: UUID, sent: NoticeSent, principal: Principal
) -> JsonObject:
    """Appends `notice.sent`; the same again returns the first, other content raises `NoticeConflict`."""
    step = await services.desk.run(_sent, services, explanation_id, sent, principal.name)
    return await _recorded(services, step)


async def record_response(
    services: Services, explanation_id: UUID, response: NoticeResponse, principal: Principal
) -> JsonObject:
    """Appends `notice.response`; the same again returns the first, other content raises `NoticeConflict`."""
    step = await services.desk.run(_response, services, explanation_id, response, principal.name)
    return await _recorded(services, step)


def listed(
    services: Services, state: ListState | None, model: str | None, cursor: str | None, limit: int
) -> JsonObject:
    """One page of notices by the service's clock; raises `CursorMalformed`."""
    now = services.clock.now()
    with transaction(services.pool) as conn:
        page = list_notices(conn, now, state=state, model=model, cursor=cursor, limit=limit)
    as_of = page.as_of
    return {
        "notices": [_item(row, now) for row in page.rows],
        "next_cursor": page.next_cursor,
        "as_of": {"entries": as_of.entries, "tree_size": as_of.tree_size, "at": _moment(as_of.at)},
    }


def measure(services: Services) -> None:
    """Counts what is overdue, and what the table of notices has not read yet."""
    now = services.clock.now()
    with transaction(services.pool) as conn:
        entries, oldest = behind(conn)
        NOTICES_OVERDUE.set(count_overdue(conn, now))
    NOTICES_BEHIND_ENTRIES.set(entries)
    NOTICES_BEHIND_SECONDS.set(0.0 if oldest is None else max((now - oldest).total_seconds(), 0.0))


async def _recorded(services: Services, step: _Step) -> JsonObject:
    try:
        appended: Appended = await commit(services.committer, step.draft, PATIENCE_SECONDS)
    except Conflict:
        raise NoticeConflict from None
    return {
        "explanation_id": str(step.state.explanation_id),
        "entry_type": step.draft.type,
        "at": format_moment(step.at),
        "running": [{"clock": clock.name, "due_at": _moment(clock.due_at)} for clock in step.state.running],
        "receipt": services.receipt(appended).to_json(),
    }


def _sent(services: Services, explanation_id: UUID, sent: NoticeSent, actor: str) -> _Step:
    found, state = _owed(services, explanation_id)
    if state.blocked and sent.template != "other":  # our letter of it does not exist; the clock runs on
        notice = found.part.get("notice")
        raise LetterBlocked(() if notice is None else notice["blocked"])
    first = state.sending("decision")
    earlier = found.decided_at if sent.answers == "decision" or first is None else first.sent_at
    _check_time(services, "/sent_at", sent.sent_at, earlier)
    known = state.sending(sent.answers)
    answered = {"decision": state.clock.name}.get(sent.answers, sent.answers)
    if known is None and answered not in [clock.name for clock in state.unanswered]:
        raise NoticeStepRefused(f"No clock {sent.answers} runs for this notice.")
    sending = Sending(sent.answers, sent.sent_at, sent.channel, sent.template)
    content: dict[str, JsonValue] = {
        "answers": sent.answers,
        "sent_at": format_moment(sent.sent_at),
        "channel": sent.channel,
        "template": sent.template,
    }
    due = next((clock.due_at for clock in state.started if clock.name == answered), None)
    # The retention period of 12 CFR 1002.12(b) counts from the notification, which is known only now.
    retention: dict[str, JsonValue] = {
        "class": found.entry.retention_class,
        "starts_at": content["sent_at"],
    }
    told = {"clock": answered, "due_at": _moment(due), "retention": retention}
    draft = _draft(found, actor, content, _Told(SENT, sent.answers, told))
    others = [one for one in state.sendings if one.answers != sent.answers]
    return _Step(draft, replace(state, sendings=(*others, known or sending)), sent.sent_at)


def _response(services: Services, explanation_id: UUID, response: NoticeResponse, actor: str) -> _Step:
    found, state = _owed(services, explanation_id)
    first = state.sending("decision")
    if first is None:
        raise NoticeStepRefused("No notice of this decision is on record as sent.")
    if response.response == "counteroffer_accepted" and state.action != "counteroffer":
        raise NoticeStepRefused("No counteroffer was made.")
    _check_time(services, "/at", response.at, first.sent_at)
    content: dict[str, JsonValue] = {"response": response.response, "at": format_moment(response.at)}
    draft = _draft(found, actor, content, _Told(RESPONSE, response.response, {}))
    others = [one for one in state.answers if one.response != response.response]
    answer = state.answered(response.response) or Answer(response.response, response.at)
    return _Step(draft, replace(state, answers=(*others, answer)), response.at)


def _owed(services: Services, explanation_id: UUID) -> tuple[Decrypted, NoticeState]:
    """The explanation and where its notice stands; raises `LetterNotDue` where none is owed."""
    found = decrypt(services, explanation_id)
    with transaction(services.pool) as conn:
        state = state_of(conn, explanation_id)
    if state is None:
        raise LetterNotDue("no notice is owed for this decision")
    return found, state


def _check_time(services: Services, pointer: str, at: datetime, earliest: datetime) -> None:
    if at > services.clock.now() + SKEW:
        raise InvalidInput((Flaw(pointer, "must not be in the future"),))
    if at < earliest:
        what = "the decision" if pointer == "/sent_at" else "the notice"
        raise InvalidInput((Flaw(pointer, f"must not be before {what}"),))


def _draft(found: Decrypted, actor: str, content: Mapping[str, JsonValue], told: _Told) -> Draft:
    """The entry: the content, which makes a repetition the same, and what follows from the record."""
    entry = found.entry
    key = canonical([f"{told.type}/v1", str(entry.entry_id), told.once])
    body = {
        "explanation_id": str(entry.entry_id),
        "model": entry.body["model"],
        "version": entry.body["version"],
        **content,
        **told.beside,
    }
    return Draft(
        type=told.type,
        actor=actor,
        body=body,
        retention_class=entry.retention_class,
        about=entry.entry_id,
        idempotency=Idempotency(key, canonical(dict(content))),
    )


def _item(row: NoticeRow, now: datetime) -> JsonObject:
    return {
        "explanation_id": str(row.explanation_id),
        "model": row.model,
        "version": row.version,
        "action": row.action,
        "recorded_at": format_moment(row.recorded_at),
        "clock": row.clock,
        "due_at": _moment(row.due_at),
        "blocked": row.blocked,
        "first_rendered_at": _moment(row.first_rendered_at),
        "sent_at": _moment(row.sent_at),
        "channel": row.channel,
        "template": row.template,
        "late": row.sent_at is not None and row.due_at is not None and row.sent_at > row.due_at,
        "response": row.response,
        "response_at": _moment(row.response_at),
        "next_clock": row.next_clock,
        "next_due_at": _moment(row.next_due_at),
        "overdue": row.next_due_at is not None and row.next_due_at < now,
        "closed_at": _moment(row.closed_at),
        "overridden": _overridden(row),
    }


def _overridden(row: NoticeRow) -> JsonObject | None:
    if row.overridden_by is None:
        return None
    return {
        "outcome": row.overridden_to,
        "entry_id": str(row.overridden_by),
        "kind": row.overridden_kind,
        "at": _moment(row.overridden_at),
        "superseded_by": None if row.superseded_by is None else str(row.superseded_by),
        "since": _moment(row.overridden_since),
    }


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else format_moment(moment)
