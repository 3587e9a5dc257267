"""A log of every kind of entry that a report lists, and the desk at which reports are pulled."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from audit.canonical import canonical
from audit.custody import append_clear
from audit.entry import Draft
from audit.integrate import Integrator
from audit.keys import KeyStore
from audit.log import AuditLog, StoredEntry
from audit.note import Signer
from audit.receipt import issue_receipt, receipt_key_name
from records.decisions import project_decisions
from records.projecting import project_notices
from reports.registers.offered import find_report
from reports.registers.pulling import Bounds, Desk, make
from reports.registers.report import Asked, Form
from runtime.clock import FixedClock
from runtime.postgres import Pool, open_pool

ORIGIN = "log.test/reports"
CHECKPOINT_KEY = Signer.generate(ORIGIN)
RECEIPT_KEY = Signer.generate(receipt_key_name(ORIGIN))
START = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)


@dataclass(slots=True)
class Office:
    """A log, its integrator, and the desk. Each entry is a second after the one before."""

    log: AuditLog
    worker: Pool
    integrator: Integrator
    desk: Desk
    clock: FixedClock
    admin_url: str
    keystore: KeyStore
    taken: int = field(default=0)

    def append(self, kind: str, body: dict[str, Any], about: UUID | None = None, **more: Any) -> UUID:
        """Put an entry on record."""
        self.clock.advance(1)
        draft = Draft(kind, more.pop("actor", "token:t"), body, about=about, **more)
        if kind.startswith(("erasure.", "retention.", "schema.")):  # of other roles than the service's
            with psycopg.connect(self.admin_url) as conn:
                return append_clear(conn, draft, self.clock.now()).entry_id
        return self.log.append_one(draft, self.clock.now()).entry_id

    def decide(
        self,
        *,
        model: str = "loans",
        approve: bool = False,
        retention_class: str = "consumer_credit",
        **body: Any,
    ) -> UUID:
        """Put a decision on record, with a private part that names a person."""
        self.taken += 1
        told: dict[str, Any] = {
            "model": model,
            "version": "1",
            "model_digest": "sha256:" + "a" * 64,
            "manifest_digest": "sha256:" + "b" * 64,
            "reference_digest": "sha256:" + "c" * 64,
            "method": "interventional_treeshap",
            "catalogue": {"name": "lending", "version": "1", "digest": "sha256:" + "d" * 64},
            "outcome": "approve" if approve else "decline",
            "favourable": approve,
            "reason_codes": [] if approve else ["R05", "R07"],
            "counterfactual_status": "not_needed" if approve else "found",
            "code_version": "ofrecord 0.1.0",
        }
        private = canonical({"decision_id": f"A-{self.taken}", "subject_ref": f"S-{self.taken}"})
        return self.append(
            "explanation.created",
            {**told, **body},
            private=private,
            subject=f"S-{self.taken}",
            retention_class=retention_class,
        )

    def register(self, model: str) -> None:
        """Let the registry know a model; nothing else of it matters here."""
        catalogue = "'c', '1', 'sha256:' || encode(sha256(''), 'hex'), '', %(now)s"
        version = (
            "%(model)s, '1', 'd', 'd', 'd', 'd', 'k', 1, null, 'f', 'p', 'c', '1', '', %(entry)s, %(now)s"
        )
        values = {"model": model, "now": self.clock.now(), "entry": UUID(int=1)}
        with psycopg.connect(self.admin_url) as conn:
            conn.execute("set session_replication_role = replica")  # without the bytes that it refers to
            conn.execute(f"insert into registry.catalogue values ({catalogue})", values)
            conn.execute(f"insert into registry.model_version values ({version})", values)

    def settle(self) -> None:
        """Integrate and project everything."""
        while self.integrator.step(self.clock.now()):
            pass
        for project in (project_notices, project_decisions):
            more = True
            while more:
                with self.worker.connection() as conn:
                    found = project(conn, 500)
                more = bool(getattr(found, "entries", found))
        self.clock.advance(1)

    def pull(self, name: str, form: Form = "json", asked: Asked | None = None) -> bytes:
        """A whole report, put on record as the service does; more of the same belongs to `Asked`."""
        made = make(self.desk, find_report(name), asked or Asked(), form, Bounds())
        try:
            appended = self.log.append(made.drafts("token:t"), self.clock.now())[-1]
            return made.opening(appended.entry_id, "token:t") + b"".join(made.chunks()) + made.closing()
        finally:
            made.close()

    def rows(self, name: str, **asked: Any) -> list[dict[str, Any]]:
        """The rows of a report."""
        found: list[dict[str, Any]] = json.loads(self.pull(name, asked=Asked(**asked)))["rows"]
        return found

    def entries(self) -> list[StoredEntry]:
        """Every entry of the tree, read one by one."""
        with psycopg.connect(self.admin_url) as conn:
            (size,) = conn.execute("select count(*) from audit.leaf").fetchone() or (0,)
        return [self.log.entry_at(index) for index in range(size)]


@pytest.fixture
def office(database: Any, tmp_path: Path) -> Iterator[Office]:
    """A fresh log."""
    clock = FixedClock(START)
    with (
        open_pool(database.url("service")) as service,
        open_pool(database.keys_url("service")) as keys,
        open_pool(database.url("integrator")) as integrating,
        open_pool(database.url("worker")) as worker,
    ):
        keystore = KeyStore(keys, bytes(32))
        log = AuditLog(service, keystore, origin=ORIGIN)
        for months in range(3):
            log.ensure_partitions(START - timedelta(days=31 * months))
        integrator = Integrator(integrating, [CHECKPOINT_KEY], ORIGIN)
        issue = partial(issue_receipt, RECEIPT_KEY, ORIGIN)
        desk = Desk(
            pool=service,
            log=log,
            clock=clock,
            organisation="Acme Bank",
            vkeys=(CHECKPOINT_KEY.verifier.vkey,),
            receipt=lambda appended, index: (
                issue(appended) if index is None else issue(appended).with_index(index)
            ),
            folder=tmp_path / "reports",
        )
        yield Office(log, worker, integrator, desk, clock, database.admin_url, keystore)
