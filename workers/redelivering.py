"""Sending again what the queue lost: PostgreSQL knows what is due, the queue only carries ids."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Protocol

from records.leases import due_for_redelivery
from records.promises import promised_among
from records.reaching import transaction
from runtime.postgres import Pool
from workers.policy import Policy

_LOG = logging.getLogger(__name__)


class QueueAway(Exception):
    """The broker does not answer."""


class Queue(Protocol):
    """What redelivery needs of the queue; both raise QueueAway."""

    def waiting(self) -> int:
        """How many messages nobody has taken yet."""

    def send(self, evaluation_id: str, *, urgent: bool) -> None:
        """Send the task of one evaluation, before all others where somebody waits for it."""


def redeliver(pool: Pool, queue: Queue, now: datetime, policy: Policy) -> int:
    """Send every evaluation that is due, and return how many were sent; QueueAway if the broker is away.

    They are marked as sent before they are: if the broker goes away now, or this process dies, they are due
    again after `unclaimed_seconds`; and no two schedulers send the same one at the same time. While messages
    are waiting, an evaluation that no worker took is most likely among them: sending it again and again would
    only make a long queue longer.
    """
    queued_for = policy.waiting_for if queue.waiting() else policy.unclaimed_for
    with transaction(pool) as conn:
        due = due_for_redelivery(
            conn,
            now,
            queued_for=queued_for,
            expired_for=policy.unclaimed_for,
            at_most=policy.redeliver_at_most,
        )
        promised = promised_among(conn, due)
    for evaluation_id in due:
        queue.send(str(evaluation_id), urgent=evaluation_id in promised)
    if due:
        _LOG.info("redelivered", extra={"count": len(due)})
    return len(due)
