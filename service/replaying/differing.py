"""A replay that comes out otherwise is an incident: one for each explanation and first difference."""

from __future__ import annotations

import logging

from audit.canonical import JsonValue, canonical
from audit.entry import Appended, Draft, Idempotency
from runtime.metrics import INCIDENTS
from service.replaying.judging import Judgement, code_versions
from service.replaying.telling import private_of

logger = logging.getLogger("service.replaying.differing")

DIFFERS = "replay-differs"


def incident_of(judgement: Judgement, actor: str) -> Draft | None:
    """The incident, where the verdict is `different`: the place in clear, the values under the person's key.

    Replaying again adds none, unless the first difference is elsewhere by then.
    """
    entry, first = judgement.recorded.entry, judgement.first
    if judgement.verdict != "different" or first is None:
        return None
    then, now = code_versions(judgement)
    body: dict[str, JsonValue] = {
        "kind": DIFFERS,
        "explanation_id": str(entry.entry_id),
        "model": judgement.recorded.model,
        "version": judgement.recorded.version,
        "first_difference": first.pointer,
        "code_version_recorded": then,
        "code_version": now,
    }
    return Draft(
        type="incident.raised",
        actor=actor,
        body=body,
        private=private_of(first),
        beside=judgement.recorded.beside,
        retention_class=entry.retention_class,
        about=entry.entry_id,
        idempotency=Idempotency(canonical([DIFFERS, str(entry.entry_id), first.pointer]), b""),
    )


def count_incident(raised: Appended) -> None:
    """Tells the operator's numbers and the process's log, once the incident is on record and is a new one."""
    if not raised.duplicate:
        INCIDENTS.labels(kind=DIFFERS).inc()
        logger.error("a replay differs from the record", extra={"kind": DIFFERS})
