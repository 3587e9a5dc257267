"""No role that logs in can change or remove what was written, and no accident of the owner's can either."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from audit.entry import Draft

NOW = datetime(2026, 11, 20, 10, 15, tzinfo=UTC)
ROLES = ("service", "worker", "integrator", "auditor", "custodian")
TABLES = (
    "select oid::regclass::text from pg_class "
    "where relnamespace = 'audit'::regnamespace and relkind in ('r', 'p') order by 1"
)
COLUMN = {
    "audit.entry": "type",
    "audit.leaf": "index",
    "audit.tile": "level",
    "audit.checkpoint": "note",
    "audit.verifier_key": "role",
    "audit.verifier_key_limit": "since",
    "audit.retention_class": "name",
    "audit.cosignature": "line",
    "audit.integrators_turn": "turn",
    'audit."timestamp"': "authority",
}
ALLOWED = {("integrator", "audit.pending", "delete")}


def statements(table: str) -> dict[str, str]:
    column = COLUMN.get(table, "entry_id")
    return {
        "update": f"update {table} set {column} = {column}",
        "delete": f"delete from {table}",
        "truncate": f"truncate {table}",
    }


def tables(rig) -> list[str]:
    with psycopg.connect(rig.database.admin_url) as connection:
        return sorted(row[0] for row in connection.execute(TABLES).fetchall())


@pytest.fixture
def filled(rig):
    rig.log.append([Draft("a.b", "x", {}, private=b"p", retention_class="clinical")] * 300, NOW)
    rig.integrator.publish_keys(NOW)
    rig.integrator.step(NOW)
    rig.log.append_one(Draft("a.b", "x", {}), NOW)
    return rig


def test_the_partitions_of_three_months_and_every_class_are_there(filled):
    found = set(tables(filled))
    for name in ("standard", "consumer_credit", "business_credit", "clinical"):
        for month in ("2026_11", "2026_12", "2027_01"):
            assert f"audit.payload_{name}_{month}" in found
    assert filled.log.missing_partitions(NOW.date()) == []
    assert filled.log.missing_partitions((NOW + timedelta(days=70)).date()) == []
    assert len(filled.log.missing_partitions((NOW + timedelta(days=100)).date())) == 4
    assert filled.log.ensure_partitions(NOW) == []
    assert len(filled.log.ensure_partitions(NOW + timedelta(days=31))) == 4


def test_no_role_changes_or_removes_anything(filled):
    for role in ROLES:
        attempts = [
            statement
            for table in tables(filled)
            for kind, statement in statements(table).items()
            if (role, table, kind) not in ALLOWED
        ]
        assert len(attempts) == 3 * 29 - (role == "integrator")
        with psycopg.connect(filled.database.url(role), autocommit=True) as connection:
            for statement in attempts:
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(statement)


def test_no_role_writes_past_append_v1(filled):
    for role in ("service", "worker", "auditor"):
        with psycopg.connect(filled.database.url(role), autocommit=True) as connection:
            for table in tables(filled):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(f"insert into {table} default values")


def test_the_owner_and_a_superuser_are_stopped_by_the_triggers(filled):
    kept = {"audit.pending", "audit.idempotency", "audit.retention_class"}
    overwrite = (
        "insert into audit.checkpoint select * from audit.checkpoint "
        "on conflict (tree_size) do update set note = 'x'"
    )
    attempts = [s for table in set(tables(filled)) - kept for s in statements(table).values()]
    for pose in ("reset role", "set role ofrecord_owner", "set session_replication_role = replica"):
        with psycopg.connect(filled.database.admin_url, autocommit=True) as connection:
            connection.execute(pose)
            for statement in (*attempts, overwrite):
                with pytest.raises(psycopg.errors.InsufficientPrivilege, match="is append-only"):
                    connection.execute(statement)


def test_the_auditor_and_the_integrator_may_not_append(filled):
    nothing = "select audit.append_v1(array[]::bytea[], array[]::bytea[], array[]::bytea[], array[]::bytea[])"
    for role in ("auditor", "integrator"):
        with (
            psycopg.connect(filled.database.url(role)) as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            connection.execute(nothing)


def test_nobody_calls_what_destroys_keys(filled):
    for role in ("service", "worker"):
        with psycopg.connect(filled.database.keys_url(role), autocommit=True) as connection:
            for statement in (
                "select keys.destroy_subject_key_v1(gen_random_uuid(), '2026-01-01Z')",
                "select keys.destroy_entry_key_v1(gen_random_uuid(), '2026-01-01Z')",
                "select * from keys.subject_key",
                "delete from keys.entry_key",
                "truncate keys.entry_key",
            ):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(statement)


def test_each_process_publishes_its_own_kind_of_key_only(filled):
    filled.log.publish_verifier_key("receipt", filled.receipt_signer.verifier.vkey, NOW)
    filled.log.publish_verifier_key("receipt", filled.receipt_signer.verifier.vkey, NOW + timedelta(days=1))
    keys = {(key.role, key.vkey, key.since) for key in filled.log.verifier_keys()}
    assert keys == {
        ("checkpoint", filled.signer.verifier.vkey, NOW),
        ("receipt", filled.receipt_signer.verifier.vkey, NOW),
    }
    publish = "select audit.publish_verifier_key_v1(%s, 'k', '2026-01-01Z')"
    for role, kind in (("service", "checkpoint"), ("service", "witness"), ("integrator", "receipt")):
        with (
            psycopg.connect(filled.database.url(role)) as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            connection.execute(publish, (kind,))


def test_fsck_notices_a_trigger_that_was_taken_away(filled):
    assert filled.fsck().passed
    with psycopg.connect(filled.database.admin_url) as connection:
        connection.execute("set event_triggers = off")
        connection.execute("alter table audit.payload_clinical_2026_11 disable trigger append_only")
        connection.execute("drop trigger append_only on audit.leaf")
    assert filled.fsck().problems == (
        "table audit.leaf has lost its append-only trigger",
        "table audit.payload_clinical_2026_11 has lost its append-only trigger",
        "the log's schema is not as the last announced change left it",
    )
