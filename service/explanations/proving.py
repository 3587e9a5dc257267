"""The evidence file of one explanation, for whoever trusts neither this service nor its database."""

from __future__ import annotations

from uuid import UUID

from audit.proof import Evidence
from records.tokens import Principal
from service.context import Services
from service.errors import NotFound
from service.explanations.reading import log_read
from service.explanations.recalling import EXPLANATION, receipt_of


async def prove(
    services: Services, explanation_id: UUID, reader: Principal, *, disclose: bool
) -> Evidence | None:
    """The evidence file, or None while the entry is not integrated; disclosing is logged as a read first."""
    evidence = await services.desk.run(_evidence, services, explanation_id, disclose)
    if evidence is not None and evidence.opening is not None:
        await log_read(services, explanation_id, reader, "proof")
    return evidence


def _evidence(services: Services, explanation_id: UUID, disclose: bool) -> Evidence | None:
    stored = services.log.read(explanation_id)
    if stored.entry.type != EXPLANATION:
        raise NotFound("There is no explanation with this id.")
    return services.log.evidence(explanation_id, disclose=disclose, receipt=receipt_of(services, stored))
