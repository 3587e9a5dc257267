"""Sending again what the queue lost: PostgreSQL knows what is due, the queue only carries ids."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

from records.leases import due_for_redelivery
from records.reaching import transaction
from runtime.postgres import Pool
from workers.policy import Policy

_LOG = logging.getLogger(__name__)

Send = Callable[[str], None]  # sends the task of one evaluation; raises SendFailed


class SendFailed(Exception):
    """The broker did not take the message."""


def redeliver(pool: Pool, send: Send, now: datetime, policy: Policy) -> int:
    """Send every evaluation that is due, and return how many were sent.

    They are marked as sent before they are: if the broker is away, or this process dies in between, they are
    due again after `unclaimed_seconds`; and no two schedulers send the same one at the same time.
    """
    with transaction(pool) as conn:
        due = due_for_redelivery(
            conn, now, unclaimed_for=policy.unclaimed_for, at_most=policy.redeliver_at_most
        )
    for sent, evaluation_id in enumerate(due):
        try:
            send(str(evaluation_id))
        except SendFailed:
            _LOG.warning("the broker is away; redelivery waits", extra={"count": len(due) - sent})
            return sent
    if due:
        _LOG.info("redelivered", extra={"count": len(due)})
    return len(due)
