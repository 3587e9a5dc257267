"""What was deferred is promised: the evaluation that an explanation names exists when its answer leaves.

The entry is the promise. Its row is inserted right after the commit; where a crash or an unreachable database
came between, whoever reads the explanation inserts it, or the scheduler.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from audit.entry import Draft, Entry
from explain.deadline import Deadline
from records.promises import Promise, promise_counterfactuals, promise_in, promise_of
from records.reaching import transaction
from service.context import Services
from service.errors import TooBusy

logger = logging.getLogger(__name__)

LEAVING_MS = 3.0  # what an answer takes to leave


def promised(draft: Draft, explanation_id: UUID, at: datetime) -> Promise | None:
    """The promise in an entry that was just committed, if it makes one."""
    return promise_in(draft.body, explanation_id, draft.actor, at)


async def keep(services: Services, promise: Promise, deadline: Deadline) -> bool:
    """Inserts the row, and waits for that as long as the budget lasts: the answer is not late for it.

    Whether it was there in time.
    """
    try:
        keeping = services.desk.begin(insert, services, [promise])
    except TooBusy as error:
        _later([promise], error)
        return False
    await asyncio.wait({keeping}, timeout=deadline.keeping(LEAVING_MS).remaining_seconds())
    return keeping.done()


def make_good(services: Services, entry: Entry) -> None:
    """Inserts the row of an explanation that is read, if it promises one and that is not there yet."""
    promise = promise_of(entry)
    if promise is not None:
        insert(services, [promise])


def insert(services: Services, promises: Iterable[Promise]) -> None:
    """Inserts what is not there yet and tells the workers; never raises, for the promise is on record."""
    promises = list(promises)
    try:
        with transaction(services.single_statements) as conn:
            inserted = promise_counterfactuals(conn, promises)
    except Exception as error:  # noqa: BLE001 - the answer does not depend on it
        _later(promises, error)
        return
    for evaluation_id in inserted:
        services.tasks.evaluate(evaluation_id, urgent=True)


def _later(promises: list[Promise], error: Exception) -> None:
    logger.warning(
        "evaluations not inserted; the scheduler will",
        exc_info=error,
        extra={"evaluation_ids": [str(promise.evaluation_id) for promise in promises]},
    )
