"""A time that no calendar here knows: the tables refuse it, and who reads one all the same goes on."""

from __future__ import annotations

import psycopg
import pytest

from tests.integration.audit.test_audit_fsck_vouched import AT_300, AUTHORITY, WITNESS, authority, vouched

__all__ = ["authority", "vouched"]  # fixtures

TIMES = ("infinity", "-infinity", "0044-01-01 BC", "1999-12-31 23:59:59+00", "9999-12-31 00:00:00+00")


def _drop(table: str) -> str:
    return f"alter table audit.{table} drop constraint {table}_time;"


def test_no_role_writes_a_time_that_cannot_be_read(vouched):
    vouched.rig.integrator.publish_keys(vouched.now)
    vkey = vouched.rig.signer.verifier.vkey
    statements = (
        "insert into audit.timestamp values (299, 'x', %s, ''::bytea)",
        "insert into audit.cosignature values (299, 'x', E'— x\\n', %s)",
        "insert into audit.checkpoint values (299, decode(repeat('00', 32), 'hex'), 'x', %s)",
        "select audit.publish_verifier_key_v1('witness', 'x', %s)",
        f"select audit.publish_key_limit_v1('{vkey}', 1, %s)",
    )
    with psycopg.connect(vouched.rig.database.url("integrator"), autocommit=True) as connection:
        for statement in statements:
            for time in TIMES:
                with pytest.raises(psycopg.errors.CheckViolation):
                    connection.execute(statement, (time,))
    publish = "select audit.publish_verifier_key_v1('receipt', 'x', 'infinity')"
    with (
        psycopg.connect(vouched.rig.database.url("service")) as connection,
        pytest.raises(psycopg.errors.CheckViolation),
    ):
        connection.execute(publish)
    assert vouched.as_auditor().passed


def test_fsck_names_a_time_that_it_cannot_read(vouched):
    rows = {
        "timestamp": ("stamped_at", f"time stamp of 300 by {AUTHORITY}: its row has no time"),
        "cosignature": ("cosigned_at", f"cosignature of 300 by {WITNESS.key.key_id}: its row has no time"),
        "checkpoint": ("signed_at", "checkpoint 300: its row has no time"),
    }
    for table, (column, problem) in rows.items():
        for time in TIMES[:3]:
            update = f"update audit.{table} set {column} = '{time}' {AT_300}"
            with vouched.rig.tampering(_drop(table) + update) as connection:
                found = vouched.fsck(connection).problems
                connection.rollback()
            assert any(one.startswith(problem) for one in found), (table, time, found)


def test_keys_with_such_a_time_are_told_all_the_same(vouched):
    rig, vkey = vouched.rig, vouched.rig.signer.verifier.vkey
    rig.integrator.publish_keys(vouched.now)
    rig.tamper(
        _drop("verifier_key_limit")
        + _drop("verifier_key")
        + f"""insert into audit.verifier_key_limit (vkey, tree_size, since) values ('{vkey}', 0, 'infinity');
        update audit.verifier_key set since = '-infinity'"""
    )
    (key,) = rig.log.verifier_keys()
    assert (key.vkey, key.limit, key.since.year) == (vkey, None, 2000)
