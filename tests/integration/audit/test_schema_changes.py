"""Migrations are entries of the log they change: on a new database, on an older one, without a superuser."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import psycopg
import pytest

from audit.changes import entered
from audit.fsck import fsck
from audit.guarding import ddl_guard, guard_problems, shipped_functions
from cli.rooms import MAIN_SOURCES, targets
from runtime.embedded.postgres import PostgresServer
from runtime.embedded.state import locate
from runtime.errors import MigrationRefused
from runtime.migrations import LOGIN_ROLES, Source, Target, migrate

ROOT = Path(__file__).resolve().parents[3]
PASSWORDS = {role: f"test-only-{role}" for role in LOGIN_ROLES}
GUARD = ["audit/guard/1_shape.sql", "audit/guard/2_refusing.sql"]


@pytest.fixture
def rooms(postgres_server: PostgresServer) -> Iterator[tuple[Target, Target]]:
    """The two databases of an installation, not there yet."""
    tag = secrets.token_hex(4)
    names = (f"room_{tag}", f"room_{tag}_keys")
    yield targets(*map(postgres_server.url, names))
    with psycopg.connect(postgres_server.url(), autocommit=True) as admin:
        for name in names:
            admin.execute(f"drop database if exists {name} with (force)")


@pytest.fixture
def audit_files(tmp_path: Path) -> Path:
    """A folder for the log's migrations, to be filled with as many as there were."""
    (tmp_path / "audit").mkdir()
    return tmp_path / "audit"


def files_of(source: Source) -> list[Path]:
    return sorted(source.folder.glob("[0-9]*.sql"))


def with_audit(main: Target, folder: Path) -> Target:
    return replace(main, sources=(Source("audit", folder), *MAIN_SOURCES[1:]))


def announced(target: Target) -> list[str]:
    with psycopg.connect(target.url) as connection:
        found = entered(connection)
    for room, name, digest in found:
        folder = Path(__file__).resolve().parents[3] / {
            "audit/keys": "audit/sql/keys",
            "audit/guard": "audit/sql/guard",
        }.get(room, f"{room}/sql")
        if (folder / name).is_file():
            assert digest == f"sha256:{sha256((folder / name).read_bytes()).hexdigest()}"
    return sorted(f"{room}/{name}" for room, name, _ in found)


def state(target: Target) -> str:
    with psycopg.connect(target.url) as connection:
        return ddl_guard(connection)


def test_every_file_of_a_new_installation_has_its_entry_once(rooms: tuple[Target, Target]) -> None:
    applied = migrate(rooms, PASSWORDS)
    assert set(GUARD) <= set(applied)
    assert announced(rooms[0]) == sorted(applied)
    assert migrate(rooms, PASSWORDS) == []
    assert announced(rooms[0]) == sorted(applied)
    with psycopg.connect(rooms[0].url) as connection:
        assert ddl_guard(connection) == "present"
        assert guard_problems(connection) == []


def test_a_database_of_an_earlier_release_is_brought_up(
    rooms: tuple[Target, Target], audit_files: Path
) -> None:
    """The log was there without guard and announcements: first the files up to 0004, announced nowhere."""
    files = files_of(MAIN_SOURCES[0])
    for file in files[:4]:
        shutil.copy(file, audit_files)
    before = migrate([replace(with_audit(rooms[0], audit_files), log=None), rooms[1]], PASSWORDS)
    assert announced(rooms[0]) == []
    after = migrate(rooms, PASSWORDS)
    assert after == [*(f"audit/{file.name}" for file in files[4:]), *GUARD]
    assert announced(rooms[0]) == sorted([*before, *after])
    assert state(rooms[0]) == "present"


def test_later_files_pass_the_guard_by_their_entry(rooms: tuple[Target, Target], audit_files: Path) -> None:
    """Every file after the guard's, and one more, in a database that is guarded already."""
    files = files_of(MAIN_SOURCES[0])
    for file in files[:5]:
        shutil.copy(file, audit_files)
    main = with_audit(rooms[0], audit_files)
    main = replace(main, sources=main.sources[:1])
    assert set(GUARD) <= set(migrate([main], PASSWORDS))
    for file in files[5:]:
        shutil.copy(file, audit_files)
    text = "alter table audit.verifier_key add constraint short check (length(vkey) < 10000);\n"
    (audit_files / "9999_later.sql").write_text(
        f"{text}create table audit.later (id int); drop table audit.later;"
    )
    main = with_audit(rooms[0], audit_files)
    applied = migrate([main], PASSWORDS)
    assert applied[-1].startswith("records/")
    assert "audit/9999_later.sql" in applied
    assert set(applied) <= set(announced(main))
    with psycopg.connect(main.url) as connection:
        assert ddl_guard(connection) == "present"
        assert guard_problems(connection) == []


def test_a_file_is_refused_where_nobody_announces_it(rooms: tuple[Target, Target], audit_files: Path) -> None:
    migrate(rooms, PASSWORDS)
    for file in files_of(MAIN_SOURCES[0]):
        shutil.copy(file, audit_files)
    (audit_files / "9999_later.sql").write_text("create table audit.later (id int)")
    with pytest.raises(MigrationRefused, match=r"9999_later\.sql: the schema of the log is guarded"):
        migrate([replace(with_audit(rooms[0], audit_files), log=None)], PASSWORDS)


def test_a_failing_file_leaves_neither_change_nor_entry(
    rooms: tuple[Target, Target], audit_files: Path
) -> None:
    migrate(rooms, PASSWORDS)
    before = announced(rooms[0])
    for file in files_of(MAIN_SOURCES[0]):
        shutil.copy(file, audit_files)
    (audit_files / "9999_later.sql").write_text("create table audit.later (id int); select 1 / 0")
    with pytest.raises(MigrationRefused, match="division by zero"):
        migrate([with_audit(rooms[0], audit_files)], PASSWORDS)
    assert announced(rooms[0]) == before


def test_a_guard_that_is_off_is_left_for_an_examiner_until_it_is_restored(
    rooms: tuple[Target, Target],
) -> None:
    migrate(rooms, PASSWORDS)
    with psycopg.connect(rooms[0].url, autocommit=True) as connection:
        connection.execute("set event_triggers = off")
        connection.execute("drop schema audit_guard cascade")
        connection.execute("create table audit.more (id int)")
    assert state(rooms[0]) == "disabled"
    assert migrate(rooms, PASSWORDS) == []
    assert state(rooms[0]) == "disabled"
    env = {**os.environ, "OFRECORD_DATABASE_URL": rooms[0].url, "OFRECORD_KEYS_DATABASE_URL": rooms[1].url}
    command = [sys.executable, "-m", "cli", "migrate", "--restore-guard"]
    done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[:-1] == [f"applied {name}" for name in GUARD]
    assert state(rooms[0]) == "present"
    assert [name for name in announced(rooms[0]) if name in GUARD] == sorted(GUARD * 2)


def test_every_function_of_the_log_is_one_that_was_published(rooms: tuple[Target, Target]) -> None:
    migrate(rooms, PASSWORDS)
    with psycopg.connect(rooms[0].url) as connection:
        named = connection.execute(
            "select pronamespace::regnamespace || '.' || proname from pg_proc"
            " where pronamespace::regnamespace::text in ('audit', 'audit_guard')"
        ).fetchall()
    assert {row[0] for row in named} == set(shipped_functions())


@pytest.fixture(scope="module")
def hosted(servers_folder: Path) -> Iterator[PostgresServer]:
    """A server whose administrator is no superuser, as hosting companies give it."""
    place = locate(servers_folder / "hosted", system_root=servers_folder / "hosted-system")
    log = servers_folder / "hosted.log"
    server = PostgresServer(place, password=secrets.token_hex(8), log=log, durable=False)
    server.start()
    with psycopg.connect(server.url(), autocommit=True) as admin:
        admin.execute("create role administrator login createrole createdb password 'x'")
    yield server
    server.stop()


def test_without_a_superuser_all_works_and_the_guard_is_absent(hosted: PostgresServer) -> None:
    rooms = targets(hosted.url("main", "administrator", "x"), hosted.url("main_keys", "administrator", "x"))
    applied = migrate(rooms, PASSWORDS)
    assert not set(GUARD) & set(applied)
    assert announced(rooms[0]) == sorted(applied)
    assert migrate(rooms, PASSWORDS) == []
    assert state(rooms[0]) == "absent"
    with psycopg.connect(hosted.url("main", "ofrecord_service", PASSWORDS["ofrecord_service"])) as service:
        assert len(service.execute("select audit.ensure_partitions_v1('2026-11-20')").fetchall()) == 12
        assert service.execute("select audit.ensure_partitions_v1('2026-11-20')").fetchall() == []
    with psycopg.connect(hosted.url("main", "ofrecord_auditor", PASSWORDS["ofrecord_auditor"])) as auditor:
        assert ddl_guard(auditor) == "absent"
        assert fsck(auditor, [], "log.example/x").passed


def test_a_migrator_needs_the_owners_role_and_nothing_else(
    rooms: tuple[Target, Target], postgres_server: PostgresServer, audit_files: Path
) -> None:
    migrate(rooms, PASSWORDS)
    for file in files_of(MAIN_SOURCES[0]):
        shutil.copy(file, audit_files)
    (audit_files / "9999_later.sql").write_text("create table audit.later (id int); drop table audit.later")
    name = rooms[0].url.split("?")[0].rsplit("/", 1)[1]
    with psycopg.connect(postgres_server.url(), autocommit=True) as admin:
        admin.execute("create role migrator login password 'x'")
        admin.execute("grant ofrecord_owner to migrator")
    try:
        mine = replace(with_audit(rooms[0], audit_files), url=postgres_server.url(name, "migrator", "x"))
        keys = replace(rooms[1], url=postgres_server.url(f"{name}_keys", "migrator", "x"))
        assert migrate([mine, keys], {}) == ["audit/9999_later.sql"]
        assert state(rooms[0]) == "present"
    finally:
        with psycopg.connect(postgres_server.url(), autocommit=True) as admin:
            admin.execute("drop role migrator")
