"""What the log needs of psycopg: the types, and one name for every way a database can fail to confirm."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeAlias

import psycopg
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout, TooManyRequests

from audit.errors import AuditUnavailable, EntryRefused

Connection: TypeAlias = psycopg.Connection[TupleRow]
Pool: TypeAlias = ConnectionPool[Connection]

CONNECTION_TIMEOUT_SECONDS = 2.0
STATEMENT_TIMEOUT_MS = 2_000
"""What an append may take: for the pool whose connections it borrows."""

_LOG = logging.getLogger(__name__)


@contextmanager
def named_failures() -> Iterator[None]:
    """Turn what psycopg raises into `EntryRefused` (the data) or `AuditUnavailable` (everything else)."""
    try:
        yield
    except (psycopg.DataError, psycopg.IntegrityError) as error:
        _LOG.warning("the database refused an entry", extra={"sqlstate": error.sqlstate})
        raise EntryRefused from error
    except (psycopg.Error, PoolTimeout, PoolClosed, TooManyRequests) as error:
        # The message may quote data; the kind and the code never do.
        _LOG.warning(
            "the log's database did not confirm",
            extra={"error": type(error).__name__, "sqlstate": getattr(error, "sqlstate", None)},
        )
        raise AuditUnavailable from error


@contextmanager
def session(pool: Pool) -> Iterator[Connection]:
    """Lend a connection of the pool for one transaction, with the failures named."""
    with named_failures(), pool.connection(timeout=CONNECTION_TIMEOUT_SECONDS) as connection:
        yield connection
