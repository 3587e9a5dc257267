"""Roles, databases and ordered files: created once, edited never, by any number of migrators."""

from __future__ import annotations

import threading
from pathlib import Path

import psycopg
import pytest

from runtime.embedded.postgres import PostgresServer
from runtime.errors import MigrationRefused
from runtime.migrations import AUDITOR, KEY_ROLES, LOGIN_ROLES, OWNER, SERVICE, Source, Target, migrate

PASSWORDS = {role: f"test-only-{role}" for role in LOGIN_ROLES}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "0001_start.sql").write_text(
        "create schema demo; create table demo.thing (id int primary key);\n"
        "create function demo.answer() returns int language sql as 'select 42';\n"
        f"grant usage on schema demo to {SERVICE}; grant select on demo.thing to {SERVICE};"
    )
    (tmp_path / "002_more.sql").write_text("insert into demo.thing values (1);")
    (tmp_path / "queries.sql").write_text("this is not a migration")
    return tmp_path


@pytest.fixture
def target(postgres_server: PostgresServer, folder: Path, request: pytest.FixtureRequest) -> Target:
    return Target(postgres_server.url(f"mig_{request.node.name}"[:60]), (Source("demo", folder),))


def test_applies_in_order_once(target: Target, folder: Path) -> None:
    assert migrate([target], PASSWORDS) == ["demo/0001_start.sql", "demo/002_more.sql"]
    assert migrate([target], PASSWORDS) == []
    (folder / "003_last.sql").write_text("insert into demo.thing values (2);")
    assert migrate([target], PASSWORDS) == ["demo/003_last.sql"]
    with psycopg.connect(target.url) as connection:
        assert connection.execute("select count(*) from demo.thing").fetchone() == (2,)
        owner = connection.execute("select tableowner from pg_tables where schemaname = 'demo'").fetchone()
        assert owner == (OWNER,)


def test_edited_file_is_refused_by_name(target: Target, folder: Path) -> None:
    migrate([target], PASSWORDS)
    (folder / "002_more.sql").write_text("insert into demo.thing values (7);")
    (folder / "003_last.sql").write_text("insert into demo.thing values (2);")
    with pytest.raises(MigrationRefused, match=r"demo/002_more\.sql: was edited"):
        migrate([target], PASSWORDS)
    with psycopg.connect(target.url) as connection:
        assert connection.execute("select array_agg(id) from demo.thing").fetchone() == ([1],)


def test_failing_file_leaves_nothing(target: Target, folder: Path) -> None:
    (folder / "003_broken.sql").write_text("create table demo.half (id int); select 1/0;")
    with pytest.raises(MigrationRefused, match=r"003_broken\.sql: division by zero"):
        migrate([target], PASSWORDS)
    (folder / "003_broken.sql").write_text("create table demo.half (id int);")
    assert migrate([target], PASSWORDS) == ["demo/003_broken.sql"]


def test_two_migrators_at_once_are_harmless(target: Target) -> None:
    applied: list[list[str]] = []
    failures: list[Exception] = []

    def run() -> None:
        try:
            applied.append(migrate([target], PASSWORDS))
        except Exception as error:  # noqa: BLE001 - reported below
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sorted(map(len, applied)) == [0, 0, 0, 2]


def test_roles_hold_no_powers_and_no_plain_password(target: Target, postgres_server: PostgresServer) -> None:
    migrate([target], PASSWORDS)
    with psycopg.connect(target.url) as connection:
        rows = connection.execute(
            "select rolname, rolcanlogin, rolsuper or rolcreatedb or rolcreaterole or rolreplication"
            " or rolbypassrls,"
            " rolpassword from pg_authid where rolname like 'ofrecord%'"
        ).fetchall()
    without_login = {OWNER, "ofrecord_guard"}
    assert {OWNER, *LOGIN_ROLES} <= {row[0] for row in rows} <= {*without_login, *LOGIN_ROLES}
    assert all(row[1] == (row[0] not in without_login) and not row[2] for row in rows)
    assert all(
        row[3] is None if row[0] in without_login else row[3].startswith("SCRAM-SHA-256$4096:")
        for row in rows
    )


def test_only_named_roles_connect_and_nobody_creates(target: Target, postgres_server: PostgresServer) -> None:
    keys = Target(f"{target.url}", target.sources, KEY_ROLES)
    migrate([keys], PASSWORDS)
    name = target.url.split("?")[0].rsplit("/", 1)[1]
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(postgres_server.url(name, AUDITOR, PASSWORDS[AUDITOR]))
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(postgres_server.url(name, SERVICE, "wrong"))
    with psycopg.connect(
        postgres_server.url(name, SERVICE, PASSWORDS[SERVICE]), autocommit=True
    ) as connection:
        for statement in (
            "create table public.x ()",
            "create schema x",
            "create temp table x ()",
            "select demo.answer()",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)
        assert connection.execute("select count(*) from demo.thing").fetchone() == (1,)


def test_missing_folder_has_no_files(tmp_path: Path) -> None:
    assert Source("none", tmp_path / "none").files() == []
