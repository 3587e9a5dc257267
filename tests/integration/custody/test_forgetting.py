"""What else is kept about a decision: an erasure reaches it, or it holds nothing personal."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import psycopg
import pytest

from audit.custody import append_clear, forget_indexes
from audit.entry import Draft
from audit.errors import CustodyRefused, MalformedEntry
from records import executions
from records.evaluations import EvaluationRequest, read_evaluation, request_evaluation
from records.leases import claim_evaluation, heartbeat_evaluation
from records.promises import promise_counterfactuals, promise_of
from tests.integration.custody.conftest import NOW, House

# A column may name a decision or a person by what it is called, or by what it may hold.
NAMES = """
    select table_schema || '.' || table_name as name
    from information_schema.columns
    where table_schema in ('audit', 'records', 'registry') and table_name !~ '^payload_'
      and (column_name ~ 'explanation|decision|subject|entry|about|request_key'
           or column_name ~ 'parameters|result|answer|canonical|cipher')
    group by 1 order by 1
"""
REACHED = {
    "audit.payload": "its ciphertext opens with no key any more",
    "audit.idempotency": "audit.forget_indexes_v1",
    "records.erasure": "the request's keyed HMAC is emptied a day after the end",
    "records.evaluation": "records.forget_decisions_v1",
}
NOTHING_PERSONAL = {
    "audit.entry": "the clear part has no decision id, subject or value (decision record 0004)",
    "audit.leaf": "ids and hashes",
    "audit.pending": "ids of entries",
    "records.decision": "what the clear entry of a decision says",
    "records.expiry": "a class, a month and counts",
    "records.hold": "ids: a subject by its key's, which is destroyed",
    "records.notice": "ids, dates and words from closed lists, all of which the clear entries say",
    "registry.catalogue": "the entry of its registration",
    "registry.catalogue_change": "the entry of a change of a model version",
    "registry.model_version": "the entries of its registration and status",
    "registry.status_change": "the entry of a change of a model version",
}


def test_every_table_that_could_point_at_a_person_is_accounted_for(house: House) -> None:
    found = {row["name"] for row in house.rows(NAMES)}
    assert found - REACHED.keys() - NOTHING_PERSONAL.keys() == set()
    assert found >= REACHED.keys()


def test_evaluations_of_an_erased_decision_are_cancelled_and_emptied(house: House, half_a_year) -> None:
    promised = uuid4()
    decision = house.decide("S-1", counterfactual_evaluation_id=str(promised))
    other = house.decide("S-2")
    asked = [_ask(house, decision), _ask(house, decision), _ask(house, other)]
    promise = promise_of(house.log.read(decision).entry)
    with house.service.connection() as conn:
        promise_counterfactuals(conn, [promise])
    with psycopg.connect(house.database.url("worker")) as conn:
        claim_evaluation(conn, asked[1], "worker", NOW, timedelta(days=365))
    house.to(NOW + half_a_year)
    erasure = house.erase()
    house.turn()
    assert house.look(erasure).evaluations == 3
    with house.service.connection() as conn:
        gone = [read_evaluation(conn, one) for one in (promised, *asked[:2])]
        kept = read_evaluation(conn, asked[2])
        assert promise_counterfactuals(conn, [promise]) == []  # its row is there, and nobody makes it again
    assert [(one.state, dict(one.parameters), one.result) for one in gone] == [("cancelled", {}, None)] * 3
    assert (kept.state, kept.parameters["explanation_id"]) == ("queued", str(other))
    with psycopg.connect(house.database.url("worker")) as conn:
        assert heartbeat_evaluation(conn, asked[1], "worker", NOW, 0.5) == "cancelled"


def test_what_an_evaluation_found_is_emptied_too(house: House, half_a_year) -> None:
    decision = house.decide("S-1")
    asked = _ask(house, decision)
    with psycopg.connect(house.database.admin_url) as conn:
        conn.execute(
            "update records.evaluation set state = 'completed', finished_at = %s, result = %s",
            (NOW, b'{"error":"0.1"}'),
        )
    house.to(NOW + half_a_year)
    house.erase()
    house.turn()
    with house.service.connection() as conn:
        found = read_evaluation(conn, asked)
    assert (found.state, dict(found.result or {}), dict(found.parameters)) == ("completed", {}, {})


def test_an_index_row_goes_only_behind_a_request_that_is_on_record(house: House) -> None:
    decision = house.decide("S-1")
    key_id = house.log.read(decision).entry.private.key_id
    for entry_id in (decision, uuid4()):
        with house.custodian_pool.connection() as conn, pytest.raises(CustodyRefused, match="no request"):
            forget_indexes(conn, entry_id, [key_id])
    assert len(house.rows("select * from audit.idempotency")) == 1


def test_an_index_row_goes_only_once_the_key_of_who_is_meant_is_gone(house: House, half_a_year) -> None:
    decision = house.decide("S-1")
    key_id = house.log.read(decision).entry.private.key_id
    told = {"erasure_id": str(uuid4()), "subject_key_id": str(uuid4())}
    forged = house.log.append_one(Draft("erasure.requested", "x", told), NOW).entry_id  # and no row
    house.to(NOW + half_a_year)
    erasure = house.erase()
    with house.custodian_pool.connection() as conn:
        executions.begin(conn, house.keys, erasure.erasure_id, house.clock.now())
    other = "update records.erasure set destroyed_at = started_at, requested_entry_id = %s"
    for requested in (erasure.requested_entry_id, forged):
        with house.custodian_pool.connection() as conn, pytest.raises(CustodyRefused, match="has begun"):
            forget_indexes(conn, requested, [key_id])
        with psycopg.connect(house.database.admin_url) as conn:
            conn.execute(other, (forged,))  # destroyed now, but of somebody else than its entry says
    with house.custodian_pool.connection() as conn, pytest.raises(CustodyRefused, match="has begun"):
        forget_indexes(conn, forged, [key_id])
    assert len(house.rows("select * from audit.idempotency")) == 1


def test_the_custodian_appends_nothing_that_needs_a_key(house: House) -> None:
    draft = Draft("erasure.completed", "custodian", {}, private=b"x")
    with house.custodian_pool.connection() as conn, pytest.raises(MalformedEntry):
        append_clear(conn, draft, NOW)


def _ask(house: House, decision: UUID) -> UUID:
    wanted = EvaluationRequest("kernelshap", "loans", "1", {"explanation_id": str(decision)}, "token:t")
    with house.service.connection() as conn:
        return request_evaluation(conn, house.log, wanted, house.clock.now()).evaluation_id
