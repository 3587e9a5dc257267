"""Stretches of the log checked one after the other, or by several processes in one snapshot."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass

import psycopg
from psycopg import IsolationLevel, sql
from psycopg.conninfo import make_conninfo

from audit.database import Connection
from audit.errors import AuditUnavailable
from audit.fsck_span import SPAN, Checked, check_span
from audit.fsck_trust import Trust
from audit.queries import FSCK, LOG

_AHEAD = 8  # stretches under way or waiting to be put together, for each process


@dataclass(frozen=True, slots=True)
class Task:
    """What every process is told: how many leaves there are, whom to trust, and roots known from outside."""

    leaves: int
    trust: Trust
    known: Sequence[tuple[int, bytes]]

    def spans(self) -> Iterator[tuple[int, int]]:
        """Yield the stretches, in order."""
        for start in range(0, self.leaves, SPAN):
            yield start, min(start + SPAN, self.leaves)


def prepare_session(conn: Connection) -> None:
    """Let a transaction take as long as it takes, and speak UTC."""
    conn.execute(LOG["limit_statements"], {"milliseconds": "0"})
    conn.execute(FSCK["utc"])


def check_in_turn(conn: Connection, task: Task) -> Iterator[Checked]:
    """Check every stretch in this process."""
    for start, stop in task.spans():
        yield check_span(conn, start, stop, task.trust, task.known)


def check_at_once(conn: Connection, task: Task, processes: int) -> Iterator[Checked]:
    """Check with so many processes, each with a connection of its own to the snapshot of this transaction.

    In order. Raises `AuditUnavailable` inside a savepoint, or if a process ends or cannot connect.
    """
    try:
        row = conn.execute(FSCK["export_snapshot"]).fetchone()
    except psycopg.errors.ActiveSqlTransaction as error:
        raise AuditUnavailable("a savepoint's snapshot cannot be lent: check it with one process") from error
    snapshot = "" if row is None else row[0]
    address = make_conninfo("", **conn.info.get_parameters(), password=conn.info.password or None)
    with ProcessPoolExecutor(
        processes,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_Reader.begin,
        initargs=(address, snapshot, task),
    ) as pool:
        under_way: deque[Future[Checked]] = deque()
        try:
            for span in task.spans():
                under_way.append(pool.submit(_check, *span))
                if len(under_way) >= processes * _AHEAD:
                    yield under_way.popleft().result()
            while under_way:
                yield under_way.popleft().result()
        except BrokenProcessPool as error:
            raise AuditUnavailable("a process that checked a part of the log has ended") from error
        finally:
            pool.shutdown(cancel_futures=True)


class _Reader:
    """The connection of one process."""

    connection: Connection
    task: Task

    @classmethod
    def begin(cls, address: str, snapshot: str, task: Task) -> None:
        """Connect and look at the log as the one who started this process sees it."""
        cls.task = task
        cls.connection = psycopg.connect(address)
        cls.connection.isolation_level = IsolationLevel.REPEATABLE_READ
        cls.connection.read_only = True
        cls.connection.execute(sql.SQL("set transaction snapshot {}").format(sql.Literal(snapshot)))
        prepare_session(cls.connection)


def _check(start: int, stop: int) -> Checked:
    return check_span(_Reader.connection, start, stop, _Reader.task.trust, _Reader.task.known)
