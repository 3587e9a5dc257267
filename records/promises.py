"""Promised counterfactuals: the explanations that name the evaluation which will finish their search.

The explanation's own entry is the request: it names the evaluation's id in clear, and there is no other entry
for it. The row follows from the entry and is the same whoever inserts it: the service right after its commit,
whoever reads the explanation, or the scheduler, which reads every promise out of the log.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg.rows import scalar_row

from audit.canonical import JsonValue, canonical
from audit.entry import Entry, parse_entry
from records.queries import queries
from runtime.postgres import Connection

KIND = "counterfactual"
PROMISE = "counterfactual_evaluation_id"
"""The member of an explanation's clear body that names the evaluation."""

_CREATED = "explanation.created"


@dataclass(frozen=True, slots=True)
class Promise:
    """One promise: which evaluation, of which explanation by which version, asked by whom and when."""

    evaluation_id: UUID
    explanation_id: UUID
    model: str
    version: str
    requested_by: str
    requested_at: datetime


def promise_of(entry: Entry) -> Promise | None:
    """The promise that an entry makes; None for one that makes none."""
    if entry.type != _CREATED:
        return None
    return promise_in(entry.body, entry.entry_id, entry.actor, entry.time)


def promise_in(
    body: Mapping[str, JsonValue], explanation_id: UUID, requested_by: str, requested_at: datetime
) -> Promise | None:
    """The same from the members of the entry; what is no id promises nothing."""
    named = body.get(PROMISE)
    if not isinstance(named, str):
        return None
    try:
        evaluation_id = UUID(named)
    except ValueError:
        return None
    model, version = str(body.get("model")), str(body.get("version"))
    return Promise(evaluation_id, explanation_id, model, version, requested_by, requested_at)


def promise_counterfactuals(conn: Connection, promises: Sequence[Promise]) -> list[UUID]:
    """Insert the evaluations that are not there yet, in the caller's transaction; return those inserted.

    Send their tasks after that transaction has committed; what is not sent, the scheduler sends.
    """
    if not promises:
        return []
    values = {
        "ids": [one.evaluation_id for one in promises],
        "models": [one.model for one in promises],
        "versions": [one.version for one in promises],
        "parameters": [canonical({"explanation_id": str(one.explanation_id)}) for one in promises],
        "requested_by": [one.requested_by for one in promises],
        "explanations": [one.explanation_id for one in promises],
        "times": [one.requested_at for one in promises],
    }
    with conn.cursor(row_factory=scalar_row) as cursor:
        inserted: list[UUID] = cursor.execute(queries("promises")["promise"], values).fetchall()
    return inserted


def promised_among(conn: Connection, evaluation_ids: Sequence[UUID]) -> set[UUID]:
    """Return those of these evaluations that were promised: the explanation itself is their request."""
    with conn.cursor(row_factory=scalar_row) as cursor:
        found = cursor.execute(queries("promises")["among"], {"ids": list(evaluation_ids)}).fetchall()
    return set(found)


def project_promises(conn: Connection, limit: int) -> int | None:
    """Read at most `limit` entries of the log, in the order of the tree and from where the last reader stood.

    Inserts what was promised and never followed; all in the caller's transaction, with the place reached.
    Returns how many entries that were; None when another has the turn.
    """
    statements = queries("promises")
    row = conn.execute(statements["take"]).fetchone()
    if row is None or row[0] is None:
        return None
    begin: int = row[0]
    asked = {"from": begin, "limit": limit, "mark": f'"{PROMISE}"'.encode()}
    with conn.cursor(binary=True) as cursor:
        entries = cursor.execute(statements["stretch"], asked).fetchall()
    if not entries:
        return 0
    found = [promise_of(parse_entry(bytes(told))) for _, _, told in entries if told is not None]
    promise_counterfactuals(conn, [one for one in found if one is not None])
    last = entries[-1][0]
    read_to = max((time for _, time, _ in entries if time is not None), default=None)
    conn.execute(statements["advance"], {"from": begin, "next": last + 1, "read_to": read_to})
    return len(entries)
