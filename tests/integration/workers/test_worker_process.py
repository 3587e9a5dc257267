"""A real Celery worker, a real queue and the scheduler: progress, kill -9, a flushed queue, a polite stop."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from records.evaluations import cancel_evaluation
from runtime.broker import EVALUATE, make_celery, send
from runtime.clock import SystemClock
from runtime.embedded.state import locate
from runtime.embedded.valkey import ValkeyServer
from runtime.settings import Settings
from tests.oracles.worker_processes import POLICY, flush, kill_all, schedulers, worker


@pytest.fixture(autouse=True)
def empty_queue(valkey_url: str) -> Iterator[None]:
    """What one test left in the queue is nothing to the next."""
    flush(valkey_url)
    yield
    flush(valkey_url)


def _running(world: Any, evaluation_id: UUID) -> bool:
    found = world.read(evaluation_id)
    return found.state == "running" and found.progress > 0.0


def test_from_the_queue_to_the_record_with_growing_progress(
    world: Any, settings: Settings, until: Callable[..., Any]
) -> None:
    app = make_celery(settings)
    explanation_id = world.explain("slow")
    evaluation_id = world.request(explanation_id, "slow")
    assert world.read(evaluation_id).state == "queued"
    with worker(settings) as process:
        for _ in range(3):  # delivered more than once, done once
            send(app, EVALUATE, str(evaluation_id))
        seen = [0.0]

        def look() -> bool:
            found = world.read(evaluation_id)
            seen.append(found.progress)
            return bool(found.finished)

        until(look)
        cancelled = world.request(world.explain("slow", subject="S-2"), "slow")
        send(app, EVALUATE, str(cancelled))
        until(lambda: _running(world, cancelled))
        with world.pool.connection() as conn:
            cancel_evaluation(conn, world.log, cancelled, "token:test", SystemClock().now())
        quick = world.request(world.explain("quick", subject="S-3"))
        send(app, EVALUATE, str(quick))
        until(lambda: world.read(quick).finished)
        handed_on = world.request(world.explain("slow", subject="S-4"), "slow")
        send(app, EVALUATE, str(handed_on))
        until(lambda: _running(world, handed_on))
        told = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0
        assert time.monotonic() - told < 5.0
    assert (world.read(handed_on).state, world.read(handed_on).failure) == ("queued", "stopping")
    found = world.read(evaluation_id)
    assert (found.state, found.attempts, found.failure) == ("completed", 1, None)
    assert found.result["agrees"] is True
    assert found.result["max_abs_difference"] < 1e-4
    assert world.outcomes(explanation_id) == ["evaluation.completed"]
    assert seen == sorted(seen)
    assert len({progress for progress in seen if 0 < progress < 1}) >= 3
    assert world.read(cancelled).state == "cancelled"
    assert world.read(quick).result["agrees"] is True


def test_a_killed_worker_and_a_flushed_queue_lose_nothing(
    world: Any, settings: Settings, valkey_url: str, until: Callable[..., Any]
) -> None:
    explanation_id = world.explain("slow")
    evaluation_id = world.request(explanation_id, "slow")
    with schedulers(settings, 2):
        with worker(settings) as process:  # the message is never sent: the schedulers find the row
            until(lambda: _running(world, evaluation_id))
            kill_all(process)
            flush(valkey_url)
            assert world.read(evaluation_id).state == "running"
        others = [world.explain(subject=f"S-{n}") for n in range(3)]
        more = [world.request(explanation) for explanation in others]
        with worker(settings):
            until(lambda: world.read(evaluation_id).attempts >= 1 and world.read(more[0]).state != "queued")
            flush(valkey_url)
            until(lambda: all(world.read(one).finished for one in (evaluation_id, *more)))
            time.sleep(2 * POLICY.unclaimed_seconds)  # room for a second outcome, if there were one
    found = world.read(evaluation_id)
    assert (found.state, found.attempts) == ("completed", 2)
    assert found.result["agrees"] is True
    for explanation in (explanation_id, *others):
        assert world.outcomes(explanation) == ["evaluation.completed"]


def test_a_restarted_broker_is_found_again(
    world: Any, settings: Settings, servers_folder: Path, until: Callable[..., Any]
) -> None:
    place = locate(servers_folder / "again", system_root=servers_folder / "again-system")
    broker = ValkeyServer(place, password="test-only", log=servers_folder / "again.log")
    broker.start()
    settings = replace(settings, broker_url=broker.url)
    explanation_id = world.explain("slow")
    evaluation_id = world.request(explanation_id, "slow")
    try:
        with schedulers(settings, 1), worker(settings):
            until(lambda: _running(world, evaluation_id))
            broker.stop()
            later = world.request(world.explain(subject="S-2"))
            time.sleep(POLICY.unclaimed_seconds)
            broker.start()
            until(lambda: world.read(evaluation_id).finished and world.read(later).finished)
    finally:
        broker.stop()
    assert world.read(evaluation_id).state == "completed"
    assert world.outcomes(explanation_id) == ["evaluation.completed"]
