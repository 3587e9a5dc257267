"""The custodian destroys what it cannot read; nobody else destroys anything."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest

from audit.errors import PayloadErased
from tests.integration.custody.conftest import NOW, House

ID = "'01aa0000-0000-7000-8000-000000000000'"
AT = "'2026-11-20Z'"
DESTROY = (
    f"select keys.destroy_subject_key_v1({ID}, {AT})",
    f"select keys.unlink_subject_v1({ID}, {AT})",
    f"select keys.destroy_entry_keys_v1(array[{ID}]::uuid[], {AT})",
)
READ_KEYS = (
    f"select * from keys.read_entry_key_v1({ID})",
    f"select * from keys.read_entry_key_v2({ID})",
    "select keys.find_subject_key_v1('x')",
    "select * from keys.get_or_create_subject_keys_v1('{}', '{}', '{}', 'm')",
    "select * from keys.keep_v1('{}', '{}', '{}', '{}', '{}', '{}', 'm')",
    "select * from keys.subject_key",
    "select * from keys.entry_key",
    "delete from keys.entry_key",
)
TAKE_AWAY = (
    f"select audit.forget_indexes_v1({ID}, array[{ID}]::uuid[])",
    f"select audit.drop_expired_partition_v1('standard', '2026-11-01', {ID})",
    f"select records.forget_decisions_v1(array[{ID}]::uuid[], {AT})",
    f"select records.settle_erasure_v1({ID}, {AT}, '{{}}')",
    f"select records.destroyed_erasure_v1({ID}, {AT})",
    f"select records.forgotten_erasure_v1({ID}, {AT}, 0, 0, 0)",
    f"select records.complete_erasure_v1({ID}, {AT}, {ID})",
    f"select records.start_expiry_v1('standard', '2026-11-01', {AT})",
    f"select records.manifest_expiry_v1('standard', '2026-11-01', {AT}, 0, 0, {ID})",
    f"select records.drop_expiry_v1('standard', '2026-11-01', {AT})",
)
DECIDE = (
    f"select records.place_hold_v1({ID}, 'everything', null, null, null, null, {AT}, 'x', {ID})",
    f"select records.release_hold_v1({ID}, {AT}, 'x', {ID})",
    f"select records.request_erasure_v1({ID}, {ID}, null, null, {AT}, 'x', {ID}, {AT}, null, null, '{{}}')",
)
OTHER_TABLES = (
    "select * from audit.payload",
    "select * from audit.idempotency",
    "delete from audit.idempotency",
    "select * from records.token",
    "select * from records.evaluation",
    "update records.hold set released_at = placed_at",
    "delete from records.erasure",
    "drop table audit.payload_standard_2026_11",
)


def refused(url: str, statements: tuple[str, ...]) -> None:
    with psycopg.connect(url, autocommit=True) as conn:
        for statement in statements:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                conn.execute(statement)


@pytest.mark.parametrize("role", ["service", "worker"])
def test_who_reads_keys_destroys_none(house: House, role: str) -> None:
    refused(house.database.keys_url(role), DESTROY)


@pytest.mark.parametrize("role", ["service", "worker", "integrator", "auditor"])
def test_nobody_else_takes_anything_away(house: House, role: str) -> None:
    refused(house.database.url(role), TAKE_AWAY)


def test_the_custodian_reads_no_key_and_no_payload(house: House) -> None:
    refused(house.database.keys_url("custodian"), READ_KEYS)
    refused(house.database.url("custodian"), OTHER_TABLES)


@pytest.mark.parametrize("role", ["custodian", "worker", "auditor", "integrator"])
def test_only_the_service_asks_for_erasures_and_places_holds(house: House, role: str) -> None:
    refused(house.database.url(role), DECIDE)


def test_a_key_that_is_not_destroyed_keeps_what_hangs_on_it(house: House) -> None:
    house.decide("S-1")
    key_id = house.keystore.find_subject("subject/S-1")
    with (
        psycopg.connect(house.database.keys_url("custodian")) as conn,
        pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState),
    ):
        conn.execute("select keys.unlink_subject_v1(%s, '2026-11-20Z')", (key_id,))


@pytest.mark.parametrize("role", ["worker", "auditor", "integrator"])
def test_nobody_else_can_take_the_turn_or_stop_the_custodian(house: House, role: str) -> None:
    decision = house.decide("S-1")
    house.to(NOW + timedelta(days=190))
    erasure = house.erase()
    with psycopg.connect(house.database.url(role)) as other:
        other.execute("select pg_advisory_xact_lock(hashtext('records.custody'))")  # what the turn once was
        for lock in (
            "select records.custody_turn_v1()",
            "select from records.custody_turn for update",
            "lock records.custody_turn in access share mode",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), other.transaction():
                other.execute(lock)
        house.turn()
        assert house.look(erasure).state == "completed"
        house.decide("S-2")
        assert house.release(house.hold(subject="S-2")).released_at == house.clock.now()
    with pytest.raises(PayloadErased):
        house.log.open(house.log.read(decision))


@pytest.mark.parametrize("role", ["service", "custodian"])
def test_the_turn_is_taken_in_one_way_and_cannot_be_taken_away(house: House, role: str) -> None:
    refused(
        house.database.url(role),
        (
            "select from records.custody_turn",
            "delete from records.custody_turn",
            "update records.custody_turn set turn = turn",
        ),
    )
    with psycopg.connect(house.database.url(role)) as one, psycopg.connect(house.database.admin_url) as other:
        one.execute("select records.custody_turn_v1()")
        assert other.execute("select from records.custody_turn for update skip locked").fetchall() == []
        one.commit()
        other.execute("delete from records.custody_turn")
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="row of the turn is missing"):
            other.execute("select records.custody_turn_v1()")
