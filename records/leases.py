"""Evaluations as workers and schedulers see them: claim, heartbeat, release, finish, redeliver.

A lease is a promise with an end. Whoever holds it works; whoever dies leaves it to run out, and another takes
it. All transitions are versioned SQL functions; a worker that lost its lease can change nothing any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from psycopg.rows import scalar_row

from audit.entry import Draft
from audit.log import AuditLog
from records.evaluations import Evaluation, EvaluationNotFound, one_row, settle
from records.queries import queries
from runtime.postgres import Connection

LeaseState = Literal["running", "completed", "failed", "cancelled", "lost"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an evaluation ended; `drafts` are its log entries, the outcome entry first."""

    state: Literal["completed", "failed"]
    failure: str | None
    result: bytes | None
    drafts: tuple[Draft, ...]


def claim_evaluation(
    conn: Connection, evaluation_id: UUID, owner: str, now: datetime, lease: timedelta
) -> Evaluation | None:
    """Take the lease of what is queued, or of what runs under a lease that has run out; None otherwise."""
    values = {"evaluation_id": evaluation_id, "owner": owner, "now": now, "lease_until": now + lease}
    try:
        return one_row(conn, "claim", values).evaluation()
    except EvaluationNotFound:
        return None


def heartbeat_evaluation(
    conn: Connection, evaluation_id: UUID, owner: str, lease_until: datetime, progress: float
) -> LeaseState:
    """Prolong the lease and report progress; the answer says whether to go on."""
    values = {
        "evaluation_id": evaluation_id,
        "owner": owner,
        "lease_until": lease_until,
        "progress": progress,
    }
    with conn.cursor(row_factory=scalar_row) as cursor:
        state: LeaseState | None = cursor.execute(queries("evaluations")["heartbeat"], values).fetchone()
    return state or "lost"


def release_evaluation(
    conn: Connection, evaluation_id: UUID, owner: str, sent_at: datetime, failure: str
) -> bool:
    """Give the lease back after something passing, named in `failure`; the scheduler sends it again.

    `sent_at` is when it counts as sent: the present, or later for a pause before the next attempt.
    """
    values = {"evaluation_id": evaluation_id, "owner": owner, "sent_at": sent_at, "failure": failure}
    return conn.execute(queries("evaluations")["release"], values).fetchone() == (True,)


def finish_evaluation(
    conn: Connection, log: AuditLog, lease: tuple[UUID, str], outcome: Outcome, now: datetime
) -> UUID | None:
    """Finish and append the outcome in the caller's transaction; `lease` is the evaluation and its owner.

    The row is settled first and decides: without the lease nothing is written and None is returned. So the
    outcome is appended once, however often the work itself ran.
    """
    evaluation_id, owner = lease
    values = {
        "evaluation_id": evaluation_id,
        "owner": owner,
        "now": now,
        "state": outcome.state,
        "failure": outcome.failure,
        "result": outcome.result,
    }
    if conn.execute(queries("evaluations")["finish"], values).fetchone() != (True,):
        return None
    entry_id, *_ = [log.append_one(draft, now, conn).entry_id for draft in outcome.drafts]
    settle(conn, evaluation_id, entry_id)
    return entry_id


def due_for_redelivery(
    conn: Connection, now: datetime, *, queued_for: timedelta, expired_for: timedelta, at_most: int
) -> Sequence[UUID]:
    """Mark as sent, and return, what no worker holds and nobody has sent for so long.

    `queued_for` is for what no worker ever took, `expired_for` for what a worker left behind. Rows another
    scheduler is taking at this moment are passed over.
    """
    values = {
        "now": now,
        "queued_before": now - queued_for,
        "expired_before": now - expired_for,
        "at_most": at_most,
    }
    with conn.cursor(row_factory=scalar_row) as cursor:
        found: Sequence[UUID] = cursor.execute(queries("evaluations")["due"], values).fetchall()
    return found
