"""A hold against the expiry of a month: whoever has the turn first; and holds on what is of no such month."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from uuid import UUID

import pytest

from audit.custody import Partition
from audit.errors import PayloadExpired
from records import expiries
from records.holds import Hold, HoldTooLate, Scope, place_hold
from tests.integration.custody.conftest import House, wait_for_the_turn

MONTH = Partition(date(2026, 11, 1), "standard")
OVER = datetime(2027, 6, 1, tzinfo=UTC)
KINDS = ("subject", "explanation", "model", "version", "everything")
Decided = tuple[House, UUID]


@pytest.fixture
def old(house: House) -> Decided:
    """Somebody whose one decision may expire and whose other may not."""
    decision = house.decide("S-1")
    house.to(OVER)
    house.decide("S-1")
    return house, decision


def over(kind: str, decision: UUID) -> tuple[Scope | None, str | None]:
    """The arguments of a hold of this kind that covers the decision."""
    scopes: dict[str, tuple[Scope | None, str | None]] = {
        "subject": (None, "S-1"),
        "explanation": (Scope("explanation", explanation_id=decision), None),
        "model": (Scope("model", model="loans"), None),
        "version": (Scope("model", model="loans", version="1"), None),
        "everything": (Scope("everything"), None),
    }
    return scopes[kind]


def begin(house: House) -> None:
    with house.custodian_pool.connection() as conn:
        assert expiries.begin(conn, house.keys, MONTH, house.clock.now()) is not None


@pytest.mark.parametrize("kind", KINDS)
def test_a_hold_that_waited_while_a_month_began_is_told_that_it_is_too_late(old: Decided, kind: str) -> None:
    house, decision = old
    with ThreadPoolExecutor(1) as threads:
        with house.custodian_pool.connection() as conn:
            assert expiries.begin(conn, house.keys, MONTH, house.clock.now()) is not None
            placing = threads.submit(house.hold, *over(kind, decision))
            wait_for_the_turn(house)
        with pytest.raises(HoldTooLate):
            placing.result(10)
    assert house.rows("select hold_id from records.hold") == []
    assert "hold.placed" not in house.types()


@pytest.mark.parametrize("kind", KINDS)
def test_a_month_that_waited_while_a_hold_was_placed_does_not_begin(old: Decided, kind: str) -> None:
    house, decision = old

    def begun() -> expiries.Expiry | None:
        with house.custodian_pool.connection() as conn:
            return expiries.begin(conn, house.keys, MONTH, house.clock.now())

    with ThreadPoolExecutor(1) as threads:
        with house.service.connection() as conn:
            placing = house.placing(*over(kind, decision))
            place_hold(conn, house.log, house.keystore, placing, house.clock.now())
            beginning = threads.submit(begun)
            wait_for_the_turn(house)
        assert beginning.result(10) is None
    house.turn(3601)
    assert "retention.expired" not in house.types()
    assert house.log.open(house.log.read(decision)) == house.entries[decision]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("died", ["begun", "destroyed"])
def test_until_a_month_is_declared_a_hold_on_it_is_too_late(old: Decided, kind: str, died: str) -> None:
    """However long the custodian was away in between."""
    house, decision = old
    begin(house)
    if died == "destroyed":
        with house.custodian_pool.connection() as conn:
            assert expiries.destroy(conn, house.keys, MONTH, house.clock.now()) == 1
    if (kind, died) == ("subject", "destroyed"):
        # Nothing tells any more whose the keys were: it covers what is left of this person alone.
        assert house.hold(*over(kind, decision)).released_at is None
    else:
        with pytest.raises(HoldTooLate):
            house.hold(*over(kind, decision))
    house.turn(3601)
    assert house.types().count("retention.expired") >= 1
    with pytest.raises(PayloadExpired):
        house.log.open(house.log.read(decision))


@pytest.mark.parametrize("kind", ["subject", "model", "version", "everything"])
def test_a_hold_that_came_too_late_protects_the_rest_when_asked_again(old: Decided, kind: str) -> None:
    house, decision = old
    begin(house)
    with pytest.raises(HoldTooLate):
        house.hold(*over(kind, decision))
    house.turn(3601)
    again = house.hold(*over(kind, decision))
    house.to(datetime(2028, 2, 1, tzinfo=UTC))
    house.turn(3601)
    assert _standing(house) == [again.hold_id]
    (later,) = house.entries.keys() - {decision}
    assert house.log.open(house.log.read(later)) == house.entries[later]


def test_a_hold_on_what_is_not_of_the_month_is_placed_while_it_goes(old: Decided) -> None:
    house, decision = old
    other = house.decide("S-2", model="cards")
    begin(house)
    wanted: list[tuple[Scope | None, str | None]] = [
        (None, "S-2"),
        (Scope("explanation", explanation_id=other), None),
        (Scope("model", model="cards"), None),
        (Scope("model", model="loans", version="2"), None),
    ]
    placed: list[Hold] = [house.hold(*one) for one in wanted]
    house.turn(3601)
    assert sorted(_standing(house)) == sorted(hold.hold_id for hold in placed)
    with pytest.raises(PayloadExpired):
        house.log.open(house.log.read(decision))


def test_a_month_without_private_parts_is_nobodys(house: House) -> None:
    house.to(OVER)
    house.decide("S-1")
    begin(house)
    assert house.hold().released_at is None


def test_what_is_about_an_explanation_makes_a_hold_on_it_too_late(house: House) -> None:
    """A remark of another class may go while the decision itself waits for its month."""
    decision = house.decide("S-1", retention="clinical")
    house.add(decision, "explanation.reviewed")
    house.to(OVER)
    begin(house)
    with pytest.raises(HoldTooLate):
        house.hold(Scope("explanation", explanation_id=decision))


def _standing(house: House) -> list[UUID]:
    rows = house.rows("select hold_id from records.hold where released_at is null order by hold_id")
    return [row["hold_id"] for row in rows]
