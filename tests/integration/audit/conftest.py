"""One log on real databases, with each role's own pool."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import psycopg
import pytest

from audit.database import STATEMENT_TIMEOUT_MS
from audit.fsck import FsckReport, fsck
from audit.integrate import Integrator
from audit.keys import KeyStore
from audit.log import AuditLog
from audit.note import Signer
from audit.receipt import receipt_key_name
from runtime.postgres import Pool, open_pool

ORIGIN = "log.example/ofrecord"
NOW = datetime(2026, 11, 20, 10, 15, 0, 123456, tzinfo=UTC)
SIGNER = Signer(ORIGIN, bytes(range(32)))
RECEIPT_SIGNER = Signer(receipt_key_name(ORIGIN), bytes(range(1, 33)))


@dataclass(slots=True)
class Rig:
    """A log as the processes see it: as the service, as the integrator, and the administrator behind."""

    database: object
    pool: Pool
    keys_pool: Pool
    integrator_pool: Pool
    keystore: KeyStore
    log: AuditLog
    integrator: Integrator
    signer: Signer = SIGNER
    receipt_signer: Signer = RECEIPT_SIGNER
    origin: str = ORIGIN
    now: datetime = NOW
    vkeys: list[str] = field(default_factory=lambda: [SIGNER.verifier.vkey, RECEIPT_SIGNER.verifier.vkey])

    def count(self, table: str) -> int:
        with psycopg.connect(self.database.admin_url) as connection:
            return connection.execute(f"select count(*) from audit.{table}").fetchone()[0]

    def another_integrator(self) -> Integrator:
        return Integrator(self.integrator_pool, [self.signer], self.origin)

    def fsck(self) -> FsckReport:
        with psycopg.connect(self.database.url("auditor")) as connection:
            return fsck(connection, [self.signer.verifier.vkey], self.origin)

    def tamper(self, statements: str) -> None:
        """Do as a superuser who switches the guard and the triggers off, and on again."""
        with self.tampering(statements):
            pass

    @contextmanager
    def tampering(self, statements: str) -> Iterator[psycopg.Connection]:
        """Tamper in a transaction that is still open."""
        secured = "select tgrelid::regclass::text from pg_trigger where tgname = 'append_only'"
        with psycopg.connect(self.database.admin_url) as connection:
            connection.execute("set event_triggers = off")
            tables = [row[0] for row in connection.execute(secured).fetchall()]
            for table in tables:
                connection.execute(f"alter table {table} disable trigger append_only")
            connection.execute(statements)
            for table in tables:
                connection.execute(f"alter table {table} enable always trigger append_only")
            connection.execute("set event_triggers = on")
            yield connection


@pytest.fixture
def rig(database) -> Iterator[Rig]:
    pools = (
        open_pool(database.url("service"), max_size=20),
        open_pool(database.keys_url("service"), max_size=20, autocommit=True),
        open_pool(database.url("integrator"), max_size=4),
    )
    singles = open_pool(
        database.url("service"), max_size=20, autocommit=True, statement_timeout_ms=STATEMENT_TIMEOUT_MS
    )
    keystore = KeyStore(pools[1], bytes(32))
    log = AuditLog(pools[0], keystore, origin=ORIGIN, single_statements=singles)
    log.ensure_partitions(NOW)
    yield Rig(database, *pools, keystore, log, Integrator(pools[2], [SIGNER], ORIGIN))
    for pool in (*pools, singles):
        pool.close()
