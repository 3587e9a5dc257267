"""Deferred counterfactuals in real worker processes: killed in the middle, and ahead of a long queue."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from records.private import parse_supplement
from runtime.broker import EVALUATE, make_celery, send
from runtime.settings import Settings
from tests.oracles.deferred_explanations import defer, freedoms
from tests.oracles.enumerated_versions import FEATURES, Prepared, prepare
from tests.oracles.records import asked_part
from tests.oracles.worker_processes import POLICY, flush, kill_all, schedulers, worker

EFFORT = 20_000  # seconds of an exact search that goes on for minutes if it may
WIDE = {
    name: {"mutable": True, "range": [-4, 4], "step": 0.01} for name in (f"f{n}" for n in range(FEATURES))
}
FAR = asked_part(target={"score": 0.01, "direction": "below", "wanted_class": None})


@pytest.fixture(scope="module")
def versions(versions: dict[str, Prepared]) -> dict[str, Prepared]:
    """One model beside two ideas of what may change: little, and everything."""
    quick = versions["quick"]
    artifact, rows = quick.content.blobs[1], quick.reference.rows
    names = [f"f{n}" for n in range(FEATURES)]
    wide = {"features": WIDE, "max_changes": FEATURES}
    return {
        "quick": quick,
        "open": prepare("open", names, artifact, rows, counterfactuals=freedoms(("f0", "f1"))),
        "wide": prepare("wide", names, artifact, rows, counterfactuals=wide),
    }


@pytest.fixture(autouse=True)
def empty_queue(valkey_url: str) -> Iterator[None]:
    """What one test left in the queue is nothing to the next."""
    flush(valkey_url)
    yield
    flush(valkey_url)


def test_a_worker_killed_in_the_middle_leaves_one_supplement_all_the_same(
    world: Any, settings: Settings, until: Callable[..., Any]
) -> None:
    explanation_id, evaluation_id = defer(world, "wide", asked=FAR)

    def searching() -> bool:
        found = world.read(evaluation_id)
        assert not found.finished
        return found.state == "running" and found.progress > 0.1

    with schedulers(settings, 2):  # they send it: nobody else does here
        with worker(settings, EFFORT) as process:
            until(searching, 120.0)
            kill_all(process)
        assert world.outcomes(explanation_id) == []
        with worker(settings, EFFORT):
            until(lambda: world.read(evaluation_id).finished, 120.0)
            time.sleep(2 * POLICY.unclaimed_seconds)  # room for a second supplement, if there were one
    found = world.read(evaluation_id)
    assert (found.state, found.attempts, found.failure) == ("completed", 2, None)
    assert world.outcomes(explanation_id) == ["explanation.supplemented"]
    (stored,) = world.log.about(explanation_id, "explanation.supplemented")
    assert stored.entry.entry_id == found.outcome_entry_id
    part = parse_supplement(world.log.open(stored))["counterfactuals"]
    assert part["items"]
    assert all(item["score"] < 0.01 for item in part["items"])
    states = {row["method"]: row["state"] for row in part["effort"]}
    assert states["exact_search"] == "stopped"  # so it was in its middle when it was killed


def test_a_deferred_search_does_not_wait_behind_an_audit(
    world: Any, settings: Settings, until: Callable[..., Any]
) -> None:
    app = make_celery(settings)
    audits = [world.request(world.explain(subject=f"S-{n}")) for n in range(4)]
    for audit in audits:
        send(app, EVALUATE, str(audit))
    _, evaluation_id = defer(world)
    send(app, EVALUATE, str(evaluation_id), urgent=True)
    with worker(settings):
        until(lambda: all(world.read(one).finished for one in (*audits, evaluation_id)), 120.0)
    started = {one: world.read(one).started_at for one in (*audits, evaluation_id)}
    assert min(started, key=lambda one: started[one]) == evaluation_id
