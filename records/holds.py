"""Legal holds: what must not be destroyed, whatever its period. Each is an entry first; its row follows.

HoldError
├── HoldNotFound    no hold has this id
└── HoldTooLate     what it would cover is being destroyed
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from psycopg.rows import class_row, dict_row

from audit.canonical import JsonValue, canonical
from audit.custody import KeyCustody, Partition
from audit.entry import Draft
from audit.keys import KeyStore
from audit.log import AuditLog
from records.custody import take_turn
from records.queries import queries
from runtime.ids import uuid7
from runtime.postgres import Connection

PLACED = "hold.placed"
RELEASED = "hold.released"

HoldKind = Literal["subject", "explanation", "model", "everything"]


class HoldError(Exception):
    """The hold cannot be placed or found."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__)


class HoldNotFound(HoldError):
    """No hold has this id."""


class HoldTooLate(HoldError):
    """What this hold would cover is being destroyed already, or is gone."""

    def __init__(self, ground: Literal["erasure", "expiry"], past_saving: Sequence[Partition] = ()) -> None:
        """Take by what it goes: a person's erasure, or the expiry of these months."""
        months = ", ".join(f"{one.retention_class} {one.name}" for one in past_saving)
        super().__init__(f"{self.__doc__}{f' Past saving: {months}.' if months else ''}")
        self.members = {"ground": ground, "past_saving": named(past_saving)}


@dataclass(frozen=True, slots=True)
class Scope:
    """What a hold covers; a subject by the id of its key alone."""

    kind: HoldKind
    subject_key_id: UUID | None = None
    explanation_id: UUID | None = None
    model: str | None = None
    version: str | None = None

    def clear(self) -> dict[str, JsonValue]:
        """The scope as the log's entries say it."""
        told: dict[str, JsonValue] = {"kind": self.kind}
        if self.subject_key_id is not None:
            told["subject_key_id"] = str(self.subject_key_id)
        if self.explanation_id is not None:
            told["explanation_id"] = str(self.explanation_id)
        if self.model is not None:
            told |= {"model": self.model, "version": self.version}
        return told


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """One hold; `released_at` is None while it stands."""

    hold_id: UUID
    kind: HoldKind
    subject_key_id: UUID | None
    explanation_id: UUID | None
    model: str | None
    version: str | None
    placed_at: datetime
    placed_by: str
    placed_entry_id: UUID
    released_at: datetime | None
    released_by: str | None
    released_entry_id: UUID | None

    @property
    def scope(self) -> Scope:
        """What it covers."""
        return Scope(self.kind, self.subject_key_id, self.explanation_id, self.model, self.version)


@dataclass(frozen=True, slots=True)
class Placing:
    """A hold to be placed; `subject` names the key that the reason is encrypted under, if it has one.

    `subject_key_id` is whose erasure would destroy what it covers, if it is one subject's. `since` is before
    anything that it covers: when its model was registered; None: nobody knows.
    """

    scope: Scope
    reason: str
    placed_by: str
    subject: str | None
    subject_key_id: UUID | None
    since: datetime | None = None


def place_hold(conn: Connection, log: AuditLog, keystore: KeyStore, placing: Placing, now: datetime) -> Hold:
    """Append `hold.placed` and insert the row, in the caller's transaction.

    From its commit on nothing that it covers is destroyed, and the entry says which months were past saving
    by then. Raises HoldTooLate where what it covers is gone, or while a month in which some of it lies goes.
    """
    take_turn(conn)
    scope, hold_id = placing.scope, uuid7(now)
    _refuse_too_late(conn, keystore, placing)
    gone = _months(
        conn,
        "past_saving",
        {"kind": scope.kind, "explanation_id": scope.explanation_id, "since": placing.since},
    )
    draft = Draft(
        type=PLACED,
        actor=placing.placed_by,
        body={"hold_id": str(hold_id), "scope": scope.clear(), "past_saving": named(gone)},
        private=canonical({"reason": placing.reason}),
        subject=placing.subject,
    )
    entry_id = log.append_one(draft, now, conn).entry_id
    values = {
        "hold_id": hold_id,
        "kind": scope.kind,
        "subject_key_id": scope.subject_key_id,
        "explanation_id": scope.explanation_id,
        "model": scope.model,
        "version": scope.version,
        "at": now,
        "by": placing.placed_by,
        "entry_id": entry_id,
    }
    conn.execute(queries("holds")["place"], values)
    return read_hold(conn, hold_id)


def named(months: Sequence[Partition]) -> list[JsonValue]:
    """Months of classes as entries and answers say them."""
    return [{"retention_class": one.retention_class, "month": one.name} for one in months]


def _refuse_too_late(conn: Connection, keystore: KeyStore, placing: Placing) -> None:
    scope = placing.scope
    whose = {"subject_key_id": scope.subject_key_id or placing.subject_key_id}
    if conn.execute(queries("holds")["erased"], whose).fetchone() == (True,):
        raise HoldTooLate("erasure")
    gone = _months(conn, "expired", {"explanation_id": scope.explanation_id})
    gone = gone or _going(conn, keystore, scope)
    if gone:
        raise HoldTooLate("expiry", gone)


def _going(conn: Connection, keystore: KeyStore, scope: Scope) -> list[Partition]:
    """The months with an entry in this scope whose keys are being destroyed, which nothing stops.

    Once they are gone the hold can be placed, and protects what is left.
    """
    months = _months(conn, "under_way", {})
    if not months:
        return []
    values: dict[str, object] = {
        "kind": scope.kind,
        "key_ids": [] if scope.subject_key_id is None else keystore.keys_of_subject(scope.subject_key_id),
        "explanation_id": scope.explanation_id,
        "model": scope.model,
        "version": scope.version,
    }
    return [one for one in months if _is_covered(conn, one, values)]


def _is_covered(conn: Connection, month: Partition, values: dict[str, object]) -> bool:
    values = {**values, "retention_class": month.retention_class, "month": month.month}
    return conn.execute(queries("holds")["covers_month"], values).fetchone() == (True,)


def _months(conn: Connection, name: str, values: dict[str, object]) -> list[Partition]:
    rows = conn.execute(queries("holds")[name], values).fetchall()
    return [Partition(month, retention_class) for retention_class, month in rows]


def release_hold(conn: Connection, log: AuditLog, hold_id: UUID, by: str, now: datetime) -> Hold:
    """Append `hold.released` and note it, in the caller's transaction; one released before stays as it is."""
    take_turn(conn)
    hold = read_hold(conn, hold_id)
    if hold.released_at is not None:
        return hold
    body: dict[str, JsonValue] = {"hold_id": str(hold_id), "scope": hold.scope.clear()}
    draft = Draft(type=RELEASED, actor=by, body=body, about=hold.placed_entry_id)
    entry_id = log.append_one(draft, now, conn).entry_id
    values = {"hold_id": hold_id, "at": now, "by": by, "entry_id": entry_id}
    conn.execute(queries("holds")["release"], values)
    return read_hold(conn, hold_id)


def read_hold(conn: Connection, hold_id: UUID) -> Hold:
    """Read one hold; HoldNotFound where there is none."""
    with conn.cursor(row_factory=class_row(Hold)) as cursor:
        row = cursor.execute(queries("holds")["read"], {"hold_id": hold_id}).fetchone()
    if row is None:
        raise HoldNotFound
    return row


def page_of_holds(conn: Connection, *, active: bool | None, after: UUID, limit: int) -> list[Hold]:
    """Holds in the order in which they were placed, those after this one; all, standing or released ones."""
    values = {"active": active, "after": after, "limit": limit}
    with conn.cursor(row_factory=class_row(Hold)) as cursor:
        return cursor.execute(queries("holds")["list"], values).fetchall()


def list_holds(conn: Connection, *, since: datetime, until: datetime) -> list[Hold]:
    """Holds that stood at some moment from `since` until before `until`, in the order of their placing."""
    with conn.cursor(row_factory=class_row(Hold)) as cursor:
        return cursor.execute(queries("holds")["between"], {"since": since, "until": until}).fetchall()


def standing_holds(conn: Connection, *, at: datetime, before: int) -> list[tuple[int, Hold]]:
    """Holds that stood at a moment, whenever placed, each with the place of its entry in the tree.

    Only what the entries before the place `before` say: what is not in the tree yet has not happened.
    """
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(queries("holds")["standing"], {"at": at, "before": before}).fetchall()
    return [(row.pop("index"), Hold(**row)) for row in rows]


def holds_over_subject(conn: Connection, subject_key_id: UUID, key_ids: Sequence[UUID]) -> list[UUID]:
    """The holds that cover the entries of one subject, whose keys are given."""
    values = {"subject_key_id": subject_key_id, "key_ids": list(key_ids)}
    return [row[0] for row in conn.execute(queries("holds")["over_subject"], values).fetchall()]


def holds_over_month(conn: Connection, keys: KeyCustody, partition: Partition) -> list[UUID]:
    """The holds that cover an entry of a partition, those on subjects looked up among the keys."""
    month = {"retention_class": partition.retention_class, "month": partition.month}
    found = holds_since(conn, partition, None)
    for hold_id, subject_key_id in conn.execute(queries("holds")["subjects"]).fetchall():
        values = {**month, "key_ids": keys.keys_of_subject(subject_key_id)}
        if conn.execute(queries("holds")["in_month"], values).fetchone() == (True,):
            found.append(hold_id)
    return found


def holds_since(conn: Connection, partition: Partition, looked_at: datetime | None) -> list[UUID]:
    """The same without the keys: of those on subjects, the ones placed since that moment, or none."""
    values = {
        "retention_class": partition.retention_class,
        "month": partition.month,
        "looked_at": "infinity" if looked_at is None else looked_at,
    }
    return [row[0] for row in conn.execute(queries("holds")["over_month"], values).fetchall()]
