"""The scheduler: partitions are there ahead of time, by any number of schedulers; a broker may be away."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from audit.keys import KeyStore
from audit.log import AuditLog
from runtime.broker import make_celery
from runtime.clock import FixedClock, SystemClock
from runtime.postgres import open_pool
from runtime.settings import Settings
from workers import scheduling
from workers.policy import Policy
from workers.redelivering import QueueAway

POLICY = Policy(unclaimed_seconds=0.2, tick_seconds=0.02)


def test_schedulers_make_the_partitions_of_the_coming_months_once(
    settings: Settings, clock: FixedClock, until: Callable[..., Any]
) -> None:
    make_celery(settings)  # celery's lazy package does not bear its first import from three threads at once
    stop = threading.Event()
    with open_pool(settings.database_url) as pool, open_pool(settings.keys_database_url) as keys:
        log = AuditLog(pool, KeyStore(keys, settings.master_key), origin=settings.log_origin)
        month = clock.now().date()
        assert log.missing_partitions(month) != []
        with ThreadPoolExecutor(3) as threads:
            running = [
                threads.submit(scheduling.run, settings, stop, policy=POLICY, clock=clock) for _ in range(3)
            ]
            until(lambda: log.missing_partitions(month + timedelta(days=62)) == [])
            clock.advance(31 * 86_400)
            until(lambda: log.missing_partitions(month + timedelta(days=92)) == [])
            stop.set()
        for future in running:
            future.result()


class _Queue:
    """A queue that is away at first, and then says how much is waiting."""

    def __init__(self, *waiting: int | None) -> None:
        self.answers = list(waiting)
        self.sent: list[str] = []

    def waiting(self) -> int:
        answer = self.answers.pop(0)
        if answer is None:
            raise QueueAway
        return answer

    def send(self, evaluation_id: str, *, urgent: bool) -> None:
        assert not urgent
        self.sent.append(evaluation_id)


def test_a_broker_that_is_away_or_busy_is_not_sent_more(world: Any, settings: Settings) -> None:
    evaluation_id = world.request(world.explain())
    clock = FixedClock(SystemClock().now())
    clock.advance(1.0)
    queue = _Queue(None, 3, 0, 0)
    with open_pool(settings.database_url) as pool:
        scheduler = scheduling.Scheduler(pool, queue, POLICY, clock)
        scheduler.step()  # away: nothing is marked as sent
        scheduler.step()  # three messages are waiting, it is probably among them
        assert queue.sent == []
        scheduler.step()
        scheduler.step()
    assert queue.sent == [str(evaluation_id)]


def test_the_broker_tells_how_many_messages_are_waiting(settings: Settings) -> None:
    queue = scheduling.BrokerQueue(make_celery(settings))
    before = queue.waiting()
    for number in range(3):
        queue.send(str(number), urgent=number == 1)
    assert queue.waiting() == before + 3
    nowhere = replace(settings, broker_url="redis://127.0.0.1:1/0")
    with pytest.raises(QueueAway):
        scheduling.BrokerQueue(make_celery(nowhere)).waiting()
    with pytest.raises(QueueAway):
        scheduling.BrokerQueue(make_celery(nowhere)).send("x", urgent=True)
