"""The projection of decisions: one row for each explanation, approvals too, in the order of the tree.

Everything in it is read out of the clear bytes of the log's entries, by one statement for a whole stretch of
the log. Rows never change once they are there; a projection made again from the start is the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from psycopg.rows import class_row

from records.queries import queries
from runtime.postgres import Connection

PAGE = 500
RISKY = "=+-@\t\r\n'＝＋－＠"
"""What a text that a spreadsheet would take for a formula begins with; and the mark itself that says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionSetting:
    """What many decisions have in common. A member that an entry does not have is None."""

    setting_id: UUID
    model: str | None
    version: str | None
    outcome: str | None
    favourable: bool | None
    model_outcome: str | None
    action: str | None
    counterfactual_status: str | None
    method: str | None
    model_digest: str | None
    manifest_digest: str | None
    reference_digest: str | None
    catalogue_name: str | None
    catalogue_version: str | None
    catalogue_digest: str | None
    code_version: str | None
    notice_clock: str | None
    notice_blocked: bool | None
    retention_class: str
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRow:
    """One decision as the projection has it; the rest is in its setting.

    The last five are what followed: when its notice was sent, and what `records.reviewed_v1` says of reviews.
    """

    index: int
    explanation_id: UUID
    recorded_at: datetime
    setting_id: UUID
    reason_codes: Sequence[str]
    notice_due_at: datetime | None
    counterfactual_evaluation_id: UUID | None
    key_id: UUID | None
    notice_sent_at: datetime | None
    last_review_kind: str | None
    standing_outcome: str | None
    review_entry_id: UUID | None
    superseded_by: UUID | None


@dataclass(frozen=True, slots=True)
class Reached:
    """How far the projection has read: `entries` of the `tree_size` in the tree, the last made `at`."""

    entries: int
    at: datetime | None
    tree_size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Which decisions: recorded in [start, end), of one model or of all, before this place of the tree."""

    start: datetime
    end: datetime
    model: str | None
    before: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Decisions of one retention class and month (`2026-11`), those that have expired too.

    `newest` is the last entry's time; `waiting` counts those of which a notice is still owed;
    `newest_notified` is when the last of the others was notified, or could have been where none was owed;
    `may_be_held`: a hold stands that covers one of them, or is on a person, whose entries are not told here.
    """

    retention_class: str
    month: str
    decisions: int
    waiting: int
    newest: datetime
    newest_notified: datetime | None
    expired_at: datetime | None
    may_be_held: bool


@dataclass(frozen=True, slots=True)
class SettingText:
    """What the rows of one setting have in common, as text: what comes before the reason codes, and after."""

    setting_id: UUID
    head: str
    tail: str


def project_decisions(conn: Connection, limit: int) -> int | None:
    """Read at most `limit` entries of the log in the caller's transaction, from where the last reader stood.

    Returns how many entries that were; None when another has the turn.
    """
    row = conn.execute(queries("decisions")["project"], {"limit": limit}).fetchone()
    return None if row is None else row[0]


def read_reached(conn: Connection) -> Reached:
    """How far the projection has read the log."""
    row = conn.execute(queries("decisions")["reached"]).fetchone()
    assert row is not None  # noqa: S101  the migration made the row
    next_index, read_to, tree_size = row
    return Reached(next_index, read_to, max(tree_size, next_index))


def settings_of(conn: Connection, model: str | None) -> list[DecisionSetting]:
    """Every setting, or those of one model."""
    with conn.cursor(row_factory=class_row(DecisionSetting)) as cursor:
        return cursor.execute(queries("decisions")["settings"], {"model": model}).fetchall()


def decisions(conn: Connection, span: Span) -> Iterator[DecisionRow]:
    """The decisions of a span in the order of the tree, a page at a time."""
    bounds = _bounds(conn, span)
    if bounds is None:
        return
    with conn.cursor("decisions", row_factory=class_row(DecisionRow)) as cursor:
        cursor.itersize = PAGE
        cursor.execute(queries("decisions")["rows"], {**_values(span), **bounds})
        yield from cursor


def decision_lines(
    conn: Connection, span: Span, texts: Sequence[SettingText], form: Literal["csv", "json"]
) -> Iterator[tuple[int, bytes]]:
    """The same as finished lines, written by the database: how many rows, and their bytes.

    Only decisions of the given settings. A block of CSV ends with a line break, a block of JSON with a brace.
    """
    bounds = _bounds(conn, span)
    if bounds is None:
        return
    given: Mapping[str, object] = {
        **_values(span),
        **bounds,
        "settings": [one.setting_id for one in texts],
        "heads": [one.head for one in texts],
        "tails": [one.tail for one in texts],
        "risky": list(RISKY),
    }
    with conn.cursor(binary=True) as cursor:
        yield from cursor.stream(queries("decisions")[f"lines_{form}"], given)


def kept_by_month(conn: Connection, before: int, longest_notice: timedelta) -> list[Kept]:
    """Count decisions by class and month; `longest_notice` is how late a notice could have been sent."""
    values = {"before": before, "longest": longest_notice}
    with conn.cursor(row_factory=class_row(Kept)) as cursor:
        return cursor.execute(queries("decisions")["kept"], values).fetchall()


def _bounds(conn: Connection, span: Span) -> Mapping[str, object] | None:
    row = conn.execute(queries("decisions")["bounds"], _values(span)).fetchone()
    return None if row is None or row[0] is None else {"first": row[0], "last": row[1]}


def _values(span: Span) -> dict[str, object]:
    return {"start": span.start, "end": span.end, "model": span.model, "before": span.before}
