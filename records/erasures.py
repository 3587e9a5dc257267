"""Erasures as they are asked for: checked against periods and holds, put on record, refused or scheduled.

ErasureError
├── ErasureNotFound    no erasure has this id
├── SubjectUnknown     nothing is on record under this name
└── ErasureConflict    another erasure of this subject is scheduled

What a custodian then does is in `records.executions`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from psycopg.rows import class_row

from audit.canonical import JsonValue, canonical
from audit.entry import Draft, format_time
from audit.keys import KeyStore
from audit.log import AuditLog
from records.custody import take_turn
from records.holds import holds_over_subject
from records.periods import Retained, retained_beyond
from records.queries import queries
from runtime.ids import uuid7
from runtime.postgres import Connection

REQUESTED = "erasure.requested"
REFUSED = "erasure.refused"
_FORM = "erasure/v1"

Ground = Literal["retention", "hold"]
State = Literal["scheduled", "held", "completed", "refused"]


class ErasureError(Exception):
    """The erasure cannot be asked for or found."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__)


class ErasureNotFound(ErasureError):
    """No erasure has this id."""


class SubjectUnknown(ErasureError):
    """Nothing is on record under this name."""


class ErasureConflict(ErasureError):
    """Another erasure of this subject is scheduled, for another time or on another basis."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request; `subject` is the name of a key and goes nowhere but into keyed HMACs.

    Without `effective_at`, or once that has passed, it is meant at once.
    """

    subject: str
    effective_at: datetime | None
    basis: str | None
    asked_by: str

    def content(self) -> bytes:
        """What makes two requests the same."""
        at = None if self.effective_at is None else format_time(self.effective_at)
        return canonical([_FORM, self.subject, at, self.basis])


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """One erasure as its row has it; a subject is known by the id of its key alone.

    `ground` says why it was refused or why it waits; `entries`, `indexes` and `evaluations` count what was
    taken away.
    """

    erasure_id: UUID
    subject_key_id: UUID
    request_key: bytes | None
    basis: str | None
    requested_at: datetime
    requested_by: str
    requested_entry_id: UUID
    effective_at: datetime
    refused: bool
    ground: Ground | None
    retained_until: datetime | None
    hold_ids: list[UUID]
    held_at: datetime | None
    started_at: datetime | None
    unwritten: list[UUID]
    destroyed_at: datetime | None
    forgotten_at: datetime | None
    entries: int | None
    indexes: int | None
    evaluations: int | None
    completed_at: datetime | None
    completed_entry_id: UUID | None

    @property
    def state(self) -> State:
        """How far it is."""
        if self.refused:
            return "refused"
        if self.completed_at is not None:
            return "completed"
        return "scheduled" if self.held_at is None else "held"


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why an erasure may not be now: what must be kept, and what is held."""

    retained: Retained | None
    hold_ids: list[UUID]

    @property
    def ground(self) -> Ground:
        """A hold where there is one: it has no end that could be waited for."""
        return "hold" if self.hold_ids else "retention"

    @property
    def retained_until(self) -> datetime | None:
        """The end of the longest period; None where it has none yet, or nothing must be kept."""
        return None if self.retained is None else self.retained.until


def request_erasure(
    conn: Connection, log: AuditLog, keystore: KeyStore, asked: Asked, now: datetime
) -> Erasure:
    """Put a request on record with its answer, in the caller's transaction; the same again is answered alike.

    The answer may be a refusal. Raises SubjectUnknown with nothing written, and ErasureConflict.
    """
    take_turn(conn)
    request_key = keystore.conceal_request(asked.content())
    subject_key_id = keystore.find_subject(asked.subject)
    if subject_key_id is None:
        repeated = _one(conn, "repeated", {"request_key": request_key})
        if repeated is None:
            raise SubjectUnknown
        return repeated
    known = _one(conn, "of_subject", {"subject_key_id": subject_key_id})
    if known is not None:
        if known.request_key != request_key:
            raise ErasureConflict
        return known
    effective_at = max(asked.effective_at or now, now)
    key_ids = keystore.keys_of_subject(subject_key_id)
    found = obstacle(conn, subject_key_id, key_ids, effective_at)
    if found is not None:
        last = _one(conn, "last_refusal", {"subject_key_id": subject_key_id})
        told = (request_key, found.ground, found.retained_until, found.hold_ids)
        if last is not None and told == (
            last.request_key,
            last.ground,
            last.retained_until,
            last.hold_ids,
        ):
            return last
    return _recorded(conn, log, asked, (subject_key_id, request_key, effective_at, found), now)


def obstacle(conn: Connection, subject_key_id: UUID, key_ids: list[UUID], at: datetime) -> Obstacle | None:
    """What stands in the way of erasing a subject at this moment; None where nothing does."""
    retained = retained_beyond(conn, key_ids, at)
    holds = holds_over_subject(conn, subject_key_id, key_ids)
    return Obstacle(retained, holds) if retained is not None or holds else None


def read_erasure(conn: Connection, erasure_id: UUID) -> Erasure:
    """Read one erasure; ErasureNotFound where there is none."""
    found = _one(conn, "read", {"erasure_id": erasure_id})
    if found is None:
        raise ErasureNotFound
    return found


def list_erasures(conn: Connection, *, since: datetime, until: datetime) -> list[Erasure]:
    """Erasures requested before `until` that were not over before `since`, oldest first; refusals of then."""
    with conn.cursor(row_factory=class_row(Erasure)) as cursor:
        return cursor.execute(queries("erasures")["between"], {"since": since, "until": until}).fetchall()


def _recorded(
    conn: Connection,
    log: AuditLog,
    asked: Asked,
    found: tuple[UUID, bytes, datetime, Obstacle | None],
    now: datetime,
) -> Erasure:
    """The entry, and the row that follows from it."""
    subject_key_id, request_key, effective_at, found_obstacle = found
    erasure_id = uuid7(now)
    body: dict[str, JsonValue] = {"erasure_id": str(erasure_id), "subject_key_id": str(subject_key_id)}
    if found_obstacle is None:
        kind = REQUESTED
        body |= {"effective_at": format_time(effective_at), "basis": asked.basis}
    else:
        kind = REFUSED
        body |= told(found_obstacle)
    entry_id = log.append_one(Draft(type=kind, actor=asked.asked_by, body=body), now, conn).entry_id
    values = {
        "erasure_id": erasure_id,
        "subject_key_id": subject_key_id,
        "request_key": request_key,
        "basis": asked.basis,
        "at": now,
        "by": asked.asked_by,
        "entry_id": entry_id,
        "effective_at": effective_at,
        "ground": None if found_obstacle is None else found_obstacle.ground,
        "retained_until": None if found_obstacle is None else found_obstacle.retained_until,
        "hold_ids": [] if found_obstacle is None else found_obstacle.hold_ids,
    }
    conn.execute(queries("erasures")["request"], values)
    return read_erasure(conn, erasure_id)


def told(found: Obstacle) -> dict[str, JsonValue]:
    """An obstacle as the log's entries say it, for ever and in clear.

    Which holds stand in the way is in the row and in the answer alone: a hold may name an explanation, and
    beside the key of a person that would tell whose it is.
    """
    until = found.retained_until
    return {
        "ground": found.ground,
        "retained_until": None if until is None else format_time(until),
        "retention_classes": [] if found.retained is None else list(found.retained.classes),
    }


def _one(conn: Connection, name: str, values: dict[str, object]) -> Erasure | None:
    with conn.cursor(row_factory=class_row(Erasure)) as cursor:
        return cursor.execute(queries("erasures")[name], values).fetchone()
