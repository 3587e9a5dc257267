"""A durable PostgreSQL of our own with the log's two databases, started for a measurement."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from audit.note import Signer
from runtime.embedded.postgres import PostgresServer
from runtime.embedded.state import locate
from runtime.migrations import KEY_ROLES, LOGIN_ROLES, Source, Target, migrate
from runtime.postgres import require_durability

ROOT = Path(__file__).resolve().parent.parent
MAIN = tuple(Source(room, ROOT / room / "sql") for room in ("audit", "registry", "records"))
KEYS = (Source("audit/keys", ROOT / "audit" / "sql" / "keys"),)
ORIGIN = "log.example/benchmark"
SIGNER = Signer(ORIGIN, bytes(range(32)))
DURABLE = ("fsync", "full_page_writes", "synchronous_commit")
SHOWN = (*DURABLE, "server_version", "shared_buffers", "max_wal_size", "wal_compression")


@dataclass(frozen=True)
class Log:
    """One log's databases by role, as addresses that can be handed to another process."""

    admin: str
    keys_admin: str
    roles: Mapping[str, str]
    keys_roles: Mapping[str, str]


@dataclass(frozen=True)
class Server:
    """A running server that makes logs."""

    postgres: PostgresServer
    passwords: Mapping[str, str]

    def log(self, name: str) -> Log:
        """Make an empty log with the product's own migrations."""
        keys = f"{name}_keys"
        admin, keys_admin = self.postgres.url(name), self.postgres.url(keys)
        migrate([Target(admin, MAIN), Target(keys_admin, KEYS, KEY_ROLES)], self.passwords)
        return Log(admin, keys_admin, self._roles(name), self._roles(keys))

    def settings(self) -> dict[str, str]:
        """Return what the server says of its durability."""
        with psycopg.connect(self.postgres.url()) as connection:
            shown = {
                name: connection.execute("select current_setting(%s)", (name,)).fetchone() for name in SHOWN
            }
        return {name: str(row[0]) for name, row in shown.items() if row}

    def _roles(self, database: str) -> dict[str, str]:
        return {
            role.removeprefix("ofrecord_"): self.postgres.url(database, role, self.passwords[role])
            for role in LOGIN_ROLES
        }


@contextmanager
def server() -> Iterator[Server]:
    """Start a server that is durable as the product's is, on the disk that TMPDIR names."""
    with tempfile.TemporaryDirectory(prefix="ofr-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # its account must reach its data
        postgres = PostgresServer(
            locate(folder / "data", system_root=folder / "system"),
            password=secrets.token_hex(8),
            log=folder / "postgresql.log",
        )
        postgres.start()
        try:
            require_durability(postgres.url())
            yield Server(postgres, {role: secrets.token_hex(8) for role in LOGIN_ROLES})
        finally:
            postgres.stop()
