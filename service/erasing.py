"""Erasures over the wire: asked for, answered with a receipt or with the ground of the refusal, looked at."""

from __future__ import annotations

from datetime import datetime
from typing import cast
from uuid import UUID

from audit.retention import RULES
from records import erasures
from records.erasure_requests import Asked, request_erasure
from records.erasures import Erasure
from records.reaching import transaction
from records.subjects import subject_named
from records.tokens import Principal
from reports.requirements.citing import cite
from schemas.base import format_moment
from schemas.erasure import ErasureRequest, Subject
from service.context import Services
from service.errors import ErasureRefused
from service.explanations.recalling import receipt_of
from service.explanations.record import JsonObject


async def request(services: Services, asked: ErasureRequest, principal: Principal) -> JsonObject:
    """Puts a request on record with its answer.

    Raises `ErasureRefused`, `ErasureConflict`; with nothing written `SubjectUnknown`, `EffectiveTimeRefused`.
    """
    erasure, answer = await services.desk.run(_request, services, asked, principal.name)
    if erasure.refused:
        raise await services.desk.run(_refusal, services, erasure)
    return answer


def look(services: Services, erasure_id: UUID) -> JsonObject:
    """One erasure and how far it is; raises `ErasureNotFound`."""
    with transaction(services.pool) as conn:
        erasure = erasures.read_erasure(conn, erasure_id)
    return _told(services, erasure)


def name_of(subject: Subject) -> str:
    """The name under which the keys know whom a request means."""
    return subject_named(subject.model or "", subject.decision_id or "", subject.subject_ref)


def _request(services: Services, asked: ErasureRequest, actor: str) -> tuple[Erasure, JsonObject]:
    wanted = Asked(name_of(asked), asked.effective_at, asked.basis, actor)
    with transaction(services.pool) as conn:
        erasure = request_erasure(conn, services.log, services.keystore, wanted, services.clock.now())
    return erasure, _told(services, erasure)


def _refusal(services: Services, erasure: Erasure) -> ErasureRefused:
    """Why it is refused, with the rules that say so and their status."""
    body = services.log.read(erasure.requested_entry_id).entry.body
    classes = [name for name in cast("list[str]", body.get("retention_classes", [])) if name in RULES]
    rules = [rule for name in classes for rule in RULES[name].requirements]
    today = services.clock.now().date()
    return ErasureRefused(erasure, classes, [cite(rule, today, "en").printed for rule in rules])


def _told(services: Services, erasure: Erasure) -> JsonObject:
    requested = services.log.read(erasure.requested_entry_id)
    completed = None if erasure.completed_entry_id is None else services.log.read(erasure.completed_entry_id)
    return {
        "erasure_id": str(erasure.erasure_id),
        "state": erasure.state,
        "basis": erasure.basis,
        "requested_at": format_moment(erasure.requested_at),
        "effective_at": format_moment(erasure.effective_at),
        "ground": erasure.ground,
        "retained_until": _moment(erasure.retained_until),
        "hold_ids": [str(hold_id) for hold_id in erasure.hold_ids],
        "destroyed_at": _moment(erasure.destroyed_at),
        "completed_at": _moment(erasure.completed_at),
        "entries": erasure.entries,
        "indexes": erasure.indexes,
        "evaluations": erasure.evaluations,
        # As it was put on record: the age of backups that is declared today may be another.
        "backups_gone_by": None if completed is None else completed.entry.body["backups_gone_by"],
        "requested_entry_id": str(erasure.requested_entry_id),
        "completed_entry_id": None if completed is None else str(completed.entry.entry_id),
        "receipt": receipt_of(services, requested).to_json(),
        "completed_receipt": None if completed is None else receipt_of(services, completed).to_json(),
    }


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else format_moment(moment)
