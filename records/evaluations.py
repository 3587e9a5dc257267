"""Evaluations as their requester sees them: ask, look, cancel.

EvaluationError
├── EvaluationNotFound       no evaluation has this id
└── EvaluationKindUnknown    no worker can do this kind

A request is a row and a log entry in one transaction; only when that is committed may the message to the
workers be sent. What the message queue loses is sent again by the scheduler (`records.leases`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

import orjson
from psycopg.rows import class_row

from audit.canonical import JsonValue, canonical
from audit.entry import Draft, Idempotency
from audit.log import AuditLog
from records.queries import queries
from runtime.ids import uuid7
from runtime.postgres import Connection

EvaluationState = Literal["queued", "running", "completed", "failed", "cancelled"]

KINDS = (
    "kernelshap",
    "importance",
    "reason_stability",
    "reference_comparison",
    "counterfactual",
    "counterfactual_metrics",
)
FINISHED: tuple[EvaluationState, ...] = ("completed", "failed", "cancelled")


class EvaluationError(Exception):
    """The evaluation cannot be asked for or found."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__)


class EvaluationNotFound(EvaluationError):
    """No evaluation has this id."""


class EvaluationKindUnknown(EvaluationError):
    """No worker can do this kind of evaluation."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        super().__init__(f"no worker can do an evaluation of kind {kind!r}; known: {', '.join(KINDS)}")


@dataclass(frozen=True, slots=True)
class EvaluationRequest:
    """What is asked of the workers; the parameters are ids and settings, never personal data."""

    kind: str
    model: str
    version: str
    parameters: Mapping[str, str]
    requested_by: str


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One evaluation and how far it is; the result is a summary without personal data."""

    evaluation_id: UUID
    kind: str
    model: str
    version: str
    parameters: Mapping[str, str]
    requested_by: str
    state: EvaluationState
    progress: float
    attempts: int
    requested_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    failure: str | None
    result: Mapping[str, object] | None
    requested_entry_id: UUID
    outcome_entry_id: UUID | None

    @property
    def finished(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in FINISHED


@dataclass(frozen=True, slots=True)
class EvaluationRow:
    """The table's own row."""

    evaluation_id: UUID
    kind: str
    model: str
    version: str
    parameters: bytes
    requested_by: str
    state: EvaluationState
    progress: float
    attempts: int
    lease_owner: str | None
    lease_until: datetime | None
    requested_at: datetime
    sent_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    failure: str | None
    result: bytes | None
    requested_entry_id: UUID
    outcome_entry_id: UUID | None

    def evaluation(self) -> Evaluation:
        """What the row says, without the lease."""
        return Evaluation(
            evaluation_id=self.evaluation_id,
            kind=self.kind,
            model=self.model,
            version=self.version,
            parameters=orjson.loads(self.parameters),
            requested_by=self.requested_by,
            state=self.state,
            progress=self.progress,
            attempts=self.attempts,
            requested_at=self.requested_at,
            started_at=self.started_at,
            finished_at=self.finished_at,
            failure=self.failure,
            result=None if self.result is None else orjson.loads(self.result),
            requested_entry_id=self.requested_entry_id,
            outcome_entry_id=self.outcome_entry_id,
        )


def request_evaluation(
    conn: Connection, log: AuditLog, request: EvaluationRequest, now: datetime
) -> Evaluation:
    """Append `evaluation.requested` and insert the row, in the caller's transaction.

    Send the task with the returned id after that transaction has committed, never before.
    """
    if request.kind not in KINDS:
        raise EvaluationKindUnknown(request.kind)
    evaluation_id = uuid7(now)
    parameters = dict(request.parameters)
    body: dict[str, JsonValue] = {
        "evaluation_id": str(evaluation_id),
        "kind": request.kind,
        "model": request.model,
        "version": request.version,
        "parameters": parameters,
    }
    draft = Draft(
        type="evaluation.requested", actor=request.requested_by, body=body, about=about(request.parameters)
    )
    entry_id = log.append_one(draft, now, conn).entry_id
    values = {
        "evaluation_id": evaluation_id,
        "kind": request.kind,
        "model": request.model,
        "version": request.version,
        "parameters": canonical(parameters),
        "requested_by": request.requested_by,
        "requested_entry_id": entry_id,
        "now": now,
    }
    return one_row(conn, "request", values).evaluation()


def read_evaluation(conn: Connection, evaluation_id: UUID) -> Evaluation:
    """Read one evaluation; EvaluationNotFound where there is none."""
    return one_row(conn, "read", {"evaluation_id": evaluation_id}).evaluation()


def cancel_evaluation(
    conn: Connection, log: AuditLog, evaluation_id: UUID, cancelled_by: str, now: datetime
) -> Evaluation:
    """Cancel what has not finished and append `evaluation.cancelled`; what has finished is returned as it is.

    The row is settled first: whoever moves it to a final state, and nobody else, appends the outcome.
    """
    found = read_evaluation(conn, evaluation_id)
    values = {"evaluation_id": evaluation_id, "now": now}
    cancelled = conn.execute(queries("evaluations")["cancel"], values).fetchone()
    if cancelled == (True,):
        body = outcome_body(found)
        draft = Draft(
            type="evaluation.cancelled",
            actor=cancelled_by,
            body=body,
            about=about(found.parameters),
            idempotency=outcome_idempotency(evaluation_id),
        )
        settle(conn, evaluation_id, log.append_one(draft, now, conn).entry_id)
    return read_evaluation(conn, evaluation_id)


def about(parameters: Mapping[str, str]) -> UUID | None:
    """The explanation that an evaluation concerns, if it concerns one that can be named."""
    try:
        return UUID(parameters["explanation_id"])
    except (KeyError, ValueError):
        return None


def outcome_body(evaluation: Evaluation) -> dict[str, JsonValue]:
    """What every outcome entry says in clear: which evaluation of what."""
    return {
        "evaluation_id": str(evaluation.evaluation_id),
        "kind": evaluation.kind,
        "model": evaluation.model,
        "version": evaluation.version,
        "parameters": dict(evaluation.parameters),
    }


def outcome_idempotency(evaluation_id: UUID) -> Idempotency:
    """One outcome entry for each evaluation, whatever it says: a second one is a duplicate by its key."""
    return Idempotency(key=f"evaluation/{evaluation_id}".encode(), fingerprint=b"outcome")


def settle(conn: Connection, evaluation_id: UUID, entry_id: UUID) -> None:
    """Name the outcome's entry in the row, once."""
    conn.execute(queries("evaluations")["outcome"], {"evaluation_id": evaluation_id, "entry_id": entry_id})


def one_row(conn: Connection, name: str, values: Mapping[str, object]) -> EvaluationRow:
    """Run a named statement that answers with one row of the table."""
    with conn.cursor(row_factory=class_row(EvaluationRow)) as cursor:
        row = cursor.execute(queries("evaluations")[name], values).fetchone()
    if row is None:
        raise EvaluationNotFound
    return row
