"""Evaluations in PostgreSQL: asked for with their log entry, moved only by who may, finished once."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from audit.entry import Draft
from audit.log import AuditLog
from records.evaluations import (
    Evaluation,
    EvaluationKindUnknown,
    EvaluationNotFound,
    EvaluationRequest,
    cancel_evaluation,
    outcome_body,
    outcome_idempotency,
    read_evaluation,
    request_evaluation,
)
from records.leases import (
    Outcome,
    claim_evaluation,
    due_for_redelivery,
    finish_evaluation,
    heartbeat_evaluation,
    release_evaluation,
)
from runtime.clock import FixedClock
from runtime.postgres import Pool

LEASE = timedelta(seconds=30)
PATIENCE = {"queued_for": timedelta(seconds=15), "expired_for": timedelta(seconds=15)}
EXPLANATION = "01936a3e-7c00-7000-8000-000000000001"
REQUEST = EvaluationRequest("kernelshap", "m", "1", {"explanation_id": EXPLANATION}, "token:alice")


def _request(service: tuple[Pool, AuditLog], clock: FixedClock) -> Evaluation:
    pool, log = service
    with pool.connection() as conn:
        return request_evaluation(conn, log, REQUEST, clock.now())


def _read(service: tuple[Pool, AuditLog], evaluation_id: UUID) -> Evaluation:
    with service[0].connection() as conn:
        return read_evaluation(conn, evaluation_id)


def _outcome(evaluation: Evaluation) -> Outcome:
    draft = Draft(
        type="evaluation.completed",
        actor="worker",
        body=outcome_body(evaluation),
        about=UUID(EXPLANATION),
        idempotency=outcome_idempotency(evaluation.evaluation_id),
    )
    return Outcome("completed", None, b'{"agrees":true}', (draft,))


def _types(service: tuple[Pool, AuditLog]) -> list[str]:
    """What the log holds about the explanation; one fixed time leaves the order open."""
    return sorted(stored.entry.type for stored in service[1].about(UUID(EXPLANATION)))


def test_a_request_is_a_row_and_an_entry_or_neither(
    service: tuple[Pool, AuditLog], clock: FixedClock
) -> None:
    made = _request(service, clock)
    assert (made.state, made.progress, made.attempts, made.result) == ("queued", 0.0, 0, None)
    assert made == _read(service, made.evaluation_id)
    entry = service[1].read(made.requested_entry_id).entry
    assert (entry.type, entry.actor, str(entry.about)) == ("evaluation.requested", "token:alice", EXPLANATION)
    assert entry.body == {
        "evaluation_id": str(made.evaluation_id),
        "kind": "kernelshap",
        "model": "m",
        "version": "1",
        "parameters": {"explanation_id": EXPLANATION},
    }
    with service[0].connection() as conn:
        lost = request_evaluation(conn, service[1], REQUEST, clock.now())
        conn.rollback()
    assert _types(service) == ["evaluation.requested"]
    with pytest.raises(EvaluationNotFound):
        _read(service, lost.evaluation_id)


def test_an_unknown_kind_is_refused_by_name(service: tuple[Pool, AuditLog], clock: FixedClock) -> None:
    request = EvaluationRequest("astrology", "m", "1", {}, "token:alice")
    with service[0].connection() as conn, pytest.raises(EvaluationKindUnknown, match="astrology"):
        request_evaluation(conn, service[1], request, clock.now())


def test_a_lease_is_held_by_one_and_taken_over_when_it_ran_out(
    service: tuple[Pool, AuditLog], worker: tuple[Pool, AuditLog], clock: FixedClock
) -> None:
    made = _request(service, clock)
    with worker[0].connection() as conn:
        first = claim_evaluation(conn, made.evaluation_id, "a", clock.now(), LEASE)
        assert first is not None
        assert (first.state, first.attempts, first.started_at) == ("running", 1, clock.now())
        assert claim_evaluation(conn, made.evaluation_id, "b", clock.now(), LEASE) is None
        clock.advance(20)
        until = clock.now() + LEASE
        assert heartbeat_evaluation(conn, made.evaluation_id, "a", until, 0.5) == "running"
        assert heartbeat_evaluation(conn, made.evaluation_id, "a", until, 0.25) == "running"
        clock.advance(29)
        assert claim_evaluation(conn, made.evaluation_id, "b", clock.now(), LEASE) is None
        clock.advance(2)
        second = claim_evaluation(conn, made.evaluation_id, "b", clock.now(), LEASE)
        assert second is not None
        assert (second.attempts, second.progress, second.started_at) == (2, 0.5, first.started_at)
        assert heartbeat_evaluation(conn, made.evaluation_id, "a", until, 0.9) == "lost"
        assert not release_evaluation(conn, made.evaluation_id, "a", clock.now(), "late")
        assert (
            finish_evaluation(conn, worker[1], (made.evaluation_id, "a"), _outcome(made), clock.now()) is None
        )
    assert _types(service) == ["evaluation.requested"]


def test_finishing_appends_one_outcome(
    service: tuple[Pool, AuditLog], worker: tuple[Pool, AuditLog], clock: FixedClock
) -> None:
    made = _request(service, clock)
    lease = (made.evaluation_id, "a")
    with worker[0].connection() as conn:
        claim_evaluation(conn, made.evaluation_id, "a", clock.now(), LEASE)
        entry_id = finish_evaluation(conn, worker[1], lease, _outcome(made), clock.now())
        assert finish_evaluation(conn, worker[1], lease, _outcome(made), clock.now()) is None
    found = _read(service, made.evaluation_id)
    assert (found.state, found.progress, found.outcome_entry_id) == ("completed", 1.0, entry_id)
    assert found.result == {"agrees": True}
    assert found.finished
    assert _types(service) == ["evaluation.completed", "evaluation.requested"]


def test_a_released_lease_is_queued_again_and_names_what_was_met(
    service: tuple[Pool, AuditLog], worker: tuple[Pool, AuditLog], clock: FixedClock
) -> None:
    made = _request(service, clock)
    with worker[0].connection() as conn:
        claim_evaluation(conn, made.evaluation_id, "a", clock.now(), LEASE)
        assert release_evaluation(conn, made.evaluation_id, "a", clock.now(), "database-away")
        assert heartbeat_evaluation(conn, made.evaluation_id, "a", clock.now(), 0.1) == "lost"
        assert due_for_redelivery(conn, clock.now(), **PATIENCE, at_most=9) == []
        clock.advance(16)
        due = due_for_redelivery(conn, clock.now(), **PATIENCE, at_most=9)
        assert due == [made.evaluation_id]
    found = _read(service, made.evaluation_id)
    assert (found.state, found.failure) == ("queued", "database-away")


def test_cancelling_appends_its_entry_once_and_stops_the_holder(
    service: tuple[Pool, AuditLog], worker: tuple[Pool, AuditLog], clock: FixedClock
) -> None:
    made = _request(service, clock)
    pool, log = service
    with worker[0].connection() as conn:
        claim_evaluation(conn, made.evaluation_id, "a", clock.now(), LEASE)
    for _ in range(2):
        with pool.connection() as conn:
            found = cancel_evaluation(conn, log, made.evaluation_id, "token:bob", clock.now())
        assert found.state == "cancelled"
        assert found.outcome_entry_id is not None
    with worker[0].connection() as conn:
        assert heartbeat_evaluation(conn, made.evaluation_id, "a", clock.now(), 0.1) == "cancelled"
        lease = (made.evaluation_id, "a")
        assert finish_evaluation(conn, worker[1], lease, _outcome(made), clock.now()) is None
    assert _types(service) == ["evaluation.cancelled", "evaluation.requested"]
    with pool.connection() as conn, pytest.raises(EvaluationNotFound):
        cancel_evaluation(conn, log, uuid4(), "token:bob", clock.now())


def test_a_race_of_cancel_and_completion_leaves_one_outcome(
    service: tuple[Pool, AuditLog], worker: tuple[Pool, AuditLog], clock: FixedClock
) -> None:
    finals = set()
    for _ in range(8):
        made = _request(service, clock)
        with worker[0].connection() as conn:
            claim_evaluation(conn, made.evaluation_id, "a", clock.now(), LEASE)
        gate = threading.Barrier(2)

        def complete(made: Evaluation = made, gate: threading.Barrier = gate) -> None:
            with worker[0].connection() as conn:
                gate.wait()
                finish_evaluation(conn, worker[1], (made.evaluation_id, "a"), _outcome(made), clock.now())

        thread = threading.Thread(target=complete)
        thread.start()
        with service[0].connection() as conn:
            gate.wait()
            cancel_evaluation(conn, service[1], made.evaluation_id, "token:bob", clock.now())
        thread.join()
        found = _read(service, made.evaluation_id)
        assert found.outcome_entry_id is not None
        outcome = service[1].read(found.outcome_entry_id).entry
        assert outcome.type == f"evaluation.{found.state}"
        finals.add(found.evaluation_id)
    outcomes = [kind for kind in _types(service) if kind != "evaluation.requested"]
    assert len(outcomes) == len(finals) == 8


def test_what_is_due_is_sent_once_by_any_number_of_schedulers(
    service: tuple[Pool, AuditLog], worker: tuple[Pool, AuditLog], clock: FixedClock
) -> None:
    unclaimed, expired, held, finished = (_request(service, clock) for _ in range(4))
    with worker[0].connection() as conn:
        for made in (expired, held, finished):
            claim_evaluation(conn, made.evaluation_id, "a", clock.now(), LEASE)
        finish_evaluation(conn, worker[1], (finished.evaluation_id, "a"), _outcome(finished), clock.now())
        clock.advance(10)
        assert due_for_redelivery(conn, clock.now(), **PATIENCE, at_most=9) == []
        clock.advance(21)
        until = clock.now() + LEASE
        heartbeat_evaluation(conn, held.evaluation_id, "a", until, 0.1)
    with worker[0].connection() as one, worker[0].connection() as other:
        now = clock.now()
        (first,) = due_for_redelivery(one, now, **PATIENCE, at_most=1)
        (second,) = due_for_redelivery(other, now, **PATIENCE, at_most=9)
        assert due_for_redelivery(one, now, **PATIENCE, at_most=9) == []
    assert {first, second} == {unclaimed.evaluation_id, expired.evaluation_id}
    with worker[0].connection() as conn:
        assert due_for_redelivery(conn, clock.now(), **PATIENCE, at_most=9) == []
        clock.advance(16)
        patient = {**PATIENCE, "queued_for": timedelta(seconds=600)}
        (left,) = due_for_redelivery(conn, clock.now(), **patient, at_most=9)
        assert left == expired.evaluation_id
        heartbeat_evaluation(conn, held.evaluation_id, "a", clock.now() + LEASE, 0.2)
        clock.advance(16)
        again = due_for_redelivery(conn, clock.now(), **PATIENCE, at_most=9)
    assert set(again) == {unclaimed.evaluation_id, expired.evaluation_id}


FORBIDDEN = (
    ("service", "update records.evaluation set state = 'queued'"),
    ("worker", "update records.evaluation set progress = 1"),
    ("worker", "delete from records.evaluation"),
    ("service", "insert into records.evaluation default values"),
    ("service", "select records.claim_evaluation_v1(null, null, null, null)"),
    ("service", "select records.finish_evaluation_v1(null, null, null, null, null, null)"),
    ("worker", "select records.cancel_evaluation_v1(null, null)"),
    ("worker", "select records.request_evaluation_v1(null, null, null, null, null, null, null, null)"),
    ("auditor", "select records.cancel_evaluation_v1(null, null)"),
    ("integrator", "select * from records.evaluation"),
)


def test_nobody_does_more_than_their_part(database: Any) -> None:
    for role, statement in FORBIDDEN:
        with psycopg.connect(database.url(role)) as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute(statement.encode())


def test_an_evaluation_finishes_only_in_a_state_it_can_finish_in(database: Any, clock: FixedClock) -> None:
    statement = b"select records.finish_evaluation_v1(%s, 'a', %s, 'cancelled', null, null)"
    with (
        psycopg.connect(database.url("worker")) as conn,
        pytest.raises(psycopg.errors.CheckViolation, match="cannot finish as cancelled"),
    ):
        conn.execute(statement, (uuid4(), clock.now()))
