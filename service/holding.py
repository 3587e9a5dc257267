"""Holds over the wire: placed, listed, read with their reason, released."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import orjson

from audit.entry import Draft
from audit.errors import PayloadErased
from records import holds
from records.erasures import SubjectUnknown
from records.holds import Hold, Placing, Scope
from records.notices import CursorMalformed
from records.reaching import transaction
from records.tokens import Principal
from registry import store
from registry.errors import ModelUnknown
from schemas.base import format_moment
from schemas.hold import HoldRequest, HoldScope
from service.committing import PATIENCE_SECONDS, commit
from service.context import Services, id_of
from service.erasing import name_of
from service.explanations.recalling import receipt_of
from service.explanations.record import JsonObject
from service.letters.sources import decrypt

READ = "hold.read"
_BEFORE_ALL = UUID(int=0)


def place(services: Services, asked: HoldRequest, actor: str) -> JsonObject:
    """Places a hold; raises `SubjectUnknown`, `NotFound`, `PayloadErased`, `ModelUnknown`, `HoldTooLate`."""
    scope, subject, subject_key_id = _scope(services, asked.scope)
    since = None if scope.model is None else _registered_at(services, scope.model, scope.version)
    placing = Placing(scope, asked.reason, actor, subject, subject_key_id, since)
    with transaction(services.pool) as conn:
        hold = holds.place_hold(conn, services.log, services.keystore, placing, services.clock.now())
    return _told(services, hold)


def release(services: Services, hold_id: UUID, actor: str) -> JsonObject:
    """Releases a hold; one released before stays as it is. Raises `HoldNotFound`."""
    with transaction(services.pool) as conn:
        hold = holds.release_hold(conn, services.log, hold_id, actor, services.clock.now())
    return _told(services, hold)


def listed(services: Services, active: bool | None, cursor: str | None, limit: int) -> JsonObject:
    """One page of holds, without their reasons; raises `CursorMalformed`."""
    after = _BEFORE_ALL if cursor is None else id_of(cursor)
    if after is None:
        raise CursorMalformed
    with transaction(services.pool) as conn:
        found = holds.page_of_holds(conn, active=active, after=after, limit=limit + 1)
    page = found[:limit]
    more = len(found) > limit
    return {
        "holds": [_told(services, hold) for hold in page],
        "next_cursor": str(page[-1].hold_id) if more else None,
    }


async def read(services: Services, hold_id: UUID, reader: Principal) -> JsonObject:
    """One hold with its reason; that reading is on record before it is answered. Raises `HoldNotFound`."""
    told, placed_entry_id = await services.desk.run(_read, services, hold_id)
    if told["reason"] is not None:
        body = {"hold_id": str(hold_id)}
        draft = Draft(type=READ, actor=reader.name, body=body, about=placed_entry_id)
        await commit(services.committer, draft, PATIENCE_SECONDS)
    return told


def _read(services: Services, hold_id: UUID) -> tuple[JsonObject, UUID]:
    with transaction(services.pool) as conn:
        hold = holds.read_hold(conn, hold_id)
    try:
        reason = orjson.loads(services.log.open(services.log.read(hold.placed_entry_id)))["reason"]
    except PayloadErased:
        reason = None
    return {**_told(services, hold), "reason": reason}, hold.placed_entry_id


def _scope(services: Services, asked: HoldScope) -> tuple[Scope, str | None, UUID | None]:
    """What is covered, the name of the key for the reason, and the id of the key it would be destroyed by."""
    if asked.kind == "subject":
        subject = name_of(asked)
        subject_key_id = services.keystore.find_subject(subject)
        if subject_key_id is None:
            raise SubjectUnknown
        return Scope("subject", subject_key_id=subject_key_id), subject, subject_key_id
    if asked.kind == "explanation":
        explanation_id = UUID(str(asked.explanation_id))
        found = decrypt(services, explanation_id)
        assert found.entry.private is not None  # noqa: S101  it was just opened
        subject_key_id = services.keystore.subject_of(found.entry.private.key_id)
        return Scope("explanation", explanation_id=explanation_id), found.subject, subject_key_id
    if asked.kind == "model":
        return Scope("model", model=asked.model, version=asked.version), None, None
    return Scope("everything"), None, None


def _registered_at(services: Services, model: str, version: str | None) -> datetime:
    """When the model, or one version of it, was registered: it decided nothing before.

    Raises `ModelUnknown` or `VersionUnknown`: a hold on nothing would protect nothing.
    """
    with transaction(services.pool) as conn:
        if version is not None:
            return store.get_version(conn, model, version).created_at
        versions = store.versions_of(conn, [model])
    if not versions:
        raise ModelUnknown(model)
    return min(one.created_at for one in versions)


def _told(services: Services, hold: Hold) -> JsonObject:
    released = None if hold.released_entry_id is None else services.log.read(hold.released_entry_id)
    placed = services.log.read(hold.placed_entry_id)
    return {
        "hold_id": str(hold.hold_id),
        "scope": hold.scope.clear(),
        "placed_at": format_moment(hold.placed_at),
        "placed_by": hold.placed_by,
        "released_at": None if hold.released_at is None else format_moment(hold.released_at),
        "released_by": hold.released_by,
        "past_saving": placed.entry.body.get("past_saving"),
        "receipt": receipt_of(services, placed).to_json(),
        "released_receipt": None if released is None else receipt_of(services, released).to_json(),
    }
