"""A log with decisions and their notices, and the projection as the worker's role reads it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import dict_row

from audit.entry import Draft, format_time
from audit.integrate import Integrator
from audit.keys import KeyStore
from audit.log import AuditLog
from audit.note import Signer
from records.projecting import project_notices
from runtime.postgres import Pool, open_pool

ORIGIN = "log.test/records"
NOW = datetime(2026, 11, 20, 10, 15, 0, 123456, tzinfo=UTC)


@dataclass(slots=True)
class Office:
    """A log, its integrator, and the pool of whoever projects."""

    log: AuditLog
    service: Pool
    worker: Pool
    integrator: Integrator
    admin_url: str
    now: datetime = NOW

    def decide(self, *, due_days: float | None = 30, model: str = "loans", **body: Any) -> UUID:
        """Put a decision on record that owes a notice; each a second after the one before."""
        due = None if due_days is None else format_time(self.now + timedelta(days=due_days))
        clock = "unknown" if due is None else "completed_application"
        told = {
            "model": model,
            "version": "1",
            "action": "denial",
            "outcome": "decline",
            "notice_clock": clock,
            "notice_due_at": due,
            "notice_blocked": False,
            **body,
        }
        return self._append(Draft("explanation.created", "token:t", told, private=b"{}", subject="S"))

    def step(self, explanation_id: UUID, kind: str, /, **body: Any) -> UUID:
        """Put a step of a notice on record."""
        return self._append(Draft(kind, "token:t", body, about=explanation_id))

    def send(self, explanation_id: UUID, answers: str = "decision", template: str = "adverse_action") -> UUID:
        """Put on record that a notice was sent, at the moment of its entry."""
        sent_at = format_time(self.now + timedelta(seconds=1))
        told = {"answers": answers, "sent_at": sent_at, "channel": "mail", "template": template}
        return self.step(explanation_id, "notice.sent", **told)

    def review(
        self, explanation_id: UUID, kind: str, outcome: str | None = None, **pointers: UUID | str
    ) -> UUID:
        """Put a review on record; `pointers` are supersedes and superseded_by."""
        told = {"kind": kind, "outcome": outcome, "supersedes": None, "superseded_by": None}
        told |= {name: str(value) for name, value in pointers.items()}
        return self.step(explanation_id, "explanation.reviewed", **told)

    def integrate(self) -> None:
        """Give what waits its place in the tree."""
        while self.integrator.step(self.now):
            pass

    def project(self, limit: int = 500) -> int:
        """Read the log to its end; return the number of transactions that took."""
        steps = 0
        while True:
            with self.worker.connection() as conn:
                stretch = project_notices(conn, limit)
            assert stretch is not None
            if not stretch.entries:
                return steps
            steps += 1

    def table(self) -> list[dict[str, Any]]:
        """The whole table."""
        with psycopg.connect(self.admin_url, row_factory=dict_row) as conn:
            return conn.execute("select * from records.notice order by explanation_id").fetchall()

    def _append(self, draft: Draft) -> UUID:
        self.now += timedelta(seconds=1)
        return self.log.append_one(draft, self.now).entry_id


@pytest.fixture
def office(database: Any) -> Iterator[Office]:
    """A fresh log."""
    with (
        open_pool(database.url("service")) as service,
        open_pool(database.keys_url("service")) as keys,
        open_pool(database.url("integrator")) as integrating,
        open_pool(database.url("worker")) as worker,
    ):
        log = AuditLog(service, KeyStore(keys, bytes(32)), origin=ORIGIN)
        log.ensure_partitions(NOW)
        integrator = Integrator(integrating, [Signer.generate(ORIGIN)], ORIGIN)
        yield Office(log, service, worker, integrator, database.admin_url)
