"""Tokens and lookups on a real database, as the service's own role."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from audit.entry import Draft, Idempotency
from audit.keys import KeyStore
from audit.log import AuditLog
from records.lookups import decision_key, find_decision
from records.reaching import RecordsUnavailable, transaction
from records.tokens import digest_of, find_token, issue_token, revoke_token
from runtime.clock import FixedClock
from runtime.postgres import Pool, open_pool


@pytest.fixture
def pool(database: Any) -> Iterator[Pool]:
    opened = open_pool(database.url("service"))
    yield opened
    opened.close()


@pytest.fixture
def log(database: Any, pool: Pool, clock: FixedClock) -> Iterator[AuditLog]:
    keys = open_pool(database.keys_url("service"))
    made = AuditLog(pool, KeyStore(keys, bytes(32)), origin="log.test/tokens")
    made.ensure_partitions(clock.now())
    yield made
    keys.close()


def test_a_token_is_found_by_its_secret_and_kept_as_a_digest(
    pool: Pool, log: AuditLog, clock: FixedClock, admin: psycopg.Connection
) -> None:
    with transaction(pool) as conn:
        issued = issue_token(conn, log, "los", ["explain", "read"], clock.now(), issued_by="operator")
    with transaction(pool) as conn:
        found = find_token(conn, issued.secret, clock.now())
        assert find_token(conn, issued.secret + "x", clock.now()) is None
    assert found is not None
    assert (found.name, found.scopes, found.token_id) == ("los", {"explain", "read"}, issued.token_id)
    (row,) = admin.execute("select digest from records.token").fetchall()
    assert row[0] == digest_of(issued.secret)
    (entry,) = admin.execute("select canonical from audit.entry where type = 'token.issued'").fetchall()
    assert b'"principal":"los"' in entry[0]
    assert issued.secret.encode() not in entry[0]


def test_expired_and_revoked_tokens_are_not_found(pool: Pool, log: AuditLog, clock: FixedClock) -> None:
    soon = clock.now() + timedelta(minutes=1)
    with transaction(pool) as conn:
        brief = issue_token(conn, log, "p", ["read"], clock.now(), issued_by="o", expires_at=soon)
        lasting = issue_token(conn, log, "p", ["read"], clock.now(), issued_by="o")
        assert find_token(conn, brief.secret, clock.now()) is not None
        clock.advance(60)
        assert find_token(conn, brief.secret, clock.now()) is None
        assert revoke_token(conn, log, lasting.token_id, clock.now(), revoked_by="o")
        assert find_token(conn, lasting.secret, clock.now()) is None


def test_revoking_is_on_record_once(
    pool: Pool, log: AuditLog, clock: FixedClock, admin: psycopg.Connection
) -> None:
    with transaction(pool) as conn:
        issued = issue_token(conn, log, "los", ["read"], clock.now(), issued_by="o")
    clock.advance(60)
    revoked_at = clock.now()
    with transaction(pool) as conn:
        assert revoke_token(conn, log, issued.token_id, revoked_at, revoked_by="operator")
    with transaction(pool) as conn:
        assert not revoke_token(conn, log, issued.token_id, clock.now(), revoked_by="operator")
        assert not revoke_token(conn, log, uuid4(), clock.now(), revoked_by="operator")
    (row,) = admin.execute("select entry_id from audit.entry where type = 'token.revoked'").fetchall()
    entry = log.read(row[0]).entry
    assert dict(entry.body) == {"token_id": str(issued.token_id), "principal": "los"}
    assert (entry.actor, entry.time, entry.private) == ("operator", revoked_at, None)


def test_two_who_revoke_at_once_put_it_on_record_once(
    pool: Pool, log: AuditLog, clock: FixedClock, admin: psycopg.Connection
) -> None:
    with transaction(pool) as conn:
        issued = issue_token(conn, log, "p", ["read"], clock.now(), issued_by="o")

    def revoke(_: int) -> bool:
        with transaction(pool) as conn:
            return revoke_token(conn, log, issued.token_id, clock.now(), revoked_by="o")

    with ThreadPoolExecutor(4) as threads:
        assert sorted(threads.map(revoke, range(4))) == [False, False, False, True]
    counted = admin.execute("select count(*) from audit.entry where type = 'token.revoked'").fetchone()
    assert counted == (1,)


def test_a_token_and_its_entry_stand_or_fall_together(
    pool: Pool, log: AuditLog, clock: FixedClock, admin: psycopg.Connection
) -> None:
    with transaction(pool) as conn:
        issue_token(conn, log, "p", ["read"], clock.now(), issued_by="o")
        conn.rollback()
    assert admin.execute("select count(*) from records.token").fetchone() == (0,)
    assert admin.execute("select count(*) from audit.entry").fetchone() == (0,)
    with transaction(pool) as conn:
        kept = issue_token(conn, log, "p", ["read"], clock.now(), issued_by="o")
    with transaction(pool) as conn:
        assert revoke_token(conn, log, kept.token_id, clock.now(), revoked_by="o")
        conn.rollback()
    with transaction(pool) as conn:
        assert find_token(conn, kept.secret, clock.now()) is not None
    assert admin.execute("select count(*) from audit.entry").fetchone() == (1,)


@pytest.mark.parametrize("scopes", [[], ["everything"], ["read", "root"]])
def test_scopes_are_among_the_known(pool: Pool, log: AuditLog, clock: FixedClock, scopes: list[str]) -> None:
    with transaction(pool) as conn, pytest.raises(ValueError, match="scopes must be among"):
        issue_token(conn, log, "p", scopes, clock.now(), issued_by="o")


def test_the_services_role_cannot_read_or_change_the_table_itself(pool: Pool) -> None:
    for statement in (
        "select * from records.token",
        "update records.token set revoked_at = null",
        "delete from records.token",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), pool.connection() as conn:
            conn.execute(statement)


def test_a_decision_is_found_whatever_was_asked_about_it(
    pool: Pool, log: AuditLog, clock: FixedClock, admin: psycopg.Connection
) -> None:
    idempotency = Idempotency(decision_key("loans", "A-1"), b"a question")
    draft = Draft(type="explanation.created", actor="los", body={}, idempotency=idempotency)
    appended = log.append_one(draft, clock.now())
    assert find_decision(log, "loans", "A-1") == appended.entry_id
    assert find_decision(log, "loans", "A-2") is None
    assert find_decision(log, "other", "A-1") is None
    (row,) = admin.execute("select key, fingerprint from audit.idempotency").fetchall()
    assert b"A-1" not in row[0] + row[1]


def test_a_database_that_is_away_has_one_name() -> None:
    pool = open_pool("postgresql://nobody@127.0.0.1:1/none", min_size=0)
    pool.timeout = 0.2
    with pytest.raises(RecordsUnavailable) as caught, transaction(pool):
        pass
    assert "127.0.0.1" not in str(caught.value)
    pool.close()
