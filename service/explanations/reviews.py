"""The reviews of an explanation as they are told: read beside it, each with a receipt of its own."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

import orjson

from audit.errors import PayloadErased
from audit.log import StoredEntry
from schemas.base import format_moment
from service.context import Services
from service.explanations.recalling import receipt_of
from service.explanations.record import JsonObject

REVIEW = "explanation.reviewed"


def reviews_of(services: Services, explanation_id: UUID) -> list[JsonObject]:
    """Every review of one explanation, oldest first, decrypted."""
    return [review_told(services, stored) for stored in services.log.about(explanation_id, REVIEW)]


def review_told(services: Services, stored: StoredEntry) -> JsonObject:
    """One review; without note and reviewer once its own payload is erased."""
    entry, body = stored.entry, stored.entry.body
    private = _opened(services, stored)
    return {
        "entry_id": str(entry.entry_id),
        "explanation_id": str(entry.about),
        "kind": body["kind"],
        "outcome": body["outcome"],
        "note": private.get("note"),
        "reviewer": private.get("reviewer"),
        "by": entry.actor,
        "at": format_moment(entry.time),
        "supersedes": body["supersedes"],
        "superseded_by": body["superseded_by"],
        "receipt": receipt_of(services, stored).to_json(),
    }


def _opened(services: Services, stored: StoredEntry) -> Mapping[str, str | None]:
    try:
        written = services.log.open(stored)
    except PayloadErased:
        return {}
    found: Mapping[str, str | None] = orjson.loads(written) if written else {}
    return found
