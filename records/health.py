"""Cheap questions to a database about its health; they leave nothing behind."""

from __future__ import annotations

from records.queries import queries
from records.reaching import transaction
from runtime.postgres import Pool


def reach(pool: Pool) -> None:
    """Asks for an answer, any answer; raises `RecordsUnavailable`."""
    with transaction(pool) as connection:
        connection.execute("SELECT 1")


def why_not_writable(pool: Pool) -> str | None:
    """Why an entry could not be appended through this pool now, or None."""
    with transaction(pool) as connection:
        row = connection.execute(queries("health")["writable"]).fetchone()
    if row is None or not row[0]:
        return "this role may not append"
    return None if row[1] else "the database is read-only"
