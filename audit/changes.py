"""Changes of the schema, recorded in the log they change: an entry `schema.change` per migration."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from audit.database import Connection, named_failures
from audit.entry import Entry, entry_bytes, new_id
from audit.guarding import ddl_guard, guard_digest, has_log, install_guard, installed_guard
from audit.queries import LOG

CHANGE = "schema.change"
GUARD_ROOM = "audit/guard"
_ACTOR = "migrate"
_LOG = logging.getLogger(__name__)

Named = tuple[str, str, str]
"""Room, file name and digest (`sha256:…`) of a migration."""


class SchemaChanges:
    """Announces migrations in the log, and passes them through the guard where there is one."""

    def __init__(self, *, restore_guard: bool = False) -> None:
        """`restore_guard` sets a guard up again that somebody switched off or altered."""
        self._restore_guard = restore_guard

    def missing(self, connection: Connection, changes: Sequence[Named]) -> list[Named]:
        """Return those of these changes that no entry names; all of them while there is no log."""
        known = set(entered(connection)) if has_log(connection) else set()
        return [change for change in changes if change not in known]

    def enter(self, connection: Connection, changes: Collection[Named], now: datetime) -> list[UUID]:
        """Append an entry for each, in the caller's transaction; return their ids, or none without a log."""
        if not changes or not has_log(connection):
            return []
        made = [_entry(change, now) for change in changes]
        parameters = {"canonicals": [entry_bytes(entry) for entry in made], "nothing": [None] * len(made)}
        with named_failures():
            connection.execute(LOG["announce"], parameters)
        return [entry.entry_id for entry in made]

    def apply(self, connection: Connection, change: Named, text: str, now: datetime) -> None:
        """Announce one migration and run its text, in the caller's transaction as the owner of the log.

        What the database says against the text is raised as it is: the caller knows the file.
        """
        announced = self.enter(connection, [change], now)
        if announced and connection.execute(LOG["is_guarded"]).fetchone() == (True,):
            connection.execute(LOG["apply_change"], {"entry_id": announced[0], "text": text})
        else:
            connection.execute(text.encode())

    def guard(self, connection: Connection, now: datetime) -> list[str]:
        """Set the guard up where it is missing or of another release, and announce it; return its files.

        A guard that was switched off is left as it is, for an examiner to find, unless it is to be restored.
        """
        if not has_log(connection):
            return []
        state, digest = ddl_guard(connection), installed_guard(connection)
        if state == "disabled" and not self._restore_guard:
            _LOG.warning("the guard against changes of the log's schema is off or altered")
            return []
        if state == "present" and digest == guard_digest() and not self._restore_guard:
            return []
        with connection.transaction():
            installed = install_guard(connection)
            self.enter(connection, [(GUARD_ROOM, name, text_digest) for name, text_digest in installed], now)
        return [f"{GUARD_ROOM}/{name}" for name, _ in installed]


def entered(connection: Connection) -> list[Named]:
    """Return every change that the log names, oldest first."""
    with named_failures():
        return [(row[0], row[1], row[2]) for row in connection.execute(LOG["schema_changes"]).fetchall()]


def _entry(change: Named, now: datetime) -> Entry:
    room, name, digest = change
    return Entry(
        entry_id=new_id(now),
        type=CHANGE,
        time=now,
        actor=_ACTOR,
        body={"room": room, "name": name, "digest": digest},
    )
