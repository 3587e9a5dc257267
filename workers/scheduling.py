"""The scheduler's loop: partitions ahead of time, and evaluations sent again that the queue lost.

Any number of schedulers may run: what is due is claimed with SKIP LOCKED, and partitions are made once.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from kombu.exceptions import OperationalError

from audit.partitions import ensure_partitions
from records.reaching import transaction
from runtime.broker import EVALUATE, make_celery, send
from runtime.clock import Clock, SystemClock
from runtime.postgres import Pool
from runtime.settings import Settings
from workers.looping import loop, loop_pool
from workers.policy import Policy
from workers.redelivering import Send, SendFailed, redeliver

if TYPE_CHECKING:
    from celery import Celery

_LOG = logging.getLogger(__name__)
_PARTITIONS_EVERY = timedelta(hours=1)


def run(
    settings: Settings, stop: threading.Event, *, policy: Policy | None = None, clock: Clock | None = None
) -> None:
    """Run until `stop` is set; an absent database or broker is waited for."""
    policy = policy or Policy()
    app = make_celery(settings)
    with loop_pool(settings.database_url, "ofrecord-scheduler") as pool:
        loop(pool, scheduler_step(pool, sender(app), policy, clock or SystemClock()), stop)


def sender(app: Celery) -> Send:
    """Send an evaluation's task; an absent broker becomes SendFailed."""

    def send_evaluation(evaluation_id: str) -> None:
        try:
            send(app, EVALUATE, evaluation_id)
        except (OperationalError, OSError) as error:
            raise SendFailed from error

    return send_evaluation


def scheduler_step(pool: Pool, send_one: Send, policy: Policy, clock: Clock) -> Callable[[], float]:
    """One turn of the scheduler, as a function that returns the seconds to rest."""
    partitioned_at: datetime | None = None

    def step() -> float:
        nonlocal partitioned_at
        now = clock.now()
        if partitioned_at is None or now - partitioned_at >= _PARTITIONS_EVERY:
            with transaction(pool) as conn:
                made = ensure_partitions(conn, now)
            partitioned_at = now
            _LOG.info("partitions are ahead", extra={"count": len(made)})
        redeliver(pool, send_one, now, policy)
        return policy.tick_seconds

    return step
