"""Real servers for tests: one PostgreSQL and one Valkey per session, a fresh pair of databases per test."""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

# The kernels are compiled once per checkout, not once per test process; numba reads this when it is imported.
os.environ.setdefault(
    "NUMBA_CACHE_DIR", str(Path(__file__).resolve().parent.parent / ".pytest_cache" / "kernels")
)

from audit.guarding import install_guard
from runtime.clock import FixedClock
from runtime.embedded.postgres import PostgresServer
from runtime.embedded.state import locate
from runtime.embedded.valkey import ValkeyServer
from runtime.migrations import KEY_ROLES, LOGIN_ROLES, Source, Target, migrate
from tests.oracles.fresh_databases import Copies
from tests.oracles.memory_folders import folder_in_memory

ROOT = Path(__file__).resolve().parent.parent
MAIN = tuple(Source(room, ROOT / room / "sql") for room in ("audit", "registry", "records"))
KEYS = (Source("audit/keys", ROOT / "audit" / "sql" / "keys"),)
PASSWORDS = {role: f"test-only-{role}" for role in LOGIN_ROLES}


@dataclass(frozen=True, slots=True)
class Database:
    """A main and a keys database of one test, by role ("service", "auditor", …)."""

    server: PostgresServer
    name: str
    keys_name: str

    @property
    def admin_url(self) -> str:
        return self.server.url(self.name)

    @property
    def keys_admin_url(self) -> str:
        return self.server.url(self.keys_name)

    def url(self, role: str) -> str:
        return self._as(role, self.name)

    def keys_url(self, role: str) -> str:
        return self._as(role, self.keys_name)

    def _as(self, role: str, name: str) -> str:
        full = role if role.startswith("ofrecord_") else f"ofrecord_{role}"
        return self.server.url(name, full, PASSWORDS[full])


@pytest.fixture(scope="session")
def servers_folder() -> Iterator[Path]:
    """A short folder that other accounts can enter: pytest's own is closed, and socket paths are short."""
    folder = Path(tempfile.mkdtemp(prefix="ofr-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def memory_folder(servers_folder: Path) -> Iterator[Path]:
    """A folder for servers that may forget: in memory where there is enough, as files cost most of a test."""
    with folder_in_memory(otherwise=servers_folder) as folder:
        yield folder


@pytest.fixture(scope="session")
def postgres_server(memory_folder: Path) -> Iterator[PostgresServer]:
    """One PostgreSQL for the session; it forgets durability, which these tests do not measure."""
    yield from _server(memory_folder, "data")


@pytest.fixture(scope="session")
def other_server(memory_folder: Path) -> Iterator[PostgresServer]:
    """A second PostgreSQL, for tests that change what belongs to a whole server: its roles' passwords."""
    yield from _server(memory_folder, "other")


def _server(folder: Path, name: str) -> Iterator[PostgresServer]:
    place = locate(folder / name, system_root=folder / "system")
    log = folder / f"{name}-postgresql.log"
    server = PostgresServer(place, password=secrets.token_hex(8), log=log, durable=False)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def template(postgres_server: PostgresServer) -> Database:
    """The migrated pair of databases that every test's own are copied from."""
    made = Database(postgres_server, "template_main", "template_keys")
    migrate([Target(made.admin_url, MAIN), Target(made.keys_admin_url, KEYS, KEY_ROLES)], PASSWORDS)
    with psycopg.connect(made.admin_url) as connection:
        install_guard(connection)  # as in production, but with no entries: each test begins with an empty log
    return made


@pytest.fixture(scope="session")
def copies(postgres_server: PostgresServer, template: Database) -> Iterator[tuple[Copies, Copies]]:
    """Copies of the migrated databases; none is left behind."""
    url = postgres_server.url()
    main = Copies(url, template.name, "main", LOGIN_ROLES)
    keys = Copies(url, template.keys_name, "keys", KEY_ROLES)
    yield main, keys
    main.close()
    keys.close()


@pytest.fixture
def database(postgres_server: PostgresServer, copies: tuple[Copies, Copies]) -> Iterator[Database]:
    """Fresh copies of the migrated databases, dropped afterwards."""
    main, keys = copies
    made = Database(postgres_server, main.take(), keys.take())
    yield made
    main.give_back(made.name)
    keys.give_back(made.keys_name)


@pytest.fixture
def admin(database: Database) -> Iterator[psycopg.Connection]:
    """A connection of the administrator to the test's main database."""
    with psycopg.connect(database.admin_url) as connection:
        yield connection


@pytest.fixture(scope="session")
def valkey_url(servers_folder: Path) -> Iterator[str]:
    """One Valkey for the session."""
    place = locate(servers_folder / "data", system_root=servers_folder / "system")
    server = ValkeyServer(place, password=secrets.token_hex(8), log=servers_folder / "valkey.log")
    server.start()
    yield server.url
    server.stop()


@pytest.fixture
def kernels(tmp_path: Path, pytestconfig: pytest.Config) -> Path:
    """A cache folder of the test's own in which the compiled kernels are those of earlier sessions."""
    kept = getattr(pytestconfig, "cache", None)
    if kept is not None:
        (tmp_path / "kernels").symlink_to(kept.mkdir("ofrecord-kernels"))
    return tmp_path


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """A command that is run inside the tests' process sets up logging to a stream that ends with it."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    yield
    if [one for one in root.handlers if type(one) is logging.StreamHandler and one not in before]:
        root.handlers[:] = before
        root.setLevel(level)


@pytest.fixture
def clock() -> FixedClock:
    """A clock that stands at a moment of the specification's own examples."""
    return FixedClock(datetime(2026, 11, 20, 10, 15, 0, 123456, tzinfo=UTC))
