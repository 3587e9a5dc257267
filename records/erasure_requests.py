"""Erasures as they are asked for: checked against periods and holds, put on record, refused or scheduled."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from audit.canonical import JsonValue, canonical
from audit.entry import Draft, format_time
from audit.keys import KeyStore
from audit.log import AuditLog
from audit.retention import add_months
from records.custody import take_turn
from records.erasures import (
    EffectiveTimeRefused,
    Erasure,
    ErasureConflict,
    Obstacle,
    SubjectUnknown,
    find_erasure,
    obstacle,
    read_erasure,
    told,
)
from records.queries import queries
from runtime.ids import uuid7
from runtime.postgres import Connection

REQUESTED = "erasure.requested"
REFUSED = "erasure.refused"
HORIZON_YEARS = 30
"""A time further away than this, ahead or past, is taken for a slip: no period is near as long."""

_FORM = "erasure/v1"
_SUBJECT_FORM = "erasure-subject/v1"


@dataclass(frozen=True, slots=True)
class Asked:
    """One request; `subject` is the name of a key and goes nowhere but into keyed HMACs.

    Without `effective_at`, or once that has passed, it is meant at once; past times say no more than that.
    """

    subject: str
    effective_at: datetime | None
    basis: str | None
    asked_by: str

    def content(self) -> bytes:
        """What makes two requests the same."""
        at = None if self.effective_at is None else format_time(self.effective_at)
        return canonical([_FORM, self.subject, at, self.basis])

    def whom(self) -> bytes:
        """What tells whose erasure it was, when nothing else does any more."""
        return canonical([_SUBJECT_FORM, self.subject])


def request_erasure(
    conn: Connection, log: AuditLog, keystore: KeyStore, asked: Asked, now: datetime
) -> Erasure:
    """Put a request on record with its answer, in the caller's transaction; the same again is answered alike.

    One that is scheduled is brought forward by a request for an earlier time, until it has begun; to any
    other request it is the answer. The answer may be a refusal, which leaves what is scheduled as it is.
    Raises EffectiveTimeRefused or SubjectUnknown with nothing written, and ErasureConflict.
    """
    _refuse_far_away(asked.effective_at, now)
    take_turn(conn)
    request_key, whose_key = (keystore.conceal_request(told) for told in (asked.content(), asked.whom()))
    subject_key_id = keystore.find_subject(asked.subject)
    if subject_key_id is None:
        repeated = find_erasure(conn, "repeated", {"request_keys": [whose_key, request_key]})
        if repeated is None:
            raise SubjectUnknown
        return repeated
    known = find_erasure(conn, "of_subject", {"subject_key_id": subject_key_id})
    effective_at = max(asked.effective_at or now, now)
    if known is not None and _is_the_answer(log, known, asked, effective_at):
        return known
    key_ids = keystore.keys_of_subject(subject_key_id)
    found = obstacle(conn, subject_key_id, key_ids, effective_at)
    wanted = _Wanted(subject_key_id, request_key if found else whose_key, effective_at, found)
    if found is not None:
        last = find_erasure(conn, "last_refusal", {"subject_key_id": subject_key_id})
        if last is not None and wanted.is_told_by(last):
            return last
    if found is not None or known is None:
        return _recorded(conn, log, asked, wanted, now)
    return _brought_forward(conn, log, asked, (known, wanted), now)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A request with its answer; the key is of its content in a refusal, and else of the subject."""

    subject_key_id: UUID
    request_key: bytes
    effective_at: datetime
    obstacle: Obstacle | None

    def is_told_by(self, last: Erasure) -> bool:
        """Whether a refusal says the same about the same request."""
        found = self.obstacle
        return found is not None and (
            self.request_key,
            found.ground,
            found.retained_until,
            found.hold_ids,
        ) == (last.request_key, last.ground, last.retained_until, last.hold_ids)


def _is_the_answer(log: AuditLog, known: Erasure, asked: Asked, effective_at: datetime) -> bool:
    """Whether what is scheduled is no later than what is asked for, or has begun.

    A basis that is said and that no request for it has said would be on record nowhere: ErasureConflict.
    """
    if known.started_at is None and effective_at < known.effective_at:
        return False
    if asked.basis not in (None, known.basis) and asked.basis not in _bases(log, known):
        raise ErasureConflict
    return True


def _bases(log: AuditLog, known: Erasure) -> set[JsonValue]:
    """What was said, in every request for it."""
    bases: set[JsonValue] = set()
    entry_id: str | None = str(known.requested_entry_id)
    while entry_id is not None:
        body = log.read(UUID(entry_id)).entry.body
        bases.add(body.get("basis"))
        former = body.get("supersedes")
        entry_id = former if isinstance(former, str) else None
    return bases


def _refuse_far_away(moment: datetime | None, now: datetime) -> None:
    months = 12 * HORIZON_YEARS
    if moment is not None and not add_months(now, -months) <= moment <= add_months(now, months):
        raise EffectiveTimeRefused


def _recorded(conn: Connection, log: AuditLog, asked: Asked, wanted: _Wanted, now: datetime) -> Erasure:
    """The entry, and the row that follows from it."""
    erasure_id, found = uuid7(now), wanted.obstacle
    body: dict[str, JsonValue] = {"erasure_id": str(erasure_id), "subject_key_id": str(wanted.subject_key_id)}
    if found is None:
        kind = REQUESTED
        body |= {"effective_at": format_time(wanted.effective_at), "basis": asked.basis}
    else:
        kind = REFUSED
        body |= told(found)
    entry_id = log.append_one(Draft(type=kind, actor=asked.asked_by, body=body), now, conn).entry_id
    values = {
        "erasure_id": erasure_id,
        "subject_key_id": wanted.subject_key_id,
        "request_key": wanted.request_key,
        "basis": asked.basis,
        "at": now,
        "by": asked.asked_by,
        "entry_id": entry_id,
        "effective_at": wanted.effective_at,
        "ground": None if found is None else found.ground,
        "retained_until": None if found is None else found.retained_until,
        "hold_ids": [] if found is None else found.hold_ids,
    }
    conn.execute(queries("erasures")["request"], values)
    return read_erasure(conn, erasure_id)


def _brought_forward(
    conn: Connection, log: AuditLog, asked: Asked, both: tuple[Erasure, _Wanted], now: datetime
) -> Erasure:
    """One more entry of the same erasure, which supersedes the last, and the row with its time.

    A basis that is not said again stays what it was.
    """
    known, wanted = both
    basis = asked.basis or known.basis
    body: dict[str, JsonValue] = {
        "erasure_id": str(known.erasure_id),
        "subject_key_id": str(known.subject_key_id),
        "effective_at": format_time(wanted.effective_at),
        "basis": basis,
        "supersedes": str(known.requested_entry_id),
    }
    draft = Draft(type=REQUESTED, actor=asked.asked_by, body=body, about=known.requested_entry_id)
    values = {
        "erasure_id": known.erasure_id,
        "request_key": wanted.request_key,
        "basis": basis,
        "entry_id": log.append_one(draft, now, conn).entry_id,
        "effective_at": wanted.effective_at,
    }
    conn.execute(queries("erasures")["bring_forward"], values)
    return read_erasure(conn, known.erasure_id)
