"""The projection of notices: the log's entries in the order of the tree, read from where it stood.

Each stretch is read and written in one transaction with the place reached, under a lock of that place: two
readers never do the same stretch, and a crash loses nothing. A row is always made of all entries about its
notice up to the place reached, so that a projection made again from the start is the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import groupby
from uuid import UUID

import orjson
from psycopg.types.json import Jsonb

from audit.entry import parse_entry
from records.lifecycle import CREATED, STEPS, NoticeState, read_history
from records.notices import NoticeRow
from records.queries import queries
from runtime.postgres import Connection

TYPES = (CREATED, *STEPS)


@dataclass(frozen=True, slots=True)
class Stretch:
    """What one step read: entries of the log, and the notices among them that were written."""

    entries: int
    notices: int


def project_notices(conn: Connection, limit: int) -> Stretch | None:
    """Read at most `limit` entries in the caller's transaction; None when another has the turn."""
    statements = queries("notices")
    row = conn.execute(statements["take"]).fetchone()
    if row is None or row[0] is None:
        return None
    begin: int = row[0]
    asked = {"from": begin, "limit": limit, "types": list(TYPES)}
    entries = conn.execute(statements["stretch"], asked).fetchall()
    if not entries:
        return Stretch(0, 0)
    last, read_to, _, _ = entries[-1]
    touched = {about for _, _, about, concerns in entries if concerns and about is not None}
    rows = _rows(conn, touched, last + 1)
    values = {
        "from": begin,
        "next": last + 1,
        "read_to": read_to,
        "rows": Jsonb(rows, dumps=lambda value: orjson.dumps(value).decode()),
    }
    conn.execute(statements["project"], values)
    return Stretch(len(entries), len(rows))


def _rows(conn: Connection, touched: Iterable[UUID], before: int) -> list[Mapping[str, object]]:
    """The rows of these explanations' notices by the entries before this index; none where none is owed."""
    values = {"ids": sorted(touched), "types": list(STEPS), "next": before}
    with conn.cursor(binary=True) as cursor:
        found = cursor.execute(queries("notices")["histories"], values).fetchall()
    rows: list[Mapping[str, object]] = []
    for _, group in groupby(found, key=lambda row: row[0]):
        history = list(group)
        state = read_history(parse_entry(bytes(canonical)) for _, _, canonical in history)
        if state is not None:
            rows.append(asdict(row_of(state, max(index for _, index, _ in history))))
    return rows


def row_of(state: NoticeState, last_index: int) -> NoticeRow:
    """The table's row of one notice."""
    sent = state.sending("decision")
    answer = max(state.answers, key=lambda one: one.at, default=None)
    running = state.running[0] if state.running else None
    holds = state.overridden
    return NoticeRow(
        explanation_id=state.explanation_id,
        model=state.model,
        version=state.version,
        action=state.action,
        recorded_at=state.recorded_at,
        clock=state.clock.name,
        due_at=state.clock.due_at,
        blocked=state.blocked,
        first_rendered_at=state.first_rendered_at,
        sent_at=sent.sent_at if sent else None,
        channel=sent.channel if sent else None,
        template=sent.template if sent else None,
        response=answer.response if answer else None,
        response_at=answer.at if answer else None,
        next_clock=running.name if running else None,
        next_due_at=running.due_at if running else None,
        closed_at=state.closed_at,
        last_index=last_index,
        overridden_to=holds.outcome if holds else None,
        overridden_by=holds.entry_id if holds else None,
        overridden_kind=holds.kind if holds else None,
        overridden_at=holds.at if holds else None,
        overridden_since=holds.since if holds else None,
        superseded_by=holds.superseded_by if holds else None,
    )


def behind(conn: Connection) -> tuple[int, datetime | None]:
    """How many entries of the tree the projection has not read, and when the oldest of them was made."""
    row = conn.execute(queries("notices")["behind"]).fetchone()
    assert row is not None  # noqa: S101  an aggregate always answers
    return row[0], row[1]
