"""A hold says what it does not protect: the months whose keys were gone, or going, when it was placed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest

from audit.custody import Partition
from audit.errors import PayloadExpired
from records import expiries
from records.custody_check import custody_problems
from records.holds import Hold, HoldTooLate, Placing, Scope, place_hold
from tests.integration.custody.conftest import House

MONTH = Partition(date(2026, 11, 1), "standard")
OVER = datetime(2027, 6, 1, tzinfo=UTC)
GONE = [{"retention_class": "standard", "month": "2026-11"}]
SCOPES: dict[str, Scope] = {
    "model": Scope("model", model="loans"),
    "version": Scope("model", model="loans", version="1"),
    "everything": Scope("everything"),
}
Decided = tuple[House, UUID, UUID]


@pytest.fixture
def old(house: House) -> Decided:
    """Somebody whose first decision may expire and whose second may not."""
    first = house.decide("S-1")
    house.to(OVER)
    return house, first, house.decide("S-1")


def told(house: House, hold: Hold) -> Any:
    return house.log.read(hold.placed_entry_id).entry.body["past_saving"]


def place(house: House, placing: Placing) -> Hold:
    with house.service.connection() as conn:
        return place_hold(conn, house.log, house.keystore, placing, house.clock.now())


@pytest.mark.parametrize("kind", SCOPES)
def test_before_anything_expires_all_is_protected(old: Decided, kind: str) -> None:
    house, first, _ = old
    assert told(house, house.hold(SCOPES[kind])) == []
    assert told(house, house.hold(subject="S-1")) == []
    house.turn(3601)
    assert house.log.open(house.log.read(first)) == house.entries[first]


@pytest.mark.parametrize("kind", SCOPES)
def test_what_expired_before_is_named_and_months_that_were_empty_are_not(old: Decided, kind: str) -> None:
    house, first, second = old
    house.to(datetime(2027, 8, 15, tzinfo=UTC))
    house.turn(3601)
    expired = house.rows("select entries from records.expiry where expired_at is not null order by month")
    assert [row["entries"] for row in expired] == [1, 0, 0]
    for hold in (house.hold(SCOPES[kind]), house.hold(subject="S-1")):
        assert told(house, hold) == GONE
    with pytest.raises(PayloadExpired):
        house.log.open(house.log.read(first))
    house.to(datetime(2029, 1, 1, tzinfo=UTC))
    house.turn(3601)
    assert house.log.open(house.log.read(second)) == house.entries[second]
    with house.service.connection() as conn:
        assert custody_problems(conn) == []


@pytest.mark.parametrize("kind", SCOPES)
def test_between_destruction_and_declaration_the_refusal_names_the_month(old: Decided, kind: str) -> None:
    house, _, _ = old
    with house.custodian_pool.connection() as conn:
        assert expiries.begin(conn, house.keys, MONTH, house.clock.now()) is not None
    with house.custodian_pool.connection() as conn:
        assert expiries.destroy(conn, house.keys, MONTH, house.clock.now()) == 1
    with pytest.raises(HoldTooLate, match=r"Past saving: standard 2026-11\.") as refused:
        house.hold(SCOPES[kind])
    assert refused.value.members == {"ground": "expiry", "past_saving": GONE}
    # Whose keys they were nothing tells any more: the hold is placed on what is left, and says what is not.
    assert told(house, house.hold(subject="S-1")) == GONE


def test_of_an_explanation_the_months_of_what_is_about_it_are_named(house: House) -> None:
    """The custodian waits for the decision; a remark that went all the same is not said to be held."""
    decision, other = house.decide("S-1", retention="clinical"), house.decide("S-2", retention="clinical")
    house.add(decision, "explanation.reviewed")
    house.to(OVER)
    with house.custodian_pool.connection() as conn:
        assert expiries.begin(conn, house.keys, MONTH, house.clock.now()) is not None
        gone_keys = expiries.destroy(conn, house.keys, MONTH, house.clock.now())
        assert expiries.declare(conn, MONTH, gone_keys, house.clock.now()) is not None
    for one, gone in ((decision, GONE), (other, [])):
        assert told(house, house.hold(Scope("explanation", explanation_id=one))) == gone
    assert house.log.open(house.log.read(decision)) == house.entries[decision]


def test_an_explanation_that_expired_is_refused_with_its_month(old: Decided) -> None:
    house, first, _ = old
    house.turn(3601)
    with pytest.raises(HoldTooLate) as refused:
        house.hold(Scope("explanation", explanation_id=first))
    assert refused.value.members == {"ground": "expiry", "past_saving": GONE}


def test_a_model_is_told_of_no_month_before_it_was_registered(old: Decided) -> None:
    house, _, _ = old
    house.turn(3601)
    placing = house.placing(Scope("model", model="cards"))
    for since, gone in ((datetime(2026, 11, 30, tzinfo=UTC), GONE), (datetime(2026, 12, 1, tzinfo=UTC), [])):
        assert told(house, place(house, replace(placing, since=since))) == gone
