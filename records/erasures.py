"""Erasures: what their rows say, and what stands in their way.

ErasureError
├── ErasureNotFound         no erasure has this id
├── SubjectUnknown          nothing is on record under this name
├── ErasureConflict         an erasure of this subject is scheduled on another basis
└── EffectiveTimeRefused    the time asked for cannot be meant

How they are asked for is in `records.erasure_requests`, what a custodian then does in `records.executions`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from psycopg.rows import class_row

from audit.canonical import JsonValue
from audit.entry import format_time
from records.holds import holds_over_subject
from records.periods import Retained, retained_beyond
from records.queries import queries
from runtime.postgres import Connection

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
    """An erasure of this subject is scheduled for that time or before, on another basis."""


class EffectiveTimeRefused(ErasureError):
    """Must lie within 30 years of now."""


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


def obstacle(conn: Connection, subject_key_id: UUID, key_ids: list[UUID], at: datetime) -> Obstacle | None:
    """What stands in the way of erasing a subject at this moment; None where nothing does."""
    retained = retained_beyond(conn, key_ids, at)
    holds = holds_over_subject(conn, subject_key_id, key_ids)
    return Obstacle(retained, holds) if retained is not None or holds else None


def read_erasure(conn: Connection, erasure_id: UUID) -> Erasure:
    """Read one erasure; ErasureNotFound where there is none."""
    found = find_erasure(conn, "read", {"erasure_id": erasure_id})
    if found is None:
        raise ErasureNotFound
    return found


def list_erasures(conn: Connection, *, since: datetime, until: datetime) -> list[Erasure]:
    """Erasures requested before `until` that were not over before `since`, oldest first; refusals of then."""
    with conn.cursor(row_factory=class_row(Erasure)) as cursor:
        return cursor.execute(queries("erasures")["between"], {"since": since, "until": until}).fetchall()


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


def find_erasure(conn: Connection, name: str, values: dict[str, object]) -> Erasure | None:
    """The erasure that a statement of `queries/erasures.sql` finds, if any."""
    with conn.cursor(row_factory=class_row(Erasure)) as cursor:
        return cursor.execute(queries("erasures")[name], values).fetchone()
