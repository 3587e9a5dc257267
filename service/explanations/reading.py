"""Reading what is on record: every reading that discloses is itself on record before it is answered."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from audit.canonical import JsonValue
from audit.entry import Draft
from records.lookups import find_decision
from records.tokens import Principal
from service.committing import PATIENCE_SECONDS, commit
from service.context import Services
from service.explanations.recalling import Recalled
from service.explanations.supplementing import recall_all


async def read_back(services: Services, explanation_id: UUID, reader: Principal) -> Recalled:
    """The first answer of one explanation, with what was found since."""
    recalled = await services.desk.run(recall_all, services, explanation_id)
    await log_read(services, explanation_id, reader, "read")
    return recalled


async def find_by_decision(
    services: Services, model: str, decision_id: str, reader: Principal
) -> list[Recalled]:
    """The explanation of a decision by the caller's own id: one, or none."""
    found = await services.desk.run(find_decision, services.log, model, decision_id)
    if found is None:
        return []
    recalled = await services.desk.run(recall_all, services, found)
    await log_read(services, recalled.entry.entry_id, reader, "find")
    return [recalled]


async def log_read(
    services: Services,
    explanation_id: UUID,
    reader: Principal,
    how: str,
    said: Mapping[str, JsonValue] | None = None,
) -> None:
    """Appends `explanation.read` and waits until it is committed (45 CFR 164.312(b))."""
    await commit(services.committer, reading_of(explanation_id, reader.name, how, said), PATIENCE_SECONDS)


def reading_of(
    explanation_id: UUID, actor: str, how: str, said: Mapping[str, JsonValue] | None = None
) -> Draft:
    """The entry of one reading.

    `said` tells more: which supplement or review alone was read, whether a proof disclosed its contents.
    """
    body: dict[str, JsonValue] = {"explanation_id": str(explanation_id), "how": how, **(said or {})}
    return Draft(type="explanation.read", actor=actor, body=body, about=explanation_id)
