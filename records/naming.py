"""Which decisions have a review that names another one: the way back along a pointer."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from records.queries import queries
from runtime.postgres import Connection


def decisions_naming(conn: Connection, named: UUID, since: datetime) -> list[UUID]:
    """The decisions with a review made since then in which this id stands, whether that counts or not.

    By everything committed, in the tree or not. It reads the reviews of that time, not the decisions.
    """
    rows = conn.execute(queries("reviews")["naming"], {"named": named, "since": since}).fetchall()
    return sorted(row[0] for row in rows)
