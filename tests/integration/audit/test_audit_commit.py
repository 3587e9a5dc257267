"""Group commit: many threads, one transaction, and no entry that pays for another's fault."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime

import psycopg
import pytest

from audit.commit import GroupCommitter
from audit.entry import Draft, Idempotency
from audit.errors import AuditUnavailable, Conflict, EntryRefused, MalformedEntry, NotCanonical, Overloaded

NOW = datetime(2026, 11, 20, 10, 15, tzinfo=UTC)
DRAFT = Draft("a.b", "x", {}, private=b"p", subject="S")


@pytest.fixture
def committer(rig, clock) -> Iterator[GroupCommitter]:
    made = GroupCommitter(rig.log, clock)
    yield made
    made.close()


@contextmanager
def blocked(rig) -> Iterator[None]:
    """Nothing commits while this lasts."""
    with psycopg.connect(rig.database.admin_url) as connection:
        connection.execute("lock table audit.entry in share row exclusive mode")
        yield


def wait_until_blocked(rig) -> None:
    with psycopg.connect(rig.database.admin_url, autocommit=True) as connection:
        waiting = "select 1 from pg_locks where not granted and relation = 'audit.entry'::regclass"
        while not connection.execute(waiting).fetchone():
            pass


def connections_end(rig, *, allowed: bool = True) -> None:
    """What a restart of the server does to those who are connected."""
    with psycopg.connect(rig.database.server.url(), autocommit=True) as connection:
        for name in (rig.database.name, rig.database.keys_name):
            connection.execute(f"alter database {name} allow_connections {allowed}")
            connection.execute(
                "select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = %s", (name,)
            )


def test_many_threads_share_transactions(rig, committer, clock):
    with ThreadPoolExecutor(32) as threads:
        futures = list(threads.map(lambda _: committer.submit(DRAFT), range(500)))
    results = [future.result(10) for future in futures]
    assert len({result.entry_id for result in results}) == 500
    assert {result.time for result in results} == {clock.now()}
    assert rig.count("entry") == rig.count("pending") == 500
    with psycopg.connect(rig.database.admin_url) as connection:
        (transactions,) = connection.execute("select count(distinct xmin::text) from audit.entry").fetchone()
    assert transactions < 500
    rig.integrator.step(NOW)
    assert rig.fsck().passed


def test_a_duplicate_and_a_conflict_come_back_as_themselves(committer):
    def keyed(fingerprint: bytes) -> Draft:
        return Draft("a.b", "x", {}, idempotency=Idempotency(b"key", fingerprint))

    first = committer.submit(keyed(b"1")).result(10)
    assert not first.duplicate
    assert committer.submit(keyed(b"1")).result(10).duplicate
    with pytest.raises(Conflict) as caught:
        committer.submit(keyed(b"2")).result(10)
    assert caught.value.entry_id == first.entry_id


def test_one_poisoned_draft_does_not_fail_its_neighbours(rig, committer):
    poison = Draft("a.b", "x", {}, private=b"p", retention_class="unheard_of")
    with blocked(rig):
        first = committer.submit(DRAFT)
        wait_until_blocked(rig)
        others = [committer.submit(DRAFT), committer.submit(poison), committer.submit(DRAFT)]
    assert first.result(10)
    assert others[0].result(10)
    assert others[2].result(10)
    with pytest.raises(EntryRefused):
        others[1].result(10)
    assert rig.count("entry") == 3


def test_what_is_wrong_with_a_draft_is_said_at_once(committer):
    with pytest.raises(NotCanonical):
        committer.submit(Draft("a.b", "x", {"score": 0.5}))
    with pytest.raises(MalformedEntry):
        committer.submit(Draft("nonsense", "x", {}))


def test_too_many_waiting_is_pushed_back(rig, clock):
    committer = GroupCommitter(rig.log, clock, capacity=2)
    with blocked(rig):
        futures = [committer.submit(DRAFT)]
        wait_until_blocked(rig)
        futures += [committer.submit(DRAFT), committer.submit(DRAFT)]
        assert committer.waiting() == 2
        with pytest.raises(Overloaded) as caught:
            committer.submit(DRAFT)
    assert caught.value.retry_after_seconds == 1
    assert all(future.result(10) for future in futures)
    committer.close()
    assert rig.count("entry") == 3


def test_who_gives_up_before_its_turn_is_not_recorded(rig, committer):
    with blocked(rig):
        first = committer.submit(DRAFT)
        wait_until_blocked(rig)
        second, third = committer.submit(DRAFT), committer.submit(DRAFT)
        assert second.cancel()
        assert not first.cancel()
    assert third.result(10)
    assert rig.count("entry") == 2


def test_what_fails_at_the_end_of_its_transaction_is_no_append(rig, committer):
    """The rows of the append are there before its commit: neither are they an answer before."""
    with psycopg.connect(rig.database.admin_url, autocommit=True) as admin:
        admin.execute("set event_triggers = off")
        admin.execute(
            "create function public.refuse() returns trigger language plpgsql as"
            " $$ begin raise exception 'not today' using errcode = 'integrity_constraint_violation'; end $$"
        )
        admin.execute(
            "create constraint trigger refusing after insert on audit.pending"
            " deferrable initially deferred for each row execute function public.refuse()"
        )
        for _ in range(8):  # prepared statements too
            with pytest.raises(EntryRefused):
                committer.submit(DRAFT).result(10)
        assert rig.count("entry") == 0
        admin.execute("drop trigger refusing on audit.pending")
    assert committer.submit(DRAFT).result(10)
    assert rig.count("entry") == 1


def test_a_database_that_does_not_answer_is_unavailable_and_nothing_is_recorded(rig, committer):
    with blocked(rig), pytest.raises(AuditUnavailable):
        committer.submit(DRAFT).result(10)
    assert rig.count("entry") == 0
    assert committer.submit(DRAFT).result(10)


def test_a_restart_of_the_server_is_survived(rig, committer):
    assert committer.submit(DRAFT).result(10)
    connections_end(rig, allowed=False)
    for _ in range(2):
        with pytest.raises(AuditUnavailable):
            committer.submit(DRAFT).result(20)
    connections_end(rig)
    for _ in range(50):
        try:
            assert committer.submit(DRAFT).result(20)
            break
        except AuditUnavailable:
            continue
    before = rig.count("entry")
    for _ in range(5):
        committer.submit(DRAFT).result(10)
    assert rig.count("entry") == before + 5


def test_after_an_unknown_commit_the_retry_finds_out(rig, clock, monkeypatch):
    really = type(rig.log).write
    answers = iter([AuditUnavailable()])

    def committed_but_cut_off(log, batch, conn=None):
        outcomes = really(log, batch, conn)
        for error in answers:
            raise error
        return outcomes

    monkeypatch.setattr(type(rig.log), "write", committed_but_cut_off)
    committer = GroupCommitter(rig.log, clock)
    draft = Draft("a.b", "x", {}, idempotency=Idempotency(b"key", b"f"))
    with pytest.raises(AuditUnavailable):
        committer.submit(draft).result(10)
    assert committer.submit(draft).result(10).duplicate
    assert rig.count("entry") == 1
    committer.close()


def test_large_entries_share_fewer_transactions(rig, committer):
    large = Draft("a.b", "x", {}, private=b"p" * (1 << 20), subject="S")
    with blocked(rig):
        futures = [committer.submit(DRAFT)]
        wait_until_blocked(rig)
        futures += [committer.submit(large) for _ in range(20)]
    assert all(future.result(20) for future in futures)
    with psycopg.connect(rig.database.admin_url) as connection:
        (transactions,) = connection.execute("select count(distinct xmin::text) from audit.entry").fetchone()
    assert transactions == 1 + 3


def test_closing_commits_what_waits(rig, clock):
    committer = GroupCommitter(rig.log, clock)
    futures = [committer.submit(DRAFT) for _ in range(300)]
    committer.close()
    assert all(future.done() and future.result() for future in futures)
    with pytest.raises(AuditUnavailable):
        committer.submit(DRAFT)
    assert rig.count("entry") == 300


def test_an_unexpected_error_fails_its_batch_and_not_the_thread(rig, clock, monkeypatch):
    really = type(rig.log).write
    errors = iter([RuntimeError("surprise")])

    def surprising(log, batch, conn=None):
        for error in errors:
            raise error
        return really(log, batch, conn)

    monkeypatch.setattr(type(rig.log), "write", surprising)
    committer = GroupCommitter(rig.log, clock)
    with pytest.raises(AuditUnavailable):
        committer.submit(DRAFT).result(10)
    assert committer.submit(DRAFT).result(10)
    committer.close()
