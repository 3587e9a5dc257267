"""One explanation replayed for a caller: computed again, compared, on record, and only then answered."""

from __future__ import annotations

import time
from uuid import UUID

from explain.deadline import Deadline
from records.tokens import Principal
from service.committing import PATIENCE_SECONDS, commit
from service.context import Services
from service.explanations.record import JsonObject
from service.replaying.differing import count_incident, incident_of
from service.replaying.judging import Judgement, judge
from service.replaying.sources import Sources
from service.replaying.telling import draft_of, told

# What one replay may take from its turn on. A search that ended by itself ends again after as many
# evaluations; only those of a worker take longer than this, and `ofrecord replay` has the patience for them.
BUDGET_MS = 30_000.0


async def replay(services: Services, explanation_id: UUID, principal: Principal) -> JsonObject:
    """Replays one explanation; `explanation.replayed` is committed before this returns.

    So is the incident where the verdict is `different`, and first: without it nothing is told or on record.
    Raises what `judge` raises, `TooBusy` where as many replays wait as may.
    """
    judgement = await services.replays.run(_judge, services, explanation_id)
    incident = incident_of(judgement, principal.name)
    if incident is not None:
        count_incident(await commit(services.committer, incident, PATIENCE_SECONDS))
    draft = draft_of(judgement, principal.name)
    appended = await commit(services.committer, draft, PATIENCE_SECONDS)
    return told(judgement) | {"receipt": services.receipt(appended).to_json()}


def _judge(services: Services, explanation_id: UUID) -> Judgement:
    sources = Sources(
        log=services.log,
        pool=services.pool,
        versions=services.versions,
        proposer=services.proposer,
        renderer=services.renderer,
    )
    return judge(sources, explanation_id, Deadline(BUDGET_MS, time.monotonic()))
