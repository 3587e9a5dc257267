"""A log with decisions about people, whoever asks for erasures and holds, and the custodian; all real."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import dict_row

from audit.canonical import canonical
from audit.custody import KeyCustody
from audit.entry import Draft, Idempotency, format_time
from audit.fsck import FsckReport, fsck
from audit.integrate import Integrator
from audit.keys import KeyStore
from audit.log import AuditLog
from audit.note import Signer
from records.erasure_requests import Asked, request_erasure
from records.erasures import Erasure, read_erasure
from records.holds import Hold, Placing, Scope, place_hold, release_hold
from records.lookups import decision_key
from records.subjects import subject_named
from runtime.clock import FixedClock
from runtime.postgres import Pool, open_pool
from workers.custody import Custodian, Pace

ORIGIN = "log.test/custody"
NOW = datetime(2026, 11, 20, 10, 15, 0, 123456, tzinfo=UTC)
MASTER_KEY = bytes(range(32))
BACKUP_DAYS = 35
SIGNER = Signer(ORIGIN, bytes(range(32)))


@dataclass(slots=True)
class House:
    """Everything at one place, under one clock."""

    database: Any
    clock: FixedClock
    service: Pool
    custodian_pool: Pool
    keystore: KeyStore
    keys: KeyCustody
    log: AuditLog
    integrator: Integrator
    custodian: Custodian
    decided: int = 0
    entries: dict[UUID, bytes] = field(default_factory=dict)

    def decide(
        self,
        subject: str | None = "S-1",
        *,
        retention: str = "standard",
        model: str = "loans",
        decision_id: str | None = None,
        **body: Any,
    ) -> UUID:
        """Put a decision about somebody on record."""
        self.decided += 1
        decision_id = decision_id or f"A-{self.decided}"
        private = canonical({"decision_id": decision_id, "subject_ref": subject, "income": "56"})
        draft = Draft(
            "explanation.created",
            "token:t",
            {"model": model, "version": "1", **body},
            private=private,
            subject=subject_named(model, decision_id, subject),
            retention_class=retention,
            idempotency=Idempotency(decision_key(model, decision_id), b"same"),
        )
        entry_id = self.log.append_one(draft, self.clock.now()).entry_id
        self.entries[entry_id] = private
        return entry_id

    def add(self, about: UUID, kind: str, subject: str | None = "S-1", **more: Any) -> UUID:
        """Put something about a decision on record, encrypted under a subject."""
        named = None if subject is None else f"subject/{subject}"
        private = None if subject is None else b'{"note":"x"}'
        told = {"private": private, "subject": named, "about": about, "body": {}, **more}
        return self.log.append_one(Draft(kind, "token:t", **told), self.clock.now()).entry_id

    def notify(self, about: UUID, *, retention: str = "consumer_credit") -> UUID:
        """Put on record that the notice was sent now."""
        sent_at = format_time(self.clock.now())
        body = {"answers": "decision", "sent_at": sent_at, "channel": "mail", "template": "adverse_action"}
        return self.add(about, "notice.sent", None, body=body, retention_class=retention)

    def erase(
        self,
        subject: str = "S-1",
        effective_at: datetime | None = None,
        basis: str | None = None,
    ) -> Erasure:
        """Ask for an erasure."""
        asked = Asked(f"subject/{subject}", effective_at, basis, "token:t")
        with self.service.connection() as conn:
            return request_erasure(conn, self.log, self.keystore, asked, self.clock.now())

    def placing(self, scope: Scope | None = None, subject: str | None = None) -> Placing:
        """Return a hold to be placed; on a subject by its name."""
        key_id = None if subject is None else self.keystore.find_subject(f"subject/{subject}")
        wanted = scope or (Scope("everything") if subject is None else Scope("subject", key_id))
        named = None if subject is None else f"subject/{subject}"
        return Placing(wanted, "litigation", "token:counsel", named, key_id)

    def hold(self, scope: Scope | None = None, subject: str | None = None) -> Hold:
        """Place a hold."""
        with self.service.connection() as conn:
            return place_hold(conn, self.log, self.keystore, self.placing(scope, subject), self.clock.now())

    def release(self, hold: Hold) -> Hold:
        with self.service.connection() as conn:
            return release_hold(conn, self.log, hold.hold_id, "token:counsel", self.clock.now())

    def look(self, erasure: Erasure) -> Erasure:
        with self.service.connection() as conn:
            return read_erasure(conn, erasure.erasure_id)

    def turn(self, seconds: float = 61.0) -> None:
        """Let time pass and the custodian have its turn; twice, so that what settles is finished."""
        for _ in range(2):
            self.clock.advance(seconds)
            self.custodian.step()

    def to(self, moment: datetime) -> None:
        """Move the clock to a moment, with the partitions a scheduler would have made."""
        self.clock.advance((moment - self.clock.now()).total_seconds())
        self.log.ensure_partitions(self.clock.now())

    def another_custodian(self, backup_days: int = BACKUP_DAYS) -> Custodian:
        return Custodian(self.custodian_pool, self.keys, backup_days, Pace(), self.clock)

    def integrate(self) -> None:
        while self.integrator.step(self.clock.now()):
            pass

    def fsck(self) -> FsckReport:
        with psycopg.connect(self.database.url("auditor")) as conn:
            return fsck(conn, [SIGNER.verifier.vkey], ORIGIN)

    def rows(self, query: str, *values: Any, keys: bool = False) -> list[dict[str, Any]]:
        """What the administrator reads."""
        url = self.database.keys_admin_url if keys else self.database.admin_url
        with psycopg.connect(url, row_factory=dict_row) as conn:
            return conn.execute(query, values).fetchall()

    def types(self) -> list[str]:
        """The types of all entries, in their order."""
        return [row["type"] for row in self.rows("select type from audit.entry order by time, entry_id")]


def wait_for_the_turn(house: House) -> None:
    """Until somebody waits for the turn that somebody else has."""
    waiting = (
        "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"
        " and datname = current_database()"
    )
    until = time.monotonic() + 10.0
    with psycopg.connect(house.database.admin_url, autocommit=True) as conn:
        while conn.execute(waiting).fetchone() != (1,):
            assert time.monotonic() < until
            time.sleep(0.01)


@pytest.fixture
def house(database: Any) -> Iterator[House]:
    clock = FixedClock(NOW)
    with (
        open_pool(database.url("service")) as service,
        open_pool(database.keys_url("service")) as service_keys,
        open_pool(database.url("integrator")) as integrating,
        open_pool(database.url("custodian")) as custody,
        open_pool(database.keys_url("custodian")) as custody_keys,
    ):
        keystore = KeyStore(service_keys, MASTER_KEY)
        log = AuditLog(service, keystore, origin=ORIGIN)
        log.ensure_partitions(NOW)
        keys = KeyCustody(custody_keys)
        yield House(
            database,
            clock,
            service,
            custody,
            keystore,
            keys,
            log,
            Integrator(integrating, [SIGNER], ORIGIN),
            Custodian(custody, keys, BACKUP_DAYS, Pace(), clock),
        )


@pytest.fixture
def half_a_year() -> timedelta:
    """More than the period of the class `standard`."""
    return timedelta(days=190)
