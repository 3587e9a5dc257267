"""The databases tests are given: migrated, restricted, each only once, and gone afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from runtime.embedded.postgres import PostgresServer
from runtime.migrations import CUSTODIAN, KEY_ROLES
from tests.conftest import PASSWORDS, Database
from tests.oracles.fresh_databases import Copies
from tests.oracles.memory_folders import folder_in_memory, forget_dead_sessions, usable


def names(server: PostgresServer, prefix: str) -> set[str]:
    with psycopg.connect(server.url()) as connection:
        found = connection.execute(
            "select datname from pg_database where starts_with(datname, %s)", (prefix,)
        )
        return {row[0] for row in found.fetchall()}


def test_each_copy_is_whole_and_taken_once_and_none_is_left(
    postgres_server: PostgresServer, template: Database
) -> None:
    copies = Copies(postgres_server.url(), template.keys_name, "lent", KEY_ROLES)
    taken = [copies.take() for _ in range(3)]
    assert len(set(taken)) == 3
    for name in taken:
        with psycopg.connect(postgres_server.url(name, CUSTODIAN, PASSWORDS[CUSTODIAN])) as connection:
            assert connection.execute("select to_regclass('keys.entry_key') is not null").fetchone() == (
                True,
            )
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(postgres_server.url(taken[0], "ofrecord_auditor", PASSWORDS["ofrecord_auditor"]))
    with psycopg.connect(
        postgres_server.url(taken[0])
    ) as held:  # as a test leaves it that forgets a connection
        for name in taken:
            copies.give_back(name)
        copies.close()
        with pytest.raises(psycopg.OperationalError):
            held.execute("select 1")
    assert names(postgres_server, "lent") == set()


def test_what_a_killed_session_left_in_memory_is_removed(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", "pass"])
    ended.wait()
    left, ours, others = (
        tmp_path / name for name in (f"ofr-{ended.pid}-x", f"ofr-{os.getpid()}-x", "somebody")
    )
    for folder in (left, ours, others):
        (folder / "data").mkdir(parents=True)
    forget_dead_sessions(tmp_path)
    assert set(tmp_path.iterdir()) == {ours, others}


def test_a_disk_serves_where_memory_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not usable(tmp_path / "missing")
    monkeypatch.setattr("tests.oracles.memory_folders.SHARED_MEMORY", tmp_path / "missing")
    with folder_in_memory(otherwise=tmp_path) as folder:
        assert folder == tmp_path
