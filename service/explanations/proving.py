"""The evidence file of one explanation or supplement, for whoever trusts neither service nor database."""

from __future__ import annotations

from uuid import UUID

from audit.entry import Entry
from audit.proof import Evidence
from records.tokens import Principal
from service.context import Services
from service.errors import NotFound
from service.explanations.reading import log_read
from service.explanations.recalling import EXPLANATION, receipt_of
from service.explanations.supplementing import SUPPLEMENT


async def prove(services: Services, entry_id: UUID, reader: Principal, *, disclose: bool) -> Evidence | None:
    """The evidence file of an explanation, or of one of its supplements; None while it is not integrated.

    Handing it out is logged as a reading of the explanation first, and whether it disclosed anything: without
    disclosure too it tells who asked about whose decision. Asking while there is no proof yet tells nothing.
    """
    entry, evidence = await services.desk.run(_evidence, services, entry_id, disclose)
    if evidence is not None:
        about, supplement_id = (entry_id, None) if entry.about is None else (entry.about, entry_id)
        disclosed = evidence.opening is not None
        await log_read(services, about, reader, "proof", supplement_id=supplement_id, disclosed=disclosed)
    return evidence


def _evidence(services: Services, entry_id: UUID, disclose: bool) -> tuple[Entry, Evidence | None]:
    stored = services.log.read(entry_id)
    if stored.entry.type not in (EXPLANATION, SUPPLEMENT):
        raise NotFound("There is no explanation with this id.")
    evidence = services.log.evidence(entry_id, disclose=disclose, receipt=receipt_of(services, stored))
    return stored.entry, evidence
