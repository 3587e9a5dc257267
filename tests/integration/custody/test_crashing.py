"""A custodian that dies between any two of its steps: the next one finishes what it began, once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from uuid import UUID

import psycopg
import pytest

from audit.commit import GroupCommitter
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
    if died is not _begun:
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


def test_what_is_decided_while_an_erasure_settles_is_kept(house: House, half_a_year) -> None:
    """Its key is kept before the subject's is locked; its entry comes later, and is one that must be kept."""
    first = house.decide("S-1", decision_id="A-1")
    house.to(NOW + half_a_year)
    erasure = house.erase()
    house.custodian.step()
    late = house.log.prepare(_draft("A-2"), house.clock.now())
    house.keystore.keep([late.key])
    house.clock.advance(61)
    house.custodian.step()  # a key without an entry is new: it is waited for once more
    assert (house.look(erasure).state, house.look(erasure).destroyed_at) == ("scheduled", None)
    house.log.commit([replace(late, key=None)])
    house.turn()
    held = house.look(erasure)
    assert (held.state, held.ground, held.retained_until is not None) == ("held", "retention", True)
    assert house.log.open(house.log.read(first)) == house.entries[first]
    house.to(house.clock.now() + half_a_year)
    house.turn()
    assert house.look(erasure).state == "completed"
    for entry_id in (first, late.entry_id):
        with pytest.raises(PayloadErased):
            house.log.open(house.log.read(entry_id))


def test_a_key_whose_entry_never_came_stops_nothing(house: House, half_a_year) -> None:
    entry_id = house.decide("S-1", decision_id="A-1")
    house.keystore.keep([house.log.prepare(_draft("A-2"), house.clock.now()).key])
    house.to(NOW + half_a_year)
    erasure = house.erase()
    house.turn()
    _finished(house, erasure, [entry_id])


def test_nothing_is_added_to_a_decision_that_is_erased(house: House, half_a_year) -> None:
    """A worker or a reviewer who opened it before would write it under the person's next key."""
    entry_id = house.decide("S-1")
    key_id = house.log.read(entry_id).entry.private.key_id
    house.to(NOW + half_a_year)
    house.erase()
    house.turn()
    said = Draft("explanation.reviewed", "x", {}, private=b"{}", about=entry_id, beside=key_id)
    with pytest.raises(PayloadErased):
        house.log.append_one(said, house.clock.now())
    assert house.keystore.find_subject("subject/S-1") is None
    committer = GroupCommitter(house.log, house.clock)
    try:
        refused, kept = committer.submit(said), committer.submit(_draft("A-2"))
        with pytest.raises(PayloadErased):
            refused.result(10)
        assert house.log.open(house.log.read(kept.result(10).entry_id)) == b"{}"
    finally:
        committer.close()


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
