"""The scheduler keeps the table of notices; several of them, and an entry nobody can read, do no harm."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from audit.entry import Draft
from audit.integrate import Integrator
from audit.note import Signer
from records.notices import list_notices, read_as_of
from runtime.broker import make_celery
from runtime.clock import FixedClock, SystemClock
from runtime.metrics import NOTICES_BEHIND_ENTRIES, NOTICES_BEHIND_SECONDS
from runtime.postgres import open_pool
from workers import integrating, scheduling
from workers.policy import Policy
from workers.projecting import Projector

POLICY = Policy(tick_seconds=0.02, project_entries=7, project_at_most=3)


def _decide(log: Any, **body: Any) -> UUID:
    told = {
        "model": "m",
        "version": "quick",
        "action": "denial",
        "notice_clock": "completed_application",
        "notice_due_at": "2026-01-31T00:00:00.000000Z",
        "notice_blocked": False,
        **body,
    }
    draft = Draft("explanation.created", "token:t", told, private=b"{}", subject="S")
    found: UUID = log.append_one(draft, SystemClock().now()).entry_id
    return found


def test_two_schedulers_and_an_integrator_bring_every_notice_into_the_table(
    service: Any, settings: Any, integrator_settings: Any, until: Callable[..., Any]
) -> None:
    make_celery(settings)  # celery's lazy package does not bear its first import from two threads at once
    pool, log = service
    stop = threading.Event()
    with ThreadPoolExecutor(3) as threads:
        running = [threads.submit(scheduling.run, settings, stop, policy=POLICY) for _ in range(2)]
        running.append(threads.submit(integrating.run, integrator_settings, stop))
        decided = {_decide(log) for _ in range(60)}

        def listed() -> set[UUID]:
            with pool.connection() as conn:
                now = SystemClock().now()
                page = list_notices(conn, now, state="overdue", model="m", cursor=None, limit=100)
            return {row.explanation_id for row in page.rows}

        until(lambda: listed() == decided)
        stop.set()
    for future in running:
        future.result()
    with pool.connection() as conn:
        as_of = read_as_of(conn)
    assert as_of.entries == as_of.tree_size


def test_an_entry_that_cannot_be_read_stops_the_table_and_not_the_scheduler(
    service: Any, database: Any, clock: FixedClock
) -> None:
    _, log = service
    _decide(log)
    _decide(log, notice_due_at="soon")
    with open_pool(database.url("integrator")) as pool:
        Integrator(pool, [Signer.generate("test.example/log")], "test.example/log").step(clock.now())
    with open_pool(database.url("worker")) as pool:
        one_by_one = Projector(pool, Policy(project_entries=1), clock)
        assert one_by_one.step() == 0
        assert one_by_one.step() == 0
        with pool.connection() as conn:
            assert (read_as_of(conn).entries, read_as_of(conn).tree_size) == (1, 2)
    assert NOTICES_BEHIND_ENTRIES._value.get() == 1


def test_the_numbers_say_how_far_behind_the_table_is(
    service: Any, database: Any, clock: FixedClock, caplog: pytest.LogCaptureFixture
) -> None:
    _, log = service
    for _ in range(3):
        _decide(log)
    with open_pool(database.url("integrator")) as pool:
        Integrator(pool, [Signer.generate("test.example/log")], "test.example/log").step(clock.now())
    late = FixedClock(SystemClock().now() + timedelta(minutes=5))
    with open_pool(database.url("worker")) as pool:
        projector = Projector(pool, Policy(project_entries=1, project_at_most=2), late)
        assert projector.step() == 2
        assert NOTICES_BEHIND_ENTRIES._value.get() == 1
        assert 299 < NOTICES_BEHIND_SECONDS._value.get() < 400
        assert "the table of notices is behind the log" in caplog.text
        assert projector.step() == 1
        assert (NOTICES_BEHIND_ENTRIES._value.get(), NOTICES_BEHIND_SECONDS._value.get()) == (0, 0)
