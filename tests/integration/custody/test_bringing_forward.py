"""A second request for an earlier time brings a scheduled erasure forward; nothing puts one off."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from audit.entry import Draft, format_time
from audit.errors import PayloadErased
from audit.retention import add_months
from records import executions
from records.custody_check import custody_problems
from records.erasures import EffectiveTimeRefused, Erasure, ErasureConflict
from tests.integration.custody.conftest import NOW, House, wait_for_the_turn

DAY = timedelta(days=1)
FAR = NOW + timedelta(days=3000)
BRING = "select records.bring_forward_erasure_v1(%s, null, null, %s, %s)"


@pytest.fixture
def far(house: House, half_a_year: timedelta) -> tuple[House, UUID, Erasure]:
    """An erasure that nothing but its time stands in the way of."""
    decision = house.decide("S-1")
    house.to(NOW + half_a_year)
    return house, decision, house.erase(effective_at=FAR, basis="objection")


Far = tuple[House, UUID, Erasure]


def problems(house: House) -> list[str]:
    with psycopg.connect(house.database.url("auditor")) as conn:
        return custody_problems(conn)


def requests(house: House) -> list[Any]:
    rows = house.rows(
        "select entry_id from audit.entry where type = 'erasure.requested' order by time, entry_id"
    )
    return [house.log.read(row["entry_id"]).entry for row in rows]


def test_an_earlier_time_brings_it_forward_and_each_step_is_on_record(far: Far) -> None:
    house, decision, first = far
    house.clock.advance(5)
    sooner = house.clock.now() + 9 * DAY
    second = house.erase(effective_at=sooner)
    house.clock.advance(5)
    third = house.erase(basis="unlawful_processing")
    assert {one.erasure_id for one in (first, second, third)} == {first.erasure_id}
    assert (second.effective_at, second.basis) == (sooner, "objection")
    assert (third.effective_at, third.basis) == (house.clock.now(), "unlawful_processing")
    assert (third.requested_at, third.requested_by) == (first.requested_at, first.requested_by)
    one, two, three = requests(house)
    assert [entry.entry_id for entry in (one, two, three)] == [
        erasure.requested_entry_id for erasure in (first, second, third)
    ]
    assert dict(three.body) == {
        "erasure_id": str(first.erasure_id),
        "subject_key_id": str(first.subject_key_id),
        "effective_at": format_time(third.effective_at),
        "basis": "unlawful_processing",
        "supersedes": str(two.entry_id),
    }
    assert (two.body["supersedes"], two.about, three.about) == (str(one.entry_id), one.entry_id, two.entry_id)
    house.turn()
    assert house.look(first).state == "completed"
    with pytest.raises(PayloadErased):
        house.log.open(house.log.read(decision))
    assert problems(house) == []


def test_a_later_or_equal_time_is_answered_with_what_is_scheduled(far: Far) -> None:
    house, _, first = far
    for later in (FAR, FAR + timedelta(microseconds=1), FAR + 900 * DAY):
        assert house.erase(effective_at=later) == first
        assert house.erase(effective_at=later, basis="objection") == first
        with pytest.raises(ErasureConflict):
            house.erase(effective_at=later, basis="consent_withdrawn")
    sooner = house.erase(effective_at=FAR - DAY)
    assert house.erase(effective_at=FAR, basis="objection") == sooner
    assert len(requests(house)) == 2


def test_a_request_that_was_brought_forward_is_answered_when_it_comes_again(far: Far) -> None:
    """Whoever got no answer asks again, whatever others have asked for meanwhile."""
    house, _, _ = far
    sooner = house.erase(effective_at=FAR - DAY, basis="consent_withdrawn")
    assert house.erase(effective_at=FAR, basis="objection") == sooner
    assert house.erase(effective_at=FAR - DAY, basis="consent_withdrawn") == sooner
    with pytest.raises(ErasureConflict):
        house.erase(effective_at=FAR, basis="child_consent")


def test_what_must_be_kept_until_then_is_refused_and_what_is_scheduled_stays(house: House) -> None:
    house.decide("S-1")
    until = add_months(NOW, 6)
    first = house.erase(effective_at=FAR)
    refused = house.erase()
    assert (refused.state, refused.ground, refused.retained_until) == ("refused", "retention", until)
    assert house.erase() == refused
    assert house.look(first) == first
    assert house.erase(effective_at=until).erasure_id == first.erasure_id
    hold = house.hold(subject="S-1")
    house.to(until - DAY)
    assert house.erase(effective_at=until) == house.look(first)
    house.release(hold)
    house.to(until)
    house.turn()
    assert house.look(first).state == "completed"
    assert problems(house) == []


def test_once_begun_it_stays_as_it_is(far: Far) -> None:
    house, _, first = far
    begun = house.erase()
    house.custodian.step()
    begun = house.look(begun)
    assert begun.started_at is not None
    # The clock of another process may be behind: its present lies before the time of the request.
    house.clock.advance(-3600)
    assert house.erase(effective_at=house.clock.now()) == begun
    assert house.erase(effective_at=FAR) == begun
    house.clock.advance(3600)
    house.turn()
    assert house.look(first).state == "completed"
    assert house.erase().erasure_id == first.erasure_id
    assert len(requests(house)) == 2


def test_what_waits_behind_a_begin_is_answered_with_what_has_begun(far: Far) -> None:
    """The custodian has the turn, begins, and only then the other request is looked at."""
    house, _, first = far
    house.to(FAR)
    with ThreadPoolExecutor(1) as threads:
        with house.custodian_pool.connection() as conn:
            begun = executions.begin(conn, house.keys, first.erasure_id, house.clock.now())
            house.clock.advance(-60)
            asking = threads.submit(house.erase)
            wait_for_the_turn(house)
        assert asking.result(10) == begun
    assert (begun.started_at, begun.effective_at) == (FAR, FAR)
    assert len(requests(house)) == 1


def test_many_at_once_leave_the_earliest(far: Far) -> None:
    house, _, first = far
    times = [house.clock.now() + days * DAY for days in (40, 10, 30, 50, 20, 60)]
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(lambda moment: house.erase(effective_at=moment), times))
    assert house.look(first).effective_at == min(times)
    told = [entry.body["effective_at"] for entry in requests(house)]
    assert min(told) == format_time(min(times))
    assert problems(house) == []


@pytest.mark.parametrize("years", [-31, 31])
def test_a_time_that_cannot_be_meant_is_refused(house: House, years: int) -> None:
    house.decide("S-1")
    with pytest.raises(EffectiveTimeRefused):
        house.erase(effective_at=add_months(NOW, 12 * years))
    assert house.types() == ["explanation.created"]
    assert house.rows("select * from records.erasure") == []


@pytest.mark.parametrize("moment", [add_months(NOW, -360), NOW - timedelta(seconds=1)])
def test_a_time_that_has_passed_means_at_once(house: House, half_a_year: timedelta, moment: datetime) -> None:
    house.decide("S-1")
    assert house.erase(effective_at=moment).ground == "retention"
    house.clock.advance(half_a_year.total_seconds())
    late = moment + half_a_year
    assert house.erase(effective_at=late).effective_at == house.clock.now()


def test_the_row_moves_behind_its_entry_alone_and_never_later(far: Far) -> None:
    house, _, first = far

    def refused(said: str, erasure_id: UUID, entry_id: UUID, moment: datetime) -> None:
        with (
            house.service.connection() as conn,
            pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match=said),
        ):
            conn.execute(BRING, (erasure_id, entry_id, moment))

    def entry(**changed: str) -> UUID:
        body = {
            "erasure_id": str(first.erasure_id),
            "subject_key_id": str(first.subject_key_id),
            "effective_at": format_time(FAR - DAY),
            "supersedes": str(first.requested_entry_id),
        }
        draft = Draft("erasure.requested", "x", {**body, **changed})
        return house.log.append_one(draft, house.clock.now()).entry_id

    good = entry()
    for later in (FAR, FAR + DAY):
        refused("can be brought forward", first.erasure_id, entry(effective_at=format_time(later)), later)
    refused("can be brought forward", good, good, FAR - DAY)
    refused("of the log says this", first.erasure_id, good, FAR - 2 * DAY)
    refused("of the log says this", first.erasure_id, first.requested_entry_id, FAR - DAY)
    refused("of the log says this", first.erasure_id, entry(supersedes=str(good)), FAR - DAY)
    refused("of the log says this", first.erasure_id, entry(subject_key_id=str(good)), FAR - DAY)
    assert house.look(first) == first
    with house.service.connection() as conn:
        conn.execute(BRING, (first.erasure_id, good, FAR - DAY))
    assert house.look(first).effective_at == FAR - DAY
    house.to(FAR)
    house.custodian.step()
    again = entry(effective_at=format_time(FAR - 3 * DAY), supersedes=str(good))
    refused("can be brought forward", first.erasure_id, again, FAR - 3 * DAY)


def test_a_row_that_was_put_off_past_the_log_is_found(far: Far) -> None:
    house, _, first = far
    second = house.erase(effective_at=FAR - DAY)
    assert problems(house) == []
    with psycopg.connect(house.database.admin_url) as conn:
        conn.execute(
            "update records.erasure set effective_at = %s, requested_entry_id = %s",
            (FAR, first.requested_entry_id),
        )
    assert problems(house) == [
        f"entry {second.requested_entry_id} (erasure.requested) is of nothing that is known"
    ]
