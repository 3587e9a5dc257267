"""One evaluation in this very process: right numbers, named failures, retries, interruptions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import orjson
import psycopg
import pytest

from audit.errors import AuditUnavailable
from records.evaluations import cancel_evaluation
from runtime.clock import SystemClock
from runtime.settings import Settings
from workers import evaluating
from workers.crosschecking import cross_check_explanation
from workers.errors import EvaluationStopped
from workers.evaluating import evaluate
from workers.policy import Policy
from workers.resources import Resources, open_resources


@pytest.fixture
def resources(settings: Settings) -> Iterator[Resources]:
    with open_resources(settings, Policy(heartbeat_seconds=0.02)) as opened:
        yield opened


def test_the_recorded_values_are_found_again_by_another_method(world: Any, resources: Resources) -> None:
    explanation_id = world.explain()
    evaluation_id = world.request(explanation_id)
    evaluate(resources, evaluation_id)
    found = world.read(evaluation_id)
    assert (found.state, found.progress, found.failure) == ("completed", 1.0, None)
    assert found.result is not None
    assert found.result["agrees"] is True
    assert found.result["exact"] is True
    assert found.result["max_abs_difference"] < 1e-5
    assert (found.result["top_4_agreement"], found.result["sign_agreement"]) == (1.0, 1.0)
    assert found.result["evaluations"] >= 2**11 * 40
    stored = world.log.read(found.outcome_entry_id)
    assert (stored.entry.type, stored.entry.about) == ("evaluation.completed", explanation_id)
    assert stored.entry.retention_class == "consumer_credit"
    assert b"phi" not in stored.canonical
    assert b"S-1" not in stored.canonical
    private = orjson.loads(world.log.open(stored))
    estimated = np.array([float(row["estimated"]) for row in private["values"]])
    assert np.abs(estimated - world.versions["quick"].phi).max() < 1e-5
    assert float(private["base_value"]) == pytest.approx(world.versions["quick"].base_value, abs=1e-5)


def test_a_falsified_record_raises_an_incident(world: Any, resources: Resources) -> None:
    explanation_id = world.explain(shift=0.01)
    evaluation_id = world.request(explanation_id)
    evaluate(resources, evaluation_id)
    found = world.read(evaluation_id)
    assert found.result is not None
    assert found.result["agrees"] is False
    assert found.result["max_abs_difference"] == pytest.approx(0.01, abs=1e-5)
    assert world.outcomes(explanation_id) == ["evaluation.completed", "incident.raised"]
    (incident,) = [s for s in world.log.about(explanation_id) if s.entry.type == "incident.raised"]
    assert incident.entry.body["kind"] == "cross-check-disagreement"
    assert orjson.loads(world.log.open(incident)) == {"decision_id": "A-1"}


def test_a_second_delivery_changes_nothing(world: Any, resources: Resources) -> None:
    explanation_id = world.explain()
    evaluation_id = world.request(explanation_id)
    evaluate(resources, evaluation_id)
    first = world.read(evaluation_id)
    evaluate(resources, evaluation_id)
    evaluate(resources, uuid4())
    assert world.read(evaluation_id) == first
    assert world.outcomes(explanation_id) == ["evaluation.completed"]


def test_failures_have_names(world: Any, resources: Resources, database: Any) -> None:
    unknown = world.request(uuid4())
    elsewhere = world.request(world.explain("quick"), "slow")
    (request_entry,) = world.log.about(UUID(world.read(unknown).parameters["explanation_id"]))
    not_one = world.request(request_entry.entry.entry_id)
    erased_explanation = world.explain(subject="S-erased")
    erased = world.request(erased_explanation)
    _erase(world, database, erased_explanation)
    for evaluation_id, reason in (
        (unknown, "explanation-unknown"),
        (elsewhere, "explanation-of-another-version"),
        (not_one, "not-an-explanation"),
        (erased, "explanation-erased"),
    ):
        evaluate(resources, evaluation_id)
        found = world.read(evaluation_id)
        assert (found.state, found.failure, found.result) == ("failed", reason, None)
        entry = world.log.read(found.outcome_entry_id).entry
        assert (entry.type, entry.body["reason"]) == ("evaluation.failed", reason)


def _erase(world: Any, database: Any, explanation_id: UUID) -> None:
    key_id = world.log.read(explanation_id).entry.private.key_id
    with psycopg.connect(database.keys_admin_url) as conn:
        conn.execute(
            b"update keys.entry_key set wrapped = null, destroyed_at = %s where key_id = %s",
            (SystemClock().now(), key_id),
        )


@contextmanager
def _work(work: evaluating.Work) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluating, "WORK", {"kernelshap": work})
        yield


def _raising(error: Exception) -> evaluating.Work:
    def work(*_: object) -> Any:
        raise error

    return work


def test_what_passes_is_tried_again_and_named_when_it_does_not(world: Any, settings: Settings) -> None:
    explanation_id = world.explain()
    evaluation_id = world.request(explanation_id)
    with open_resources(settings, Policy(max_attempts=3)) as resources:
        with _work(_raising(AuditUnavailable())):
            evaluate(resources, evaluation_id)
        found = world.read(evaluation_id)
        assert (found.state, found.failure, found.attempts) == ("queued", "database-away", 1)
        with _work(_raising(ZeroDivisionError("a secret"))):
            evaluate(resources, evaluation_id)
            assert world.read(evaluation_id).failure == "error: ZeroDivisionError"
            evaluate(resources, evaluation_id)
    found = world.read(evaluation_id)
    assert (found.state, found.failure, found.attempts) == ("failed", "error: ZeroDivisionError", 3)
    assert world.outcomes(explanation_id) == ["evaluation.failed"]


def test_an_evaluation_that_kills_its_workers_is_given_up(world: Any, settings: Settings) -> None:
    explanation_id = world.explain()
    evaluation_id = world.request(explanation_id)
    with open_resources(settings, Policy(max_attempts=2, lease_seconds=-1.0)) as resources:
        with _work(_raising(EvaluationStopped("lost"))):  # as if the process were gone
            evaluate(resources, evaluation_id)
            evaluate(resources, evaluation_id)
        assert world.read(evaluation_id).state == "running"
        evaluate(resources, evaluation_id)
    found = world.read(evaluation_id)
    assert (found.state, found.failure) == ("failed", "attempts-exhausted")
    assert world.outcomes(explanation_id) == ["evaluation.failed"]


def test_a_worker_that_must_stop_gives_its_lease_back(world: Any, resources: Resources) -> None:
    evaluation_id = world.request(world.explain())
    evaluate(replace(resources, stopping=lambda: True), evaluation_id)
    found = world.read(evaluation_id)
    assert (found.state, found.failure, found.outcome_entry_id) == ("queued", "stopping", None)


def test_work_without_end_is_ended(world: Any, settings: Settings) -> None:
    evaluation_id = world.request(world.explain())
    with open_resources(settings, Policy(work_seconds=-1.0)) as resources:
        evaluate(resources, evaluation_id)
    assert (world.read(evaluation_id).state, world.read(evaluation_id).failure) == ("failed", "time-limit")


def test_a_lost_database_costs_time_and_nothing_else(
    world: Any, settings: Settings, admin: Any, until: Callable[..., Any]
) -> None:
    explanation_id = world.explain()
    evaluation_id = world.request(explanation_id)

    def work(resources: Resources, evaluation: Any, lease: Any) -> Any:
        outcome = cross_check_explanation(resources, evaluation, lease)
        admin.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'ofrecord_worker'"
        )
        return outcome

    with open_resources(settings, Policy(lease_seconds=0.1, heartbeat_seconds=9.0)) as resources:
        with _work(work):
            evaluate(resources, evaluation_id)
        assert world.read(evaluation_id).state == "running"
        until(lambda: evaluate(resources, evaluation_id) or world.read(evaluation_id).finished)
    assert world.read(evaluation_id).state == "completed"
    assert world.outcomes(explanation_id) == ["evaluation.completed"]


def test_a_cancelled_evaluation_stops_between_chunks(
    world: Any, resources: Resources, until: Callable[..., Any]
) -> None:
    explanation_id = world.explain()
    evaluation_id = world.request(explanation_id)
    progress: list[float] = []

    def work(_: Resources, __: object, lease: Any) -> Any:
        with world.pool.connection() as conn:
            cancel_evaluation(conn, world.log, evaluation_id, "token:test", SystemClock().now())
        until(lambda: progress.append(0.5) or lease.report(0.5))

    with _work(work):
        evaluate(resources, evaluation_id)
    assert progress
    assert world.read(evaluation_id).state == "cancelled"
    assert world.outcomes(explanation_id) == ["evaluation.cancelled"]
