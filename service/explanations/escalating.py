"""Compliance is told of a reason or key factor at which a notice stops: an incident about the explanation.

The explanation is answered all the same, once the incident is on record. It is raised once for each kind,
however often the decision is sent again. Where a call ended before it could, whoever asks next raises it.
"""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from audit.canonical import JsonValue, canonical
from audit.entry import Appended, Draft, Entry, Idempotency
from records.private_parts import PrivatePart
from records.subjects import key_beside, subject_named
from runtime.metrics import INCIDENTS
from service.committing import commit
from service.context import Services

_FORM = "incident/v1"
_OF_VERSION = ("model", "version", "model_digest", "reference_digest", "code_version")


async def escalate(
    services: Services, draft: Draft, part: PrivatePart, explanation_id: UUID, patience_seconds: float
) -> bool:
    """Puts the incidents of a new explanation on record, before it is answered; whether there were any."""
    incidents = list(_incidents(draft, part, explanation_id))
    for kind, incident in incidents:
        _count(kind, await commit(services.committer, incident, patience_seconds))
    return bool(incidents)


def make_good(services: Services, entry: Entry, part: PrivatePart) -> None:
    """Puts on record what a call that ended too early did not: nothing, as a rule."""
    if entry.body.get("notice_blocked") is not True:
        return
    for kind, incident in _incidents(entry, part, entry.entry_id):
        assert incident.idempotency is not None  # noqa: S101  by construction
        if services.log.find_duplicate(incident.idempotency) is None:
            _count(kind, services.log.append_one(incident, services.clock.now()))


def _incidents(
    explanation: Draft | Entry, part: PrivatePart, explanation_id: UUID
) -> Iterator[tuple[str, Draft]]:
    """The incident of each kind that the reasons ask for."""
    told = (*part["reasons"], *part.get("crowded_out", ()), *part.get("key_factors", ()))
    blocking = {
        "sensitive-reason": list(dict.fromkeys(one["factor"] for one in told if one.get("sensitive"))),
        "proxy-reason": list(dict.fromkeys(one["factor"] for one in told if one.get("proxy"))),
    }
    for kind, factors in blocking.items():
        if factors:
            yield kind, _incident(explanation, part, explanation_id, kind, factors)


def _incident(
    explanation: Draft | Entry, part: PrivatePart, explanation_id: UUID, kind: str, factors: list[str]
) -> Draft:
    """Which version and which explanation in clear; about whom, and by which factors, encrypted."""
    body, decision_id, subject_ref = explanation.body, part["decision_id"], part["subject_ref"]
    beside = key_beside(explanation) if isinstance(explanation, Entry) else None
    private: dict[str, JsonValue] = {
        "decision_id": decision_id,
        "subject_ref": subject_ref,
        "factors": list[JsonValue](factors),
    }
    return Draft(
        type="incident.raised",
        actor=explanation.actor,
        body={"kind": kind, **{name: body[name] for name in _OF_VERSION}},
        private=canonical(private),
        subject=subject_named(str(body["model"]), decision_id, subject_ref) if beside is None else None,
        beside=beside,
        retention_class=explanation.retention_class,
        about=explanation_id,
        idempotency=Idempotency(canonical([_FORM, kind, str(explanation_id)]), b""),
    )


def _count(kind: str, raised: Appended) -> None:
    if not raised.duplicate:
        INCIDENTS.labels(kind=kind).inc()
