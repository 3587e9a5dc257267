"""Partitions ahead of time, for processes that append nothing themselves."""

from __future__ import annotations

from datetime import datetime

from audit.database import Connection, named_failures
from audit.queries import LOG


def ensure_partitions(connection: Connection, now: datetime) -> list[str]:
    """Make the partitions of this month and the next two in the caller's transaction; return the new ones."""
    with named_failures():
        rows = connection.execute(LOG["ensure_partitions"], {"month": now.date().replace(day=1)}).fetchall()
    return [row[0] for row in rows]
