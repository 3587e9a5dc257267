"""Entries as reports list them: by type, in the order of the tree; and one snapshot to read them in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

import psycopg

from audit.entry import Entry, parse_entry
from audit.errors import IntegrityHalt
from audit.merkle import leaf_hash
from records.queries import queries
from records.reaching import RecordsUnavailable, reaching
from runtime.postgres import Connection, Pool

PAGE = 500


class SnapshotTimedOut(RecordsUnavailable):
    """A statement took longer than the whole reading may take."""


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """An entry at its place; `model` and `version` are those of the decision that it is about."""

    index: int
    entry: Entry
    model: str | None
    version: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Among:
    """Which entries: of these types, made in [start, end), before this place, about this one or any."""

    types: Sequence[str]
    start: datetime
    end: datetime
    before: int
    about: UUID | None = None


@contextmanager
def snapshot(pool: Pool, seconds: float | None) -> Iterator[Connection]:
    """Lend a connection that sees one moment and changes nothing; None: as long as it takes."""
    milliseconds = "0" if seconds is None else str(max(1, int(seconds * 1000)))
    try:
        with reaching(), pool.connection() as conn:
            conn.execute(queries("entries")["one_snapshot"])
            conn.execute(queries("entries")["limit_statements"], {"milliseconds": milliseconds})
            yield conn
    except RecordsUnavailable as error:
        if isinstance(error.__cause__, psycopg.errors.QueryCanceled):
            raise SnapshotTimedOut from error
        raise


def entries_among(conn: Connection, among: Among) -> Iterator[TreeEntry]:
    """Read entries a page at a time; raise `IntegrityHalt` for one whose bytes are not its leaf's."""
    yield from _read(conn, "between", {**asdict(among), "types": list(among.types)})


def entries_concerning(conn: Connection, entry_id: UUID, before: int) -> Iterator[TreeEntry]:
    """Read an entry and all that are about it, in the order of the tree."""
    yield from _read(conn, "concerning", {"entry_id": entry_id, "before": before})


def first_time(conn: Connection, before: int) -> datetime | None:
    """When the first entry of a tree of this size was made; None where it is empty."""
    row = conn.execute(queries("entries")["first_time"], {"before": before}).fetchone()
    return None if row is None else row[0]


def newest_pull(conn: Connection, report: str, before: int) -> TreeEntry | None:
    """Read the last pull of a report that is in the tree."""
    return next(_read(conn, "newest_pull", {"report": report, "before": before}), None)


def _read(conn: Connection, name: str, values: Mapping[str, object]) -> Iterator[TreeEntry]:
    with conn.cursor(f"entries_{name}", binary=True) as cursor:
        cursor.itersize = PAGE
        cursor.execute(queries("entries")[name], values)
        for index, canonical, leaf, model, version in cursor:
            if leaf_hash(canonical) != leaf:
                raise IntegrityHalt(
                    f"the bytes of the entry at {index} do not have the leaf hash of the tree"
                )
            yield TreeEntry(index, parse_entry(canonical), model, version)
