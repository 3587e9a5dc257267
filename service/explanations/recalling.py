"""An explanation as it stands on record, rebuilt into the answer that was first given."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from audit.entry import Appended, Entry
from audit.log import StoredEntry
from audit.receipt import Receipt
from records.private import parse_private
from records.private_parts import PrivatePart
from schemas.base import format_moment
from service.context import Services
from service.errors import NotFound
from service.explanations import deferring, escalating
from service.explanations.record import JsonObject, answer

EXPLANATION = "explanation.created"


@dataclass(frozen=True, slots=True)
class Recalled:
    """The entry, its private part, and the first answer made from both."""

    entry: Entry
    part: PrivatePart
    body: JsonObject


def recall(services: Services, explanation_id: UUID) -> Recalled:
    """Reads one explanation from the log and decrypts it; raises `NotFound`, or `PayloadErased`.

    Whatever had to be on record before it was answered is there when this returns.
    """
    stored = services.log.read(explanation_id)
    entry = stored.entry
    if entry.type != EXPLANATION:
        raise NotFound("There is no explanation with this id.")
    part = parse_private(services.log.open(stored))
    escalating.make_good(services, entry, part)
    deferring.make_good(services, entry)
    body = answer(part, entry.body, str(entry.entry_id))
    body["timings_ms"] = None
    body["receipt"] = receipt_of(services, stored).to_json()
    body["late"] = False
    body["created_at"] = format_moment(entry.time)
    return Recalled(entry, part, body)


def receipt_of(services: Services, stored: StoredEntry) -> Receipt:
    """The receipt of a stored entry, with its index once it has one; signed alike each time."""
    entry = stored.entry
    return services.receipt(
        Appended(entry.entry_id, stored.leaf_hash, entry.time, duplicate=True), stored.index
    )
