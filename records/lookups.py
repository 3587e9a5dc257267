"""Finding a decision's first answer by the caller's own id.

There is no table for it: the log's idempotency index already holds, in the transaction of each append, a
keyed HMAC of the decision and the entry it led to. It stands outside the tree and its rows may be deleted,
as an erasure must.
"""

from __future__ import annotations

from uuid import UUID

from audit.canonical import canonical
from audit.entry import Idempotency
from audit.log import AuditLog

_FORM = "explanation/v1"


def decision_key(model: str, decision_id: str) -> bytes:
    """What makes two requests about the same decision; the database sees its HMAC only."""
    return canonical([_FORM, model, decision_id])


def find_decision(log: AuditLog, model: str, decision_id: str) -> UUID | None:
    """The entry of a decision's explanation, whatever was asked about it; None if there is none."""
    found = log.find_duplicate(Idempotency(decision_key(model, decision_id), fingerprint=b""))
    return None if found is None else found.entry_id
