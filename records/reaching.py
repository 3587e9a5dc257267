"""Reaching the database from rooms that do not know psycopg: one transaction, one error when it is away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from runtime.postgres import Connection, Pool


class RecordsUnavailable(Exception):
    """The database could not be reached, or did not answer in time."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or type(self).__doc__)


@contextmanager
def reaching() -> Iterator[None]:
    """Turns the driver's ways of saying "away" into one; its messages name hosts, so they stay behind."""
    try:
        yield
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        raise RecordsUnavailable from error


@contextmanager
def transaction(pool: Pool) -> Iterator[Connection]:
    """One connection in one transaction, committed on leaving; `RecordsUnavailable` without a database."""
    with reaching(), pool.connection() as connection:
        yield connection
