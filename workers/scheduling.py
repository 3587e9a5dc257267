"""The scheduler's loop: partitions ahead, notices read out of the log, and what the queue lost sent again.

Any number of schedulers may run: what is due is claimed with SKIP LOCKED, and partitions are made once.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from kombu.exceptions import ChannelError, OperationalError

from audit.partitions import ensure_partitions
from records.reaching import transaction
from runtime.broker import EVALUATE, QUEUE, make_celery, send
from runtime.clock import Clock, SystemClock
from runtime.postgres import Pool
from runtime.settings import Settings
from workers.looping import loop, loop_pool
from workers.policy import Policy
from workers.projecting import Projector
from workers.redelivering import Queue, QueueAway, redeliver

if TYPE_CHECKING:
    from celery import Celery

_LOG = logging.getLogger(__name__)
_PARTITIONS_EVERY = timedelta(hours=1)


def run(
    settings: Settings, stop: threading.Event, *, policy: Policy | None = None, clock: Clock | None = None
) -> None:
    """Run until `stop` is set; an absent database or broker is waited for."""
    queue = BrokerQueue(make_celery(settings))
    with loop_pool(settings.database_url, "ofrecord-scheduler") as pool:
        loop(pool, Scheduler(pool, queue, policy or Policy(), clock or SystemClock()).step, stop)


class BrokerQueue:
    """The queue as the broker has it."""

    def __init__(self, app: Celery) -> None:
        self._app = app

    def waiting(self) -> int:
        """How many messages nobody has taken yet."""
        with self._reaching(), self._app.pool.acquire(block=True) as connection:
            try:
                count: int = connection.default_channel.queue_declare(QUEUE, passive=True).message_count
            except ChannelError:  # no message, no queue
                return 0
        return count

    def send(self, evaluation_id: str, *, urgent: bool) -> None:
        """Send the task of one evaluation."""
        with self._reaching():
            send(self._app, EVALUATE, evaluation_id, urgent=urgent)

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        """The library's ways of saying "away" differ by how it was reached."""
        try:
            yield
        except (OperationalError, *self._app.connection_for_write().connection_errors) as error:
            raise QueueAway from error


class Scheduler:
    """One turn after the other; each returns the seconds to rest."""

    def __init__(self, pool: Pool, queue: Queue, policy: Policy, clock: Clock) -> None:
        self._pool = pool
        self._queue = queue
        self._policy = policy
        self._clock = clock
        self._projector = Projector(pool, policy, clock)
        self._partitioned_at: datetime | None = None
        self._away = False

    def step(self) -> float:
        """Keep partitions ahead, read notices out of the log, send again what is due.

        A broker that is away is told of once.
        """
        now = self._clock.now()
        if self._partitioned_at is None or now - self._partitioned_at >= _PARTITIONS_EVERY:
            with transaction(self._pool) as conn:
                made = ensure_partitions(conn, now)
            self._partitioned_at = now
            _LOG.info("partitions are ahead", extra={"count": len(made)})
        self._projector.step()
        try:
            redeliver(self._pool, self._queue, now, self._policy)
        except QueueAway:
            self._tell(away=True)
        else:
            self._tell(away=False)
        return self._policy.tick_seconds

    def _tell(self, *, away: bool) -> None:
        if away != self._away:
            _LOG.warning("the broker is away; redelivery waits" if away else "the broker is back")
        self._away = away
