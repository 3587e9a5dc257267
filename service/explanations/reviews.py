"""The reviews of an explanation as they are told: read beside it, each with a receipt of its own."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

import orjson

from audit.errors import PayloadErased
from audit.log import StoredEntry
from records.reviews import REVIEW, Replaced, Standing, counted, standing
from schemas.base import format_moment
from service.context import Services
from service.explanations.recalling import receipt_of
from service.explanations.record import JsonObject


def reviews_of(services: Services, explanation_id: UUID) -> tuple[list[JsonObject], JsonObject | None]:
    """Every review of one explanation, oldest first, decrypted; and what holds after them."""
    found = services.log.about(explanation_id, REVIEW)
    holds = standing(counted(stored.entry for stored in found))
    return [review_told(services, stored) for stored in found], None if holds is None else standing_told(
        holds
    )


def standing_told(holds: Standing | Replaced) -> JsonObject:
    """The outcome that holds, and by which review."""
    later = holds.superseded_by
    return {
        "outcome": holds.outcome,
        "entry_id": str(holds.entry_id),
        "kind": holds.kind,
        "at": format_moment(holds.at),
        "superseded_by": None if later is None else str(later),
    }


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
