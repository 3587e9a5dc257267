"""Keeping a lease while the work goes on: a thread prolongs it and carries progress to the row."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from types import TracebackType
from typing import Self
from uuid import UUID

from records.leases import heartbeat_evaluation
from records.reaching import RecordsUnavailable, transaction
from runtime.clock import Clock
from runtime.postgres import Pool
from workers.errors import EvaluationStopped, StopReason
from workers.policy import Policy

_LOG = logging.getLogger(__name__)


class HeldLease:
    """A claimed lease, kept as long as the `with` block lasts.

    The work calls `report` between chunks; it raises EvaluationStopped once there is a reason to stop. While
    the database is away the work goes on: whether the lease still held is decided when it wants to finish.
    """

    def __init__(
        self,
        pool: Pool,
        clock: Clock,
        policy: Policy,
        lease: tuple[UUID, str],
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self.evaluation_id, self.owner = lease
        self._pool = pool
        self._clock = clock
        self._policy = policy
        self._stopping = stopping
        self._progress = 0.0
        self._ended: StopReason | None = None
        self._until = time.monotonic() + policy.work_seconds
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._left.set()
        self._thread.join()

    def report(self, progress: float) -> None:
        """Note how far the work is, 0 to 1; raise EvaluationStopped if it should go no further."""
        self._progress = max(self._progress, min(progress, 1.0))
        if self._stopping():
            raise EvaluationStopped("stopping")
        if time.monotonic() > self._until:
            raise EvaluationStopped("time-limit")
        if self._ended is not None:
            raise EvaluationStopped(self._ended)

    def _keep(self) -> None:
        while not self._left.wait(self._policy.heartbeat_seconds) and self._ended is None:
            try:
                self._beat()
            except RecordsUnavailable:
                _LOG.warning("heartbeat missed", extra={"evaluation_id": str(self.evaluation_id)})

    def _beat(self) -> None:
        until = self._clock.now() + timedelta(seconds=self._policy.lease_seconds)
        with transaction(self._pool) as conn:
            state = heartbeat_evaluation(conn, self.evaluation_id, self.owner, until, self._progress)
        if state != "running":
            self._ended = "cancelled" if state == "cancelled" else "lost"
