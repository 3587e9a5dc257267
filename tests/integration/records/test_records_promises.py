"""A promise on record becomes an evaluation once, whoever comes first and whoever dies in between."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from audit.entry import Draft
from records.evaluations import read_evaluation
from records.promises import Promise, project_promises, promise_counterfactuals, promise_of


def _promise(office: Any, named: object = None) -> tuple[UUID, UUID]:
    """An explanation on record that promises an evaluation."""
    evaluation_id = uuid4()
    explanation_id = office.decide(counterfactual_evaluation_id=named or str(evaluation_id))
    return explanation_id, evaluation_id


def _project(office: Any, limit: int = 500) -> int:
    read = 0
    while True:
        with office.worker.connection() as conn:
            entries = project_promises(conn, limit)
        assert entries is not None
        if not entries:
            return read
        read += entries


def _rows(office: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(office.admin_url) as conn:
        return conn.execute("select * from records.evaluation order by evaluation_id").fetchall()


def _of(office: Any, explanation_id: UUID) -> Promise:
    promise = promise_of(office.log.read(explanation_id).entry)
    assert promise is not None
    return promise


@pytest.mark.parametrize("limit", [1, 2, 500])
def test_every_promise_of_the_log_becomes_a_queued_evaluation(office: Any, limit: int) -> None:
    made = []
    for _ in range(3):
        office.decide()
        made.append(_promise(office))
        office.step(made[-1][0], "notice.rendered", template="adverse_action")
    office.integrate()
    assert _project(office, limit) == 9
    for explanation_id, evaluation_id in made:
        with office.service.connection() as conn:
            found = read_evaluation(conn, evaluation_id)
        entry = office.log.read(explanation_id).entry
        assert (found.kind, found.state, found.attempts) == ("counterfactual", "queued", 0)
        assert found.parameters == {"explanation_id": str(explanation_id)}
        assert (found.model, found.version, found.requested_by) == ("loans", "1", "token:t")
        assert (found.requested_entry_id, found.requested_at) == (explanation_id, entry.time)
    assert len(_rows(office)) == 3
    assert _project(office) == 0


def test_the_row_is_the_same_whoever_inserts_it(office: Any) -> None:
    first, second = _promise(office), _promise(office)
    promises = [_of(office, first[0]), _of(office, second[0])]
    with office.service.connection() as conn:
        assert set(promise_counterfactuals(conn, promises)) == {first[1], second[1]}
    by_service = _rows(office)
    with office.service.connection() as conn:
        assert promise_counterfactuals(conn, promises) == []
        assert promise_counterfactuals(conn, []) == []
    office.integrate()
    _project(office)
    assert _rows(office) == by_service
    with psycopg.connect(office.admin_url) as conn:
        conn.execute("delete from records.evaluation")
        conn.execute("update records.projection set next_index = 0 where name = 'promises'")
    _project(office)
    assert _rows(office) == by_service


def test_a_promise_whose_turn_was_rolled_back_is_read_again(office: Any) -> None:
    _promise(office)
    office.integrate()
    with office.worker.connection() as conn:
        assert project_promises(conn, 500) == 1
        conn.rollback()
    assert _rows(office) == []
    assert _project(office) == 1
    assert len(_rows(office)) == 1


def test_only_one_reads_at_a_time(office: Any, database: Any) -> None:
    _promise(office)
    office.integrate()
    with office.worker.connection() as conn, psycopg.connect(database.url("worker")) as other:
        assert project_promises(conn, 500) == 1
        assert project_promises(other, 500) is None


def test_what_is_no_promise_promises_nothing(office: Any) -> None:
    _promise(office, named="soon")
    office.decide(counterfactual_evaluation_id=None)
    other = Draft("explanation.read", "token:t", {"counterfactual_evaluation_id": str(uuid4())})
    office.log.append_one(other, office.now)
    office.integrate()
    assert _project(office) == 3
    assert _rows(office) == []


def test_a_promise_does_not_touch_an_evaluation_that_is_there(office: Any) -> None:
    explanation_id, evaluation_id = _promise(office)
    promise = _of(office, explanation_id)
    with office.service.connection() as conn:
        promise_counterfactuals(conn, [promise])
        assert promise_counterfactuals(conn, [replace(promise, requested_by="token:other")]) == []
        assert read_evaluation(conn, evaluation_id).requested_by == "token:t"


def test_neither_auditor_nor_integrator_may_promise(office: Any, database: Any) -> None:
    promise = _of(office, _promise(office)[0])
    for role in ("auditor", "integrator"):
        with psycopg.connect(database.url(role)) as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
            promise_counterfactuals(conn, [promise])
    with psycopg.connect(database.url("service")) as conn:
        statement = "select records.advance_projection_v1('promises', 0, 1, null)"
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute(statement)
