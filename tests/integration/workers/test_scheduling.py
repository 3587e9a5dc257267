"""The scheduler: partitions are there ahead of time, by any number of schedulers; a broker may be away."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

from audit.keys import KeyStore
from audit.log import AuditLog
from runtime.broker import make_celery
from runtime.clock import FixedClock, SystemClock
from runtime.postgres import open_pool
from runtime.settings import Settings
from workers import scheduling
from workers.policy import Policy
from workers.redelivering import SendFailed

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


def test_an_absent_broker_is_waited_for(world: Any, settings: Settings, until: Callable[..., Any]) -> None:
    evaluation_id = world.request(world.explain())
    sent: list[str] = []

    def send_later(identifier: str) -> None:
        if not sent:
            sent.append("refused")
            raise SendFailed
        sent.append(identifier)

    with open_pool(settings.database_url) as pool:
        step = scheduling.scheduler_step(pool, send_later, POLICY, SystemClock())
        until(lambda: step() and len(sent) == 2)
    assert sent == ["refused", str(evaluation_id)]
