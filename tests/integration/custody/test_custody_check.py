"""Rows of holds, erasures and expiries follow from entries of the log; what does not is refused, or found."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from audit.entry import Draft
from records.custody_check import custody_problems
from records.holds import Scope
from tests.integration.custody.conftest import House

PLACE = "select records.place_hold_v1(%s, %s, %s, %s, %s, %s, %s, 'x', %s)"
RELEASE = "select records.release_hold_v1(%s, %s, 'x', %s)"
REQUEST = "select records.request_erasure_v1(%s, %s, null, null, %s, 'x', %s, %s, %s, null, '{}')"


def problems(house: House) -> list[str]:
    with psycopg.connect(house.database.url("auditor")) as conn:
        return custody_problems(conn)


def refused(house: House, statement: str, *values: object) -> None:
    with (
        house.service.connection() as conn,
        pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="of the log says this"),
    ):
        conn.execute(statement, values)


def entry(house: House, kind: str, **body: Any) -> UUID:
    return house.log.append_one(Draft(kind, "token:t", body), house.clock.now()).entry_id


def test_a_row_needs_the_entry_it_follows_from(house: House) -> None:
    house.decide("S-1")
    now, key_id, hold_id = house.clock.now(), house.keystore.find_subject("subject/S-1"), uuid4()
    hold = house.hold(subject="S-1")
    for entry_id in (uuid4(), hold.placed_entry_id):
        refused(house, PLACE, hold_id, "everything", None, None, None, None, now, entry_id)
        refused(house, RELEASE, hold.hold_id, now, entry_id)
        refused(house, REQUEST, uuid4(), key_id, now, entry_id, now, None)
        refused(house, REQUEST, uuid4(), key_id, now, entry_id, now, "hold")
    scope = {"kind": "model", "model": "loans", "version": "1"}
    model = entry(house, "hold.placed", hold_id=str(hold_id), scope=scope)
    refused(house, PLACE, hold_id, "everything", None, None, None, None, now, model)
    refused(house, PLACE, hold_id, "model", None, None, "loans", None, now, model)
    refused(house, RELEASE, hold.hold_id, now, entry(house, "hold.released", hold_id=str(hold_id)))


def test_a_row_of_an_erasure_says_what_its_entry_says(house: House) -> None:
    house.decide("S-1")
    now, key_id, erasure_id = house.clock.now(), house.keystore.find_subject("subject/S-1"), uuid4()
    told = {
        "erasure_id": str(erasure_id),
        "subject_key_id": str(key_id),
        "effective_at": "2030-01-01T00:00:00.000000Z",
    }
    requested = entry(house, "erasure.requested", **told)
    due = datetime(2030, 1, 1, tzinfo=UTC)
    refused(house, REQUEST, erasure_id, key_id, now, requested, now, None)  # sooner
    refused(house, REQUEST, erasure_id, uuid4(), now, requested, due, None)  # of another
    refused(house, REQUEST, uuid4(), key_id, now, requested, due, None)
    refused(house, REQUEST, erasure_id, key_id, now, requested, due, "hold")
    with house.service.connection() as conn:
        conn.execute(REQUEST, (erasure_id, key_id, now, requested, due, None))
    assert problems(house) == []


@pytest.fixture
def lived(house: House, half_a_year: timedelta) -> House:
    """A log with everything that custody knows: two holds, three erasures, months that expired."""
    decided = house.decide("S-1")
    house.decide("S-2", retention="clinical")
    house.hold(Scope("model", model="cards"))
    hold = house.hold(subject="S-1")
    explained = house.hold(Scope("explanation", explanation_id=decided))
    house.to(house.clock.now() + half_a_year)
    assert house.erase().state == house.erase("S-2").state == "refused"
    house.release(hold)
    house.release(explained)
    house.erase()
    house.turn()
    house.decide("S-3")
    house.to(house.clock.now() + 3 * half_a_year)
    house.turn(3601)
    house.integrate()
    house.turn(3601)
    return house


def test_what_took_its_course_agrees(lived: House) -> None:
    assert {"hold.released", "erasure.completed", "retention.expired"} <= set(lived.types())
    assert problems(lived) == []


WHERE = "where hold_id = (select min(hold_id::text)::uuid from records.hold where released_at is null)"
TAMPERED = {
    "hold % was released as": f"update records.hold set released_at = placed_at, released_by = 'x',"
    f" released_entry_id = placed_entry_id {WHERE}",
    "hold % was placed as": f"update records.hold set model = 'other' {WHERE}",
    "(hold.placed) is of nothing": f"delete from records.hold {WHERE}",
    "(hold.released) is of nothing": "update records.hold set released_at = null, released_by = null,"
    " released_entry_id = null",
    "erasure % was decided as": "insert into records.erasure (erasure_id, subject_key_id, requested_at,"
    " requested_by, requested_entry_id, effective_at, refused) values"
    " (gen_random_uuid(), gen_random_uuid(), '2026-11-20', 'x', gen_random_uuid(), '2026-11-20', false)",
    "(erasure.refused) is of nothing": "delete from records.erasure where refused",
    "(erasure.completed) is of nothing": "update records.erasure set completed_at = null,"
    " completed_entry_id = null",
    "erasure % was completed as": "update records.erasure set completed_entry_id = requested_entry_id"
    " where completed_at is not null",
    "erasure % began before its time": "update records.erasure set"
    " started_at = effective_at - interval '1 day' where completed_at is not null",
    "the expiry of % is declared as": "update records.expiry set entries = entries + 1",
    "(retention.expired) is of nothing": "delete from records.expiry",
}


@pytest.mark.parametrize(("said", "statement"), TAMPERED.items())
def test_what_was_changed_past_the_log_is_found(lived: House, said: str, statement: str) -> None:
    with psycopg.connect(lived.database.admin_url) as conn:
        conn.execute(statement)
    first, _, last = said.partition("%")
    assert any(first in one and last in one for one in problems(lived))
