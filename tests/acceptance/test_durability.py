"""Who writes to the log or signs it refuses a server that could lose what it said was committed."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from cli.rooms import keys_address, targets
from cli.running.credentials import fresh_secrets
from runtime.addresses import with_database, with_role
from runtime.embedded.postgres import PostgresServer
from runtime.embedded.state import locate
from runtime.migrations import LOGIN_ROLES, migrate

ROOT = Path(__file__).resolve().parents[2]
ORIGIN = "log.test/durable"
COMMANDS = {"serve": "service", "work": "worker", "integrate": "integrator"}
PATIENCE_SECONDS = 60.0


class Durable:
    """A migrated pair of databases on a server of its own that keeps what it commits."""

    def __init__(self, folder: Path) -> None:
        place = locate(folder / "durable", system_root=folder / "system")
        self.secrets = fresh_secrets(ORIGIN)
        self.server = PostgresServer(place, password=secrets.token_hex(8), log=folder / "durable.log")
        self.cache = folder / "cache"

    def start(self) -> None:
        self.server.start()
        url = self.server.url("ofrecord")
        migrate(targets(url, keys_address(url)), {r: self.secrets[f"{r}-password"] for r in LOGIN_ROLES})

    def environment(self, role: str) -> dict[str, str]:
        url = with_role(self.server.url("ofrecord"), f"ofrecord_{role}")
        given = {
            "DATABASE_URL": url,
            "KEYS_DATABASE_URL": with_database(url, "ofrecord_keys") if role != "integrator" else "",
            "DATABASE_PASSWORD": self.secrets[f"ofrecord_{role}-password"],
            "BROKER_URL": "redis://127.0.0.1:1/0",
            "MASTER_KEY": self.secrets["master-key"],
            "RECEIPT_KEY": self.secrets["receipt-key"],
            "CHECKPOINT_KEY": self.secrets["checkpoint-key"],
            "LOG_ORIGIN": ORIGIN,
            "CACHE_DIR": str(self.cache),
        }
        return {name: value for name, value in os.environ.items() if not name.startswith("OFRECORD_")} | {
            f"OFRECORD_{name}": value for name, value in given.items()
        }

    @contextmanager
    def without(self, setting: str) -> Iterator[None]:
        """Turn a setting off for the whole server, as an administrator would."""
        self._alter(sql.SQL("alter system set {} = off").format(sql.Identifier(setting)), setting, "off")
        try:
            yield
        finally:
            self._alter(sql.SQL("alter system reset {}").format(sql.Identifier(setting)), setting, "on")

    def _alter(self, statement: sql.Composed, setting: str, wanted: str) -> None:
        with psycopg.connect(self.server.url(), autocommit=True) as connection:
            connection.execute(statement)
            connection.execute("select pg_reload_conf()")
            deadline = time.monotonic() + PATIENCE_SECONDS
            while True:
                with psycopg.connect(self.server.url()) as fresh:
                    (found,) = fresh.execute("select current_setting(%s)", (setting,)).fetchone() or ("",)
                if found == wanted:
                    return
                assert time.monotonic() < deadline
                time.sleep(0.05)

    def run(self, command: str, **changed: str) -> subprocess.Popen[str]:
        port = ("--port", "0") if command == "serve" else ()
        return subprocess.Popen(
            [sys.executable, "-m", "cli", command, *port],
            cwd=ROOT, env=self.environment(COMMANDS[command]) | changed, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip


@pytest.fixture(scope="module")
def durable(servers_folder: Path) -> Iterator[Durable]:
    made = Durable(servers_folder)
    made.start()
    yield made
    made.server.stop()


def refusal(process: subprocess.Popen[str]) -> str:
    """What a process says that refuses to start; it ends with exit code 2."""
    try:
        told, _ = process.communicate(timeout=PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        told, _ = process.communicate()
        pytest.fail(f"it started: {told}")
    assert process.returncode == 2, told
    return told


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes", "synchronous_commit"])
def test_nobody_starts_on_a_server_that_may_forget(durable: Durable, setting: str) -> None:
    with durable.without(setting):
        started = [durable.run(command) for command in COMMANDS]
        for process in started:
            assert f"Turn on: {setting}; seen in database 'ofrecord'" in refusal(process)


def test_a_single_role_may_not_forget_either(durable: Durable) -> None:
    with psycopg.connect(durable.server.url(), autocommit=True) as connection:
        connection.execute("alter role ofrecord_integrator set synchronous_commit = off")
        try:
            assert "Turn on: synchronous_commit;" in refusal(durable.run("integrate"))
        finally:
            connection.execute("alter role ofrecord_integrator reset synchronous_commit")


def test_the_keys_must_last_as_long_as_the_log(durable: Durable, other_server: PostgresServer) -> None:
    url = other_server.url("forgetful_keys")
    with psycopg.connect(other_server.url(), autocommit=True) as connection:
        connection.execute("create database forgetful_keys")
    started = [durable.run(command, OFRECORD_KEYS_DATABASE_URL=url) for command in ("serve", "work")]
    for process in started:
        assert "Turn on: fsync, full_page_writes; seen in database 'forgetful_keys'" in refusal(process)


def test_who_is_told_not_to_care_starts(durable: Durable) -> None:
    with durable.without("fsync"):
        process = durable.run("integrate", OFRECORD_ALLOW_UNSAFE_DURABILITY="1")
        assert process.stdout is not None
        try:
            assert any("the tree's right edge is as signed" in line for line in process.stdout)
        finally:
            process.terminate()
            process.communicate(timeout=PATIENCE_SECONDS)


def test_an_integrator_waits_for_a_database_that_is_away_and_then_looks(durable: Durable) -> None:
    durable.server.stop()
    process = durable.run("integrate")
    assert process.stdout is not None
    try:
        assert "the database is away" in process.stdout.readline()
        durable.server.start()
        assert any("the tree's right edge is as signed" in line for line in process.stdout)
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE_SECONDS)
