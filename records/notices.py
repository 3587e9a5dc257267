"""Notices as they are listed: pages of the projection by what is still owed, and how far it has read the log.

NoticeError
└── CursorMalformed    the cursor is not one that a list gave out
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

from psycopg.rows import class_row

from audit.entry import parse_entry
from records.lifecycle import STEPS, NoticeState, read_history
from records.queries import queries
from runtime.postgres import Connection

ListState = Literal["overdue", "due", "sent", "undated", "blocked", "overridden"]
_BEFORE_ALL = (datetime(1, 1, 1, tzinfo=UTC), UUID(int=0))


class NoticeError(Exception):
    """The notices cannot be listed."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__)


class CursorMalformed(NoticeError):
    """The cursor is not one that a list gave out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeRow:
    """One notice as the projection has it.

    The last six say what holds where the decision no longer does, and since when without a break.
    """

    explanation_id: UUID
    model: str
    version: str
    action: str | None
    recorded_at: datetime
    clock: str
    due_at: datetime | None
    blocked: bool
    first_rendered_at: datetime | None
    sent_at: datetime | None
    channel: str | None
    template: str | None
    response: str | None
    response_at: datetime | None
    next_clock: str | None
    next_due_at: datetime | None
    closed_at: datetime | None
    last_index: int
    overridden_to: str | None
    overridden_by: UUID | None
    overridden_kind: str | None
    overridden_at: datetime | None
    overridden_since: datetime | None
    superseded_by: UUID | None


@dataclass(frozen=True, slots=True)
class AsOf:
    """How far the projection has read: `entries` of the `tree_size` in the tree, the last made `at`."""

    entries: int
    at: datetime | None
    tree_size: int


@dataclass(frozen=True, slots=True)
class Page:
    """Some notices in order, where the next page begins, and how far the projection had read."""

    rows: tuple[NoticeRow, ...]
    next_cursor: str | None
    as_of: AsOf


def list_notices(
    conn: Connection,
    now: datetime,
    *,
    state: ListState | None,
    model: str | None,
    cursor: str | None,
    limit: int,
) -> Page:
    """One page of notices, those that wait longest first; CursorMalformed for a cursor of another list.

    Overdue and due go by the clock that runs out first, so a blocked notice is overdue too once its day has
    passed; undated are those whose clock nobody can tell.
    """
    after_at, after_id = _BEFORE_ALL if cursor is None else _read_cursor(cursor, state)
    values = {
        "now": now,
        "after_at": after_at,
        "after_id": after_id,
        "model": model,
        "limit": limit + 1,
    }
    as_of = read_as_of(conn)
    with conn.cursor(row_factory=class_row(NoticeRow)) as found:
        rows = found.execute(queries("notices")[f"list_{state or 'all'}"], values).fetchall()
    more = len(rows) > limit
    page = tuple(rows[:limit])
    return Page(page, _write_cursor(page[-1], state) if more else None, as_of)


def read_as_of(conn: Connection) -> AsOf:
    """How far the projection has read the log."""
    row = conn.execute(queries("notices")["as_of"]).fetchone()
    assert row is not None  # noqa: S101  the migration made the row
    next_index, read_to, tree_size = row
    return AsOf(next_index, read_to, max(tree_size, next_index))


def count_overdue(conn: Connection, now: datetime) -> int:
    """How many notices have a clock that has run out."""
    row = conn.execute(queries("notices")["count_overdue"], {"now": now}).fetchone()
    return 0 if row is None else int(row[0])


def state_of(conn: Connection, explanation_id: UUID) -> NoticeState | None:
    """The state by everything committed, in the tree or not; None where no notice is owed."""
    values = {"explanation_id": explanation_id, "types": list(STEPS)}
    with conn.cursor(binary=True) as found:
        rows = found.execute(queries("notices")["history"], values).fetchall()
    return read_history(parse_entry(bytes(canonical)) for (canonical,) in rows)


def _place(row: NoticeRow, state: ListState | None) -> datetime:
    """What the list of this state is ordered by."""
    placed = {"overdue": row.next_due_at, "due": row.next_due_at, "sent": row.sent_at}
    placed["overridden"] = row.overridden_at
    found = placed.get(state or "all", row.recorded_at)
    assert found is not None  # noqa: S101  the list's own condition
    return found


def _write_cursor(row: NoticeRow, state: ListState | None) -> str:
    text = f"{state or 'all'} {_place(row, state).astimezone(UTC).isoformat()} {row.explanation_id}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read_cursor(cursor: str, state: ListState | None) -> tuple[datetime, UUID]:
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
        listed, at, after = text.split(" ")
        place = datetime.fromisoformat(at), UUID(after)
    except (binascii.Error, ValueError) as error:
        raise CursorMalformed from error
    if listed != (state or "all") or place[0].tzinfo is None:
        raise CursorMalformed
    return place
