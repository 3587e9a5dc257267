"""A custodian that dies between any two of its steps: the next one finishes what it began, once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from uuid import UUID

import psycopg
import pytest

from audit.entry import Draft, Idempotency
from audit.errors import PayloadErased
from records import executions
from records.erasures import Erasure
from records.lookups import decision_key
from runtime.clock import FixedClock
from tests.integration.custody.conftest import BACKUP_DAYS, NOW, House
from workers.custody import Custodian, Pace

Died = Callable[[House, UUID], None]


def _begun(house: House, erasure_id: UUID) -> None:
    with house.custodian_pool.connection() as conn:
        executions.begin(conn, house.keys, erasure_id, house.clock.now())


def _key_gone(house: House, erasure_id: UUID) -> None:
    _begun(house, erasure_id)
    (row,) = house.rows("select subject_key_id from records.erasure")
    assert house.keys.destroy_subjects([row["subject_key_id"]], house.clock.now())


def _destroyed(house: House, erasure_id: UUID) -> None:
    _begun(house, erasure_id)
    with house.custodian_pool.connection() as conn:
        executions.destroy(conn, house.keys, executions.read_erasure(conn, erasure_id), house.clock.now())


def _forgotten(house: House, erasure_id: UUID) -> None:
    _destroyed(house, erasure_id)
    with house.custodian_pool.connection() as conn:
        executions.forget(conn, house.keys, executions.read_erasure(conn, erasure_id), house.clock.now())


def _unlinked(house: House, erasure_id: UUID) -> None:
    _forgotten(house, erasure_id)
    (row,) = house.rows("select subject_key_id from records.erasure")
    assert house.keys.unlink_subject(row["subject_key_id"], house.clock.now()) == 2


@pytest.mark.parametrize("died", [_begun, _key_gone, _destroyed, _forgotten, _unlinked])
def test_the_next_custodian_finishes_what_one_began(house: House, half_a_year, died: Died) -> None:
    entries = [house.decide("S-1"), house.decide("S-1")]
    house.to(NOW + half_a_year)
    erasure = house.erase()
    died(house, erasure.erasure_id)
    house.hold()  # too late for this one
    house.custodian = house.another_custodian()
    house.turn()
    _finished(house, erasure, entries)


def test_two_custodians_at_once_finish_it_once(house: House, half_a_year) -> None:
    entries = [house.decide("S-1"), house.decide("S-1")]
    house.to(NOW + half_a_year)
    erasure = house.erase()
    clock = FixedClock(house.clock.now())
    pace = Pace(settling=Pace().settling * 0)
    both = [Custodian(house.custodian_pool, house.keys, BACKUP_DAYS, pace, clock) for _ in range(2)]
    with ThreadPoolExecutor(2) as threads:
        for _ in range(5):
            list(threads.map(Custodian.step, both))
    _finished(house, erasure, entries)


def test_an_append_that_was_under_way_when_the_key_died_is_forgotten_too(house: House, half_a_year) -> None:
    house.decide("S-1", decision_id="A-1")
    house.to(NOW + half_a_year)
    erasure = house.erase()
    key_id = house.keystore.find_subject("subject/S-1")
    _begun(house, erasure.erasure_id)
    # Its key was kept before the subject's died; its entry comes after.
    late = house.log.prepare(_draft("A-2"), house.clock.now())
    house.keystore.keep([late.key])
    _destroyed(house, erasure.erasure_id)
    house.log.commit([replace(late, key=None)])
    house.turn()
    done = house.look(erasure)
    assert (done.entries, done.indexes) == (2, 2)
    assert done.subject_key_id == key_id
    with pytest.raises(PayloadErased):
        house.log.open(house.log.read(late.entry_id))


def test_a_key_that_an_old_backup_brings_back_is_destroyed_again(house: House, half_a_year) -> None:
    entry_id = house.decide("S-1")
    kept = {
        table: house.rows(f"select * from keys.{table}", keys=True) for table in ("subject_key", "entry_key")
    }
    house.to(NOW + half_a_year)
    erasure = house.erase()
    house.turn()
    _restore(house, kept)
    assert house.log.open(house.log.read(entry_id)) == house.entries[entry_id]
    house.another_custodian().step()
    with pytest.raises(PayloadErased):
        house.log.open(house.log.read(entry_id))
    assert house.rows("select wrapped, subject_key_id from keys.entry_key", keys=True) == [
        {"wrapped": None, "subject_key_id": None}
    ]
    assert house.types().count("erasure.completed") == 1
    assert house.look(erasure).state == "completed"


def _finished(house: House, erasure: Erasure, entries: list[UUID]) -> None:
    done = house.look(erasure)
    assert (done.state, done.entries, done.indexes) == ("completed", len(entries), len(entries))
    assert house.types().count("erasure.completed") == 1
    for entry_id in entries:
        with pytest.raises(PayloadErased):
            house.log.open(house.log.read(entry_id))
    assert house.rows("select * from audit.idempotency") == []
    assert house.rows("select * from keys.entry_key where subject_key_id is not null", keys=True) == []


def _draft(decision_id: str) -> Draft:
    once = Idempotency(decision_key("loans", decision_id), b"same")
    return Draft(
        "explanation.created",
        "token:t",
        {"model": "loans"},
        private=b"{}",
        subject="subject/S-1",
        idempotency=once,
    )


def _restore(house: House, kept: dict[str, list[dict[str, object]]]) -> None:
    """What an older copy of the keys database says, put back by its administrator."""
    with psycopg.connect(house.database.keys_admin_url) as conn:
        for table, rows in kept.items():
            conn.execute(f"truncate keys.{table}")
            for row in rows:
                names = ", ".join(row)
                marks = ", ".join(["%s"] * len(row))
                conn.execute(f"insert into keys.{table} ({names}) values ({marks})", list(row.values()))
