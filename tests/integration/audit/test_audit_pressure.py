"""A database that stalls: what waits is bounded, and afterwards nothing is lost and nothing is doubled."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime

import psycopg
import pytest

from audit.commit import GroupCommitter
from audit.entry import Appended, Draft, Idempotency
from audit.errors import AuditUnavailable, Overloaded

NOW = datetime(2026, 11, 20, 10, 15, tzinfo=UTC)
CAPACITY, BATCH = 64, 16
ATTEMPTS = 300
LONGEST_STALL_SECONDS = 4.0


def draft(number: int) -> Draft:
    key = Idempotency(b"%d" % number, b"f")
    return Draft("a.b", "x", {"n": number}, private=b"p", subject=f"S-{number}", idempotency=key)


@contextmanager
def stopped(url: str) -> Iterator[None]:
    """The server's processes that serve the service in this database do nothing while this lasts."""
    ours = (
        "select pid from pg_stat_activity where datname = current_database() and usename = 'ofrecord_service'"
    )
    with psycopg.connect(url, autocommit=True) as connection:
        processes = [row[0] for row in connection.execute(ours)]
    assert processes
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            os.kill(process, signal.SIGCONT)


@contextmanager
def locked(url: str) -> Iterator[None]:
    """Nothing is appended while this lasts, as when the disk stands still."""
    with psycopg.connect(url) as connection:
        connection.execute("lock table audit.pending in share row exclusive mode")
        yield


STALLS = {
    "the log's processes are stopped": lambda rig: stopped(rig.database.admin_url),
    "the keys' processes are stopped": lambda rig: stopped(rig.database.keys_admin_url),
    "a lock is held": lambda rig: locked(rig.database.admin_url),
}


@pytest.fixture
def committer(rig, clock) -> Iterator[GroupCommitter]:
    made = GroupCommitter(rig.log, clock, capacity=CAPACITY, batch=BATCH)
    yield made
    made.close()


def offer(committer: GroupCommitter, numbers: range) -> tuple[dict[int, Future[Appended]], list[int]]:
    """Submit from many threads; return what was taken, and what was pushed back."""
    taken: dict[int, Future[Appended]] = {}
    pushed_back = []

    def one(number: int) -> None:
        try:
            taken[number] = committer.submit(draft(number))
        except Overloaded:
            pushed_back.append(number)
        assert committer.waiting() <= CAPACITY

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(one, numbers))
    return taken, pushed_back


def settled(committer: GroupCommitter, number: int) -> Appended:
    """Try again under the same key until the log says where the entry is."""
    until = time.monotonic() + 30.0
    while True:
        try:
            return committer.submit(draft(number)).result(20)
        except (AuditUnavailable, Overloaded):
            assert time.monotonic() < until
            time.sleep(0.02)


@pytest.mark.parametrize("name", STALLS)
def test_a_stall_loses_nothing_and_doubles_nothing(rig, committer, name):
    for number in (-1, -2):  # connections are open, statements planned
        settled(committer, number)
    with STALLS[name](rig):
        taken, pushed_back = offer(committer, range(ATTEMPTS))
        assert CAPACITY <= len(taken) < ATTEMPTS
        assert len(taken) + len(pushed_back) == ATTEMPTS
        time.sleep(0.2)
        assert not any(future.done() and future.exception() is None for future in taken.values())
    answered = {}
    for number, future in taken.items():
        try:
            answered[number] = future.result(LONGEST_STALL_SECONDS + 20)
        except AuditUnavailable:  # its statement was given up; the retry finds out
            continue
    found = {number: settled(committer, number) for number in range(ATTEMPTS)}
    for number, appended in answered.items():
        assert found[number].entry_id == appended.entry_id
        assert found[number].duplicate
    assert len({appended.entry_id for appended in found.values()}) == ATTEMPTS
    assert rig.count("entry") == rig.count("idempotency") == rig.count("payload") == ATTEMPTS + 2
    while rig.integrator.step(NOW):
        pass
    report = rig.fsck()
    assert (report.problems, report.tree_size, report.pending) == ((), ATTEMPTS + 2, 0)
    opened = [rig.log.open(rig.log.read(found[number].entry_id)) for number in range(0, ATTEMPTS, 50)]
    assert set(opened) == {b"p"}


def test_what_is_pushed_back_is_not_worked_on(rig, committer, monkeypatch):
    """An overloaded log spends nothing on encryption for those whom it turns away."""
    with locked(rig.database.admin_url):
        committer.submit(draft(-1))
        until = time.monotonic() + 10.0
        while committer.waiting():  # the transaction that is held up has it, and takes nothing further
            assert time.monotonic() < until
        offer(committer, range(ATTEMPTS))
        monkeypatch.setattr(type(rig.log), "prepare", None)
        with pytest.raises(Overloaded):
            committer.submit(draft(0))


def test_a_stall_that_outlasts_the_statement_is_unavailable(rig, committer):
    settled(committer, -1)
    with locked(rig.database.admin_url):
        future = committer.submit(draft(0))
        with pytest.raises(AuditUnavailable):
            future.result(LONGEST_STALL_SECONDS + 10)
    assert rig.count("entry") == 1
    assert not settled(committer, 0).duplicate


def test_the_keys_are_committed_first_and_nothing_is_answered_before_the_log_has_committed(rig, committer):
    settled(committer, -1)
    with locked(rig.database.admin_url):
        future = committer.submit(draft(0))
        with psycopg.connect(rig.database.keys_admin_url, autocommit=True) as connection:
            until = time.monotonic() + 10.0
            while connection.execute("select count(*) from keys.entry_key").fetchone() != (2,):
                assert time.monotonic() < until
        assert not future.done()
        assert rig.count("entry") == 1
    settled(committer, 0)
    assert rig.count("entry") == 2


def test_keys_go_ahead_while_the_log_commits(rig, committer):
    """Only the transaction that writes is stalled: the keys of those behind it are committed meanwhile."""
    settled(committer, -1)
    with locked(rig.database.admin_url):
        for number in range(40):
            committer.submit(draft(number))
        with psycopg.connect(rig.database.keys_admin_url, autocommit=True) as connection:
            until = time.monotonic() + 10.0
            while connection.execute("select count(*) from keys.entry_key").fetchone() != (41,):
                assert time.monotonic() < until
    assert len({settled(committer, number).entry_id for number in range(40)}) == 40
    assert rig.count("entry") == 41
