"""Many threads in two processes with the same keys: one entry for each key, and everybody is told which."""

from __future__ import annotations

import multiprocessing
import secrets
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit.commit import GroupCommitter
from audit.database import STATEMENT_TIMEOUT_MS
from audit.entry import Draft, Idempotency
from audit.errors import Conflict, EntryNotFound
from audit.integrate import Integrator
from audit.keys import KeyStore
from audit.log import AuditLog
from runtime.clock import FixedClock
from runtime.postgres import open_pool

NOW = datetime(2026, 11, 20, 10, 15, tzinfo=UTC)
Asked = tuple[int, int]
"""A key and a content that it shall stand for."""


@dataclass(frozen=True)
class Answered:
    """What one who asked was told."""

    asked: Asked
    kind: str
    entry_id: str


class _Committer:
    """The committer of one process."""

    made: GroupCommitter
    together: Any

    @classmethod
    def begin(cls, url: str, keys_url: str, together: Any) -> None:
        pool = open_pool(url, max_size=4)
        single = open_pool(url, max_size=4, autocommit=True, statement_timeout_ms=STATEMENT_TIMEOUT_MS)
        keys = open_pool(keys_url, max_size=4, autocommit=True)
        log = AuditLog(
            pool, KeyStore(keys, bytes(32)), origin="log.example/ofrecord", single_statements=single
        )
        cls.made = GroupCommitter(log, FixedClock(NOW), batch=5)
        cls.together = together


def _submit(tag: bytes, asked: Sequence[Asked]) -> list[Answered]:
    """Be one process: ask for all at once, when the other process does."""
    _Committer.together.wait(30)

    def one(want: Asked) -> Answered:
        key, content = want
        draft = Draft(
            "a.b",
            "x",
            {"content": content},
            private=b"%d" % content,
            subject=f"S-{key % 2}",
            idempotency=Idempotency(tag + bytes([key]), bytes([content])),
        )
        try:
            appended = _Committer.made.submit(draft).result(30)
        except Conflict as conflict:
            return Answered(want, "conflict", str(conflict.entry_id))
        return Answered(want, "duplicate" if appended.duplicate else "appended", str(appended.entry_id))

    with ThreadPoolExecutor(8) as threads:
        return list(threads.map(one, asked))


@pytest.fixture
def processes(rig) -> Iterator[ProcessPoolExecutor]:
    context = multiprocessing.get_context("spawn")
    arguments = (rig.database.url("service"), rig.database.keys_url("service"), context.Barrier(2))
    with ProcessPoolExecutor(2, mp_context=context, initializer=_Committer.begin, initargs=arguments) as pool:
        yield pool


WANTED = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2)), min_size=1, max_size=24)


def test_each_key_is_one_entry_whoever_asks(rig, processes):
    @settings(
        max_examples=25,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
        derandomize=True,
    )
    @given(WANTED, WANTED)
    def check(here: list[Asked], there: list[Asked]) -> None:
        tag, before = secrets.token_bytes(8), rig.count("entry")
        runs = [processes.submit(_submit, tag, asked) for asked in (here, there)]
        answers: dict[int, list[Answered]] = defaultdict(list)
        for run in runs:
            for answered in run.result(60):
                answers[answered.asked[0]].append(answered)
        for told in answers.values():
            (first,) = [one for one in told if one.kind == "appended"]
            assert {one.entry_id for one in told} == {first.entry_id}
            for one in told:
                same = one.asked[1] == first.asked[1]
                assert one is first or one.kind == ("duplicate" if same else "conflict")
        assert rig.count("entry") == before + len(answers)
        assert sum(map(len, answers.values())) == len(here) + len(there)

    check()
    while rig.integrator.step(NOW):
        pass
    assert rig.fsck().problems == ()


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(0, 3)),
        st.tuples(st.just("commit"), st.integers(0, 3)),
        st.tuples(st.just("roll back"), st.integers(0, 3)),
        st.tuples(st.just("integrate"), st.integers(1, 3)),
    ),
    max_size=30,
)


def test_whenever_a_transaction_ends_its_entries_are_integrated_once_and_never_before(rig):
    connections = [psycopg.connect(rig.database.url("service")) for _ in range(4)]

    @settings(
        max_examples=40,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
        derandomize=True,
    )
    @given(STEPS)
    def check(steps: list[tuple[str, int]]) -> None:
        open_ones: list[set[str]] = [set(), set(), set(), set()]
        committed: set[str] = set()
        before = in_tree(rig)
        for what, which in [*steps, *(("commit", number) for number in range(4)), ("integrate", 3)]:
            if what == "append":
                made = rig.log.append_one(Draft("a.b", "x", {}), NOW, connections[which])
                open_ones[which].add(str(made.entry_id))
            elif what == "integrate":
                Integrator(rig.integrator_pool, [rig.signer], rig.origin, batch=64).step(NOW)
                assert in_tree(rig) == before | committed
            else:
                committed |= open_ones[which] if what == "commit" else set()
                (connections[which].commit if what == "commit" else connections[which].rollback)()
                open_ones[which] = set()
        assert in_tree(rig) == before | committed

    try:
        check()
    finally:
        for connection in connections:
            connection.close()
    assert rig.fsck().problems == ()


def in_tree(rig) -> set[str]:
    with psycopg.connect(rig.database.url("auditor")) as connection:
        rows = connection.execute("select entry_id::text from audit.leaf").fetchall()
    assert len({row[0] for row in rows}) == len(rows)
    return {row[0] for row in rows}


def test_nothing_of_a_tree_is_shown_before_its_transaction_has_committed(rig):
    first = rig.log.append_one(Draft("a.b", "x", {}), NOW)
    rig.integrator.step(NOW)
    shown = rig.log.newest_checkpoint()
    second = rig.log.append_one(Draft("a.b", "x", {}), NOW)
    with psycopg.connect(rig.database.admin_url) as blocker, ThreadPoolExecutor(1) as threads:
        blocker.execute("lock table audit.checkpoint in share mode")
        step = threads.submit(rig.integrator.step, NOW)
        while not blocker.execute("select 1 from pg_locks where not granted").fetchone():
            assert not step.done()
        assert rig.log.newest_checkpoint() == shown
        assert rig.log.read(second.entry_id).index is None
        assert rig.log.evidence(second.entry_id) is None
        with pytest.raises(EntryNotFound):
            rig.log.entry_at(1)
        assert rig.log.evidence(first.entry_id) is not None
        blocker.rollback()
        assert step.result(10) == 1
    assert rig.log.newest_checkpoint().tree_size == 2
    assert rig.log.read(second.entry_id).index == 1
