"""A scratch installation whose log was filled with synthetic decisions, put into its tables directly."""

from __future__ import annotations

import secrets
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from audit.checkpoint import Checkpoint, sign_checkpoint
from audit.note import Signer
from audit.receipt import receipt_key_name
from audit.tiles import Edge
from cli.rooms import targets
from records.decisions import project_decisions
from runtime.embedded.postgres import PostgresServer
from runtime.embedded.state import locate
from runtime.embedded.valkey import ValkeyServer
from runtime.migrations import LOGIN_ROLES, migrate
from runtime.postgres import open_pool

ORIGIN = "log.bench/reports"
STRETCH = 5_000  # as the scheduler's policy has it
PASSWORD = secrets.token_hex(16)
LOAD = Path(__file__).with_name("decisions.sql")


@dataclass(frozen=True)
class Bench:
    """A scratch installation: addresses by role, and its folder."""

    admin_url: str
    keys_admin_url: str
    broker_url: str
    folder: Path
    checkpoint_key: Signer
    receipt_key: Signer

    def url(self, role: str, *, keys: bool = False) -> str:
        """Return an address with the password of a role."""
        url = self.keys_admin_url if keys else self.admin_url
        head, _, tail = url.partition("@")
        return f"{head.partition('://')[0]}://ofrecord_{role}:{PASSWORD}@{tail}"


@contextmanager
def bench() -> Iterator[Bench]:
    """Start PostgreSQL and Valkey for the run."""
    with tempfile.TemporaryDirectory(prefix="ofr-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        place = locate(folder / "data", system_root=folder / "system")
        postgres = PostgresServer(place, password=secrets.token_hex(8), log=folder / "postgresql.log")
        valkey = ValkeyServer(place, password=secrets.token_hex(8), log=folder / "valkey.log")
        postgres.start()
        valkey.start()
        try:
            urls = postgres.url("bench"), postgres.url("bench_keys")
            migrate(targets(*urls), dict.fromkeys(LOGIN_ROLES, PASSWORD))
            keys = Signer.generate(ORIGIN), Signer.generate(receipt_key_name(ORIGIN))
            yield Bench(*urls, valkey.url, folder, *keys)
        finally:
            valkey.stop()
            postgres.stop()


def load(place: Bench, rows: int) -> float:
    """Fill the log's tables and sign the tree; return the seconds that took."""
    started = time.perf_counter()
    with psycopg.connect(place.admin_url) as conn:
        conn.execute(LOAD.read_bytes(), {"rows": rows})
        edge = Edge()
        with conn.cursor("leaves", binary=True) as leaves:
            leaves.execute("select leaf_hash from audit.leaf order by index")
            while some := leaves.fetchmany(10_000):
                edge.append([leaf for (leaf,) in some])
        note = sign_checkpoint(Checkpoint(ORIGIN, edge.size, edge.root()), [place.checkpoint_key])
        conn.execute(
            "insert into audit.checkpoint (tree_size, root, note, signed_at) values (%s, %s, %s, %s)",
            (edge.size, edge.root(), note, datetime.now(UTC)),
        )
    with psycopg.connect(place.admin_url, autocommit=True) as conn:
        conn.execute("analyze")
    return time.perf_counter() - started


def project(place: Bench) -> float:
    """Make the table of decisions from nothing; return the seconds that took."""
    started = time.perf_counter()
    with open_pool(place.url("worker")) as pool:
        read: int | None = STRETCH
        while read == STRETCH:
            with pool.connection() as conn:
                read = project_decisions(conn, STRETCH)
    return time.perf_counter() - started
