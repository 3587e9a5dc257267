"""What erasures, holds and expiries share: whose turn it is, and what else is kept about a decision."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from records.queries import queries
from runtime.postgres import Connection


def take_turn(conn: Connection) -> None:
    """Take the turn at deciding what may be destroyed, until the caller's transaction ends.

    So a hold is either seen by whoever destroys, or is told that it comes too late.
    """
    conn.execute(queries("custody")["turn"])


def forget_decisions(conn: Connection, entry_ids: Sequence[UUID], at: datetime) -> int:
    """Take away what other tables keep about these entries; the number of evaluations that were emptied."""
    row = conn.execute(queries("custody")["forget_decisions"], {"ids": list(entry_ids), "at": at}).fetchone()
    return 0 if row is None else int(row[0])
