"""The evidence file of an explanation, a supplement or a review, for whoever trusts nobody here."""

from __future__ import annotations

from uuid import UUID

from audit.canonical import JsonValue
from audit.entry import Entry
from audit.proof import Evidence
from records.reviews import REVIEW
from records.tokens import Principal
from service.context import Services
from service.errors import NotFound
from service.explanations.reading import log_read
from service.explanations.recalling import EXPLANATION, receipt_of
from service.explanations.supplementing import SUPPLEMENT

_NAMED = {SUPPLEMENT: "supplement_id", REVIEW: "review_id"}


async def prove(services: Services, entry_id: UUID, reader: Principal, *, disclose: bool) -> Evidence | None:
    """The evidence file of an explanation, or of one of its supplements or reviews; None before integration.

    Handing it out is logged as a reading of the explanation first, and whether it disclosed anything: without
    disclosure too it tells who asked about whose decision. Asking while there is no proof yet tells nothing.
    """
    entry, evidence = await services.desk.run(_evidence, services, entry_id, disclose)
    if evidence is not None:
        said: dict[str, JsonValue] = {"disclosed": evidence.opening is not None}
        if entry.about is not None:
            said[_NAMED[entry.type]] = str(entry_id)
        await log_read(services, entry.about or entry_id, reader, "proof", said)
    return evidence


def _evidence(services: Services, entry_id: UUID, disclose: bool) -> tuple[Entry, Evidence | None]:
    stored = services.log.read(entry_id)
    if stored.entry.type != EXPLANATION and stored.entry.type not in _NAMED:
        raise NotFound("There is no explanation with this id.")
    evidence = services.log.evidence(entry_id, disclose=disclose, receipt=receipt_of(services, stored))
    return stored.entry, evidence
