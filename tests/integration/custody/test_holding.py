"""A hold against an erasure: whoever comes first, and both at the same moment."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID

import psycopg
import pytest

from audit.errors import PayloadErased
from records import executions
from records.holds import HoldNotFound, HoldTooLate, Scope, list_holds, page_of_holds, read_hold
from tests.integration.custody.conftest import NOW, House

NOTHING = UUID(int=0)
KINDS = ("subject", "explanation", "model", "version", "everything")


def over(kind: str, subject: str, decision: UUID, model: str = "loans", version: str = "1"):
    """The arguments of a hold of this kind over one person's decision."""
    scopes = {
        "subject": (None, subject),
        "explanation": (Scope("explanation", explanation_id=decision), None),
        "model": (Scope("model", model=model), None),
        "version": (Scope("model", model="loans", version=version), None),
        "everything": (Scope("everything"), None),
    }
    return scopes[kind]


@pytest.fixture
def old(house: House, half_a_year):
    """Two people whose periods are over."""
    decision = house.decide("S-1")
    other = house.decide("S-2", model="cards")
    house.to(NOW + half_a_year)
    return house, decision, other


@pytest.mark.parametrize("kind", KINDS)
def test_under_a_hold_an_erasure_is_refused_until_it_is_released(old, kind: str) -> None:
    house, decision, _ = old
    hold = house.hold(*over(kind, "S-1", decision))
    refused = house.erase()
    assert (refused.state, refused.ground, refused.hold_ids) == ("refused", "hold", [hold.hold_id])
    assert refused.retained_until is None
    assert house.release(hold).released_at == house.clock.now()
    erasure = house.erase()
    house.turn()
    assert house.look(erasure).state == "completed"


@pytest.mark.parametrize("kind", KINDS[:-1])
def test_a_hold_on_something_else_stops_nothing(old, kind: str) -> None:
    house, _, other = old
    house.hold(*over(kind, "S-2", other, "cards", "2"))
    erasure = house.erase()
    house.turn()
    assert house.look(erasure).state == "completed"


@pytest.mark.parametrize("kind", KINDS)
def test_a_hold_between_request_and_day_makes_it_wait_and_that_is_said_once(old, kind: str) -> None:
    house, decision, _ = old
    erasure = house.erase(effective_at=house.clock.now() + timedelta(days=2))
    hold = house.hold(*over(kind, "S-1", decision))
    house.clock.advance(2 * 86_400)
    for _ in range(3):
        house.turn()
    waiting = house.look(erasure)
    assert (waiting.state, waiting.ground, waiting.hold_ids) == ("held", "hold", [hold.hold_id])
    assert house.types().count("erasure.held") == 1
    assert house.log.open(house.log.read(decision)) == house.entries[decision]
    house.release(hold)
    house.turn()
    assert house.look(erasure).state == "completed"
    assert house.types()[-2:] == ["hold.released", "erasure.completed"]


def test_an_entry_of_a_hold_names_no_person_and_its_reason_is_encrypted(old) -> None:
    house, _, _ = old
    hold = house.hold(subject="S-1")
    entry = house.log.read(hold.placed_entry_id).entry
    assert dict(entry.body) == {
        "hold_id": str(hold.hold_id),
        "scope": {"kind": "subject", "subject_key_id": str(house.keystore.find_subject("subject/S-1"))},
        "past_saving": [],
    }
    assert b"litigation" not in house.log.read(hold.placed_entry_id).canonical
    assert house.log.open(house.log.read(hold.placed_entry_id)) == b'{"reason":"litigation"}'
    released = house.release(hold)
    about = house.log.read(released.released_entry_id).entry
    assert (about.type, about.about, about.private) == ("hold.released", hold.placed_entry_id, None)
    assert house.release(hold) == released
    house.erase()
    house.turn()
    with pytest.raises(PayloadErased):
        house.log.open(house.log.read(hold.placed_entry_id))


def test_holds_are_listed(old) -> None:
    house, decision, _ = old
    first = house.hold()
    house.clock.advance(3600)
    second = house.hold(Scope("explanation", explanation_id=decision))
    released = house.release(first)
    with house.service.connection() as conn:
        assert page_of_holds(conn, active=None, after=NOTHING, limit=10) == [released, second]
        assert page_of_holds(conn, active=True, after=NOTHING, limit=10) == [second]
        assert page_of_holds(conn, active=None, after=first.hold_id, limit=1) == [second]
        now = house.clock.now()
        assert list_holds(conn, since=now - timedelta(days=1), until=now) == [released]
        assert list_holds(conn, since=now + timedelta(1), until=now + timedelta(2)) == [second]
        with pytest.raises(HoldNotFound):
            read_hold(conn, decision)


def test_a_hold_stops_an_erasure_that_settles_and_comes_too_late_for_a_destroyed_key(old) -> None:
    house, decision, _ = old
    erasure = house.erase()
    key_id = house.keystore.find_subject("subject/S-1")
    house.custodian.step()
    in_time = house.hold(Scope("model", model="loans"))
    house.turn()
    assert (house.look(erasure).state, house.look(erasure).hold_ids) == ("held", [in_time.hold_id])
    assert house.log.open(house.log.read(decision)) == house.entries[decision]
    house.release(in_time)
    house.turn()
    house.clock.advance(61)
    with house.custodian_pool.connection() as conn:
        executions.destroy(conn, house.keys, house.look(erasure), house.clock.now())
    assert house.look(erasure).destroyed_at is not None
    with pytest.raises(HoldTooLate) as refused:
        house.hold(Scope("subject", key_id))
    assert refused.value.members == {"ground": "erasure", "past_saving": []}
    standing = house.hold()  # on everything: of what is gone there is nothing to hold
    house.turn()
    assert house.look(erasure).state == "completed"
    assert standing.released_at is None


def test_a_hold_at_the_instant_of_an_erasure_is_told_that_it_is_too_late(old) -> None:
    """While the custodian has the turn, a hold waits for its decision."""
    house, _, _ = old
    erasure = house.erase()
    key_id = house.keystore.find_subject("subject/S-1")
    house.custodian.step()
    house.clock.advance(61)
    with ThreadPoolExecutor(1) as threads, psycopg.connect(house.database.admin_url) as blocking:
        blocking.execute("lock table records.erasure in share row exclusive mode")
        step = threading.Thread(target=house.custodian.step)
        step.start()
        _wait_for_locks(blocking, 1)  # it holds the turn and waits to write that the key is gone
        placing = threads.submit(house.hold, Scope("subject", key_id))
        _wait_for_locks(blocking, 2)
        blocking.commit()
        step.join()
        with pytest.raises(HoldTooLate):
            placing.result(10)
    assert house.look(erasure).destroyed_at is not None


def test_an_erasure_at_the_instant_of_a_hold_sees_it(old) -> None:
    house, decision, _ = old
    erasure = house.erase()
    with ThreadPoolExecutor(1) as threads, psycopg.connect(house.database.admin_url) as blocking:
        blocking.execute("lock table records.hold in share row exclusive mode")
        placing = threads.submit(house.hold, None, "S-1")
        _wait_for_locks(blocking, 1)  # it has the turn and waits to write
        step = threading.Thread(target=house.custodian.step)
        step.start()
        _wait_for_locks(blocking, 2)
        blocking.commit()
        hold = placing.result(10)
        step.join()
    waiting = house.look(erasure)
    assert (waiting.state, waiting.hold_ids) == ("held", [hold.hold_id])
    assert house.log.open(house.log.read(decision)) == house.entries[decision]


def _wait_for_locks(connection: psycopg.Connection, count: int) -> None:
    waiting = (
        "select count(*) from pg_stat_activity"
        " where wait_event_type = 'Lock' and datname = current_database()"
    )
    until = time.monotonic() + 10.0
    while connection.execute(waiting).fetchone()[0] < count:
        assert time.monotonic() < until
        connection.execute("select pg_stat_clear_snapshot()")
        time.sleep(0.01)
