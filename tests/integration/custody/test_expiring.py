"""A month whose periods are all over: its keys, its manifest, its payloads, and what stays."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from uuid import UUID, uuid4

import psycopg
import pytest

from audit.custody import Partition, drop_expired_partition, partitions
from audit.errors import CustodyRefused, IntegrityHalt, PayloadErased, PayloadExpired
from audit.guarding import ddl_guard, guard_problems
from audit.verify import verify_evidence
from records import expiries
from records.holds import Scope
from records.lookups import find_decision
from tests.integration.custody.conftest import SIGNER, House

MONTH = Partition(date(2026, 11, 1), "standard")
OVER = datetime(2027, 6, 1, tzinfo=UTC)
OWED = {"notice_clock": "completed_application", "notice_due_at": "2026-12-20T10:15:00.000000Z"}


def expired(house: House) -> list[dict[str, object]]:
    """The bodies of the manifests."""
    rows = house.rows("select entry_id from audit.entry where type = 'retention.expired' order by time")
    return [dict(house.log.read(row["entry_id"]).entry.body) for row in rows]


def tables(house: House) -> set[str]:
    with house.service.connection() as conn:
        return {one.table for one in partitions(conn)}


def expire(house: House) -> None:
    house.turn(3601)
    house.integrate()
    house.turn(3601)


def test_a_month_that_is_over_loses_its_keys_then_its_payloads(house: House) -> None:
    entries = [house.decide(f"S-{number}") for number in range(3)]
    plain = house.add(entries[0], "explanation.read", None)
    house.integrate()
    house.to(OVER)
    later = house.decide("S-1", decision_id="A-later")
    house.turn(3601)
    for entry_id in entries:
        with pytest.raises(PayloadExpired):
            house.log.open(house.log.read(entry_id))
    digest = sha256(b"".join(UUID(text).bytes for text in sorted(map(str, entries)))).hexdigest()
    assert expired(house) == [
        {
            "retention_class": "standard",
            "month": "2026-11",
            "entries": 3,
            "entries_digest": f"sha256:{digest}",
            "keys": 3,
        }
    ]
    assert MONTH.table in tables(house)  # its manifest has no place in the tree yet
    house.integrate()
    house.turn(3601)
    assert MONTH.table not in tables(house)
    for entry_id in entries:
        with pytest.raises(PayloadErased, match="retention period"):
            house.log.open(house.log.read(entry_id))
        evidence = house.log.evidence(entry_id, disclose=False)
        assert verify_evidence(evidence.to_bytes(), [SIGNER.verifier.vkey]).entry.entry_id == entry_id
    assert house.log.read(plain).entry.about == entries[0]
    assert house.log.open(house.log.read(later)) == house.entries[later]
    assert [find_decision(house.log, "loans", f"A-{number}") for number in (1, 2, 3)] == [None] * 3
    assert find_decision(house.log, "loans", "A-later") == later
    with house.service.connection() as conn:
        (row,) = expiries.list_expiries(conn, since=OVER, until=house.clock.now())
    assert (row.retention_class, row.month, row.entries, row.keys) == ("standard", MONTH.month, 3, 3)
    assert row.dropped_at is not None
    report = house.fsck()
    assert report.problems == ()
    assert [(one.retention_class, one.month, one.entries) for one in report.expired if one.entries] == [
        ("standard", MONTH.month, 3)
    ]
    with psycopg.connect(house.database.url("auditor")) as conn:
        assert (ddl_guard(conn), guard_problems(conn)) == ("present", [])


def test_a_log_without_a_guard_expires_too(house: House) -> None:
    entry_id = house.decide("S-1")
    with psycopg.connect(house.database.admin_url) as conn:
        conn.execute("set event_triggers = off")
        conn.execute("drop schema audit_guard cascade")
    house.to(OVER)
    expire(house)
    assert MONTH.table not in tables(house)
    with pytest.raises(PayloadExpired):
        house.log.open(house.log.read(entry_id))


def test_whoever_has_nothing_left_is_forgotten(house: House) -> None:
    house.decide("S-1")
    house.decide("S-2")
    house.to(OVER)
    house.decide("S-2")
    expire(house)
    assert house.keystore.find_subject("subject/S-1") is None
    assert house.keystore.find_subject("subject/S-2") is not None
    assert house.rows("select subject_index from keys.subject_key where wrapped is null", keys=True) == [
        {"subject_index": None}
    ]


def test_a_month_waits_for_its_last_entry(house: House) -> None:
    sent = house.decide("S-1", retention="consumer_credit", **OWED)
    owed = house.decide("S-2", retention="consumer_credit", **OWED)
    house.clock.advance(86_400)
    house.notify(sent)
    house.to(datetime(2029, 1, 1, tzinfo=UTC))
    expire(house)
    assert "consumer_credit" not in [one["retention_class"] for one in expired(house)]
    assert house.log.open(house.log.read(sent)) == house.entries[sent]
    house.notify(owed)
    house.to(datetime(2031, 2, 2, tzinfo=UTC))
    expire(house)
    assert "consumer_credit" in [one["retention_class"] for one in expired(house)]
    with pytest.raises(PayloadExpired):
        house.log.open(house.log.read(owed))


def test_what_is_about_a_decision_is_kept_as_long_as_it(house: House) -> None:
    decision = house.decide("S-1", retention="clinical")
    review = house.add(decision, "explanation.reviewed")  # of the class standard
    house.to(OVER)
    expire(house)
    assert house.log.open(house.log.read(review)) == b'{"note":"x"}'
    assert MONTH.table in tables(house)


@pytest.mark.parametrize("kind", ["subject", "explanation", "model", "everything"])
def test_a_hold_keeps_the_month_until_it_is_released(house: House, kind: str) -> None:
    decision = house.decide("S-1")
    scopes = {
        "subject": (None, "S-1"),
        "explanation": (Scope("explanation", explanation_id=decision), None),
        "model": (Scope("model", model="loans", version="1"), None),
        "everything": (None, None),
    }
    house.to(OVER)
    hold = house.hold(*scopes[kind])
    expire(house)
    assert expired(house) == []
    house.release(hold)
    expire(house)
    assert len(expired(house)) == 1
    with pytest.raises(PayloadExpired):
        house.log.open(house.log.read(decision))


def test_a_hold_on_somebody_else_keeps_nothing(house: House) -> None:
    house.decide("S-1")
    house.to(OVER)
    other = house.decide("S-2", model="cards")
    house.hold(subject="S-2")
    house.hold(Scope("explanation", explanation_id=other))
    house.hold(Scope("model", model="cards"))
    expire(house)
    assert len(expired(house)) == 1
    assert MONTH.table not in tables(house)


@pytest.mark.parametrize("died", ["begun", "half", "destroyed", "declared"])
def test_the_next_custodian_finishes_an_expiry(house: House, died: str) -> None:
    entries = [house.decide(f"S-{number}") for number in range(4)]
    house.to(OVER)
    _die(house, died)
    house.custodian = house.another_custodian()
    expire(house)
    (manifest,) = expired(house)
    assert (manifest["entries"], manifest["keys"]) == (4, 4)
    assert MONTH.table not in tables(house)
    assert house.rows("select dropped_at is not null as done from records.expiry") == [{"done": True}]
    for entry_id in entries:
        with pytest.raises(PayloadExpired):
            house.log.open(house.log.read(entry_id))


def _die(house: House, died: str) -> None:
    now = house.clock.now()
    with house.custodian_pool.connection() as conn:
        assert expiries.begin(conn, house.keys, MONTH, now) is not None
    if died == "half":
        keys = [row["key_id"] for row in house.rows("select key_id from audit.entry order by entry_id")]
        assert house.keys.destroy_entries(keys[:2], now) == 2
    if died in ("destroyed", "declared"):
        with house.custodian_pool.connection() as conn:
            gone = expiries.destroy(conn, house.keys, MONTH, now)
    if died == "declared":
        with house.custodian_pool.connection() as conn:
            expiries.declare(conn, MONTH, gone, now)


def test_nothing_is_dropped_without_its_manifest(house: House) -> None:
    house.decide("S-1")
    house.integrate()
    house.to(OVER)
    with house.custodian_pool.connection() as conn:
        expiries.begin(conn, house.keys, MONTH, OVER)
        manifest = expiries.declare(conn, MONTH, 0, OVER).manifest_entry_id
    other = Partition(date(2026, 12, 1), "standard")
    for partition, entry_id, reason in (
        (MONTH, uuid4(), "no manifest"),
        (MONTH, next(iter(house.entries)), "no manifest"),
        (MONTH, manifest, "no manifest"),  # not in the tree yet
    ):
        with house.custodian_pool.connection() as conn, pytest.raises(CustodyRefused, match=reason):
            drop_expired_partition(conn, partition, entry_id)
    house.integrate()
    with (
        house.custodian_pool.connection() as conn,
        pytest.raises(CustodyRefused, match="is not that of standard 2026-12"),
    ):
        drop_expired_partition(conn, other, manifest)
    hold = house.hold(subject="S-1")
    with house.custodian_pool.connection() as conn, pytest.raises(CustodyRefused, match="a hold may cover"):
        drop_expired_partition(conn, MONTH, manifest)
    house.release(hold)
    with psycopg.connect(house.database.admin_url) as conn:
        conn.execute(
            "insert into audit.entry"
            " select gen_random_uuid(), type, time, about, gen_random_uuid(), retention_class, canonical,"
            " leaf_hash"
            " from audit.entry where type = 'explanation.created'"
        )
    with house.custodian_pool.connection() as conn, pytest.raises(CustodyRefused, match="does not declare"):
        drop_expired_partition(conn, MONTH, manifest)
    assert MONTH.table in tables(house)


def test_a_payload_that_is_gone_without_its_key_is_no_expiry(house: House) -> None:
    entry_id = house.decide("S-1")
    with psycopg.connect(house.database.admin_url) as conn:
        conn.execute("set event_triggers = off")
        for table in ("payload", "payload_standard", MONTH.table):
            conn.execute(f"alter table audit.{table} disable trigger append_only")
        conn.execute("delete from audit.payload")
    with pytest.raises(IntegrityHalt, match="ciphertext of this entry is gone"):
        house.log.open(house.log.read(entry_id))


def test_an_erasure_of_what_expired_meanwhile_completes(house: House) -> None:
    house.decide("S-1")
    erasure = house.erase(effective_at=OVER + timedelta(days=1))
    house.to(OVER)
    expire(house)
    house.to(OVER + timedelta(days=2))
    house.turn()
    done = house.look(erasure)
    assert (done.state, done.entries) == ("completed", 0)
