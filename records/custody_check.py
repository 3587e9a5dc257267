"""Whether the rows of holds, erasures and expiries say what the log's entries say.

The rows are what the custodian goes by; the entries are what nobody can take back. Both are written in one
transaction, so that a difference is a row that somebody wrote, changed or removed past the log.
"""

from __future__ import annotations

from records.queries import queries
from runtime.postgres import Connection


def custody_problems(conn: Connection) -> list[str]:
    """Name what differs, the first hundred; one statement, and so one snapshot. Reads only."""
    statements = queries("custody_check")
    if conn.execute(statements["is_there"]).fetchone() != (True,):
        return []  # a database of before there were any
    # Without values no percent sign is read: so they are given, though there are none.
    return [row[0] for row in conn.execute(statements["problems"], {}).fetchall()]
