"""Connections to PostgreSQL: pools, and the check that a commit is a commit."""

from __future__ import annotations

import logging
import time
from typing import Any

import psycopg
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool

from runtime.errors import DatabaseUnavailable, DurabilityOff

Connection = psycopg.Connection[TupleRow]
Pool = ConnectionPool[Connection]

_DURABLE = ("fsync", "full_page_writes", "synchronous_commit")
_CONNECT_SECONDS = 5
_LONGEST_PAUSE_SECONDS = 2.0

_LOG = logging.getLogger(__name__)
_PATH = "pg_catalog, pg_temp"
"""Where names without a schema are looked up, whatever somebody made the database's or the role's default."""


def open_pool(
    url: str,
    *,
    min_size: int = 1,
    max_size: int = 8,
    name: str = "ofrecord",
    autocommit: bool = False,
    statement_timeout_ms: int = 30_000,
) -> Pool:
    """Open a pool; it connects in the background, so that a database that is away delays nobody's start.

    Sessions speak UTC, find operators in the system's catalogs alone, and give up a statement after
    `statement_timeout_ms` (0: never).
    """

    def configure(connection: Connection) -> None:
        connection.execute(
            "select set_config('TimeZone', 'UTC', false), set_config('statement_timeout', %s, false),"
            f" set_config('search_path', '{_PATH}', false)",
            (str(statement_timeout_ms),),
        )
        if not connection.autocommit:
            connection.commit()

    arguments: dict[str, Any] = {
        "autocommit": autocommit,
        "connect_timeout": _CONNECT_SECONDS,
        "application_name": name,
        "keepalives_idle": 30,
    }
    pool: Pool = ConnectionPool(
        url,
        kwargs=arguments,
        min_size=min_size,
        max_size=max_size,
        name=name,
        configure=configure,
        check=None,
        open=False,
        timeout=_CONNECT_SECONDS,
        reconnect_timeout=60.0,
    )
    pool.open(wait=False)
    return pool


def connect(url: str, *, autocommit: bool = False) -> Connection:
    """Open one connection, for commands and tests."""
    connection = psycopg.connect(url, autocommit=True, connect_timeout=_CONNECT_SECONDS)
    connection.execute("select set_config('search_path', %s, false)", (_PATH,))
    connection.autocommit = autocommit
    return connection


def check_durability(connection: Connection) -> None:
    """Raise DurabilityOff when this server could lose what it said it had committed."""
    # synchronous_commit knows more words than on and off; "local" and stronger all wait for our own disk.
    off = [setting for setting, value in durability(connection).items() if value == "off"]
    if off:
        raise DurabilityOff(off, connection.info.dbname)


def durability(connection: Connection) -> dict[str, str]:
    """Return the settings on which it depends that a commit is a commit, as this session has them."""
    found = {}
    for setting in _DURABLE:
        row = connection.execute("select current_setting(%s)", (setting,)).fetchone()
        found[setting] = "off" if row is None else str(row[0])
    return found


def require_durability(url: str, *, patience_seconds: float = 30.0) -> None:
    """Wait until the database answers, then check its durability; for the start of a process."""
    begun, pause = time.monotonic(), 0.125
    while True:
        try:
            with connect(url) as connection:
                check_durability(connection)
        except psycopg.OperationalError as error:
            if time.monotonic() - begun > patience_seconds:
                raise DatabaseUnavailable(f"PostgreSQL does not answer: {error}") from error
            _LOG.warning("the database is away", extra={"reason": str(error)})
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
            time.sleep(pause)
        else:
            return
