"""What was appended after an answer, by a worker or by people: read beside it, each with its own receipt."""

from __future__ import annotations

from uuid import UUID

from audit.errors import PayloadErased
from audit.log import StoredEntry
from records.private import parse_supplement
from schemas.base import format_moment
from service.context import Services
from service.explanations.recalling import Recalled, recall, receipt_of
from service.explanations.record import JsonObject, counterfactual_answers
from service.explanations.reviews import reviews_of

SUPPLEMENT = "explanation.supplemented"


def recall_all(services: Services, explanation_id: UUID) -> Recalled:
    """The first answer with everything that was appended since; raises as `recall` does.

    The answer itself stays as it was given: where nothing was appended, and whenever the decision is sent
    again, it is all that is told.
    """
    recalled = recall(services, explanation_id)
    found = services.log.about(explanation_id, SUPPLEMENT)
    told = [one for stored in found if (one := _told(services, stored)) is not None]
    if told:
        recalled.body["supplements"] = told
    reviews, recalled.body["standing"] = reviews_of(services, explanation_id)
    if reviews:
        recalled.body["reviews"] = reviews
    return recalled


def _told(services: Services, stored: StoredEntry) -> JsonObject | None:
    """One supplement, the only place where it is decrypted; None once its own payload is erased."""
    entry = stored.entry
    try:
        part = parse_supplement(services.log.open(stored))
    except PayloadErased:
        return None
    return {
        "entry_id": str(entry.entry_id),
        "evaluation_id": entry.body["evaluation_id"],
        "counterfactuals": counterfactual_answers(part["counterfactuals"]),
        "created_at": format_moment(entry.time),
        "receipt": receipt_of(services, stored).to_json(),
    }
