"""How far integration and witnesses are behind: for the numbers, and for whoever asks whether all is well.

The API serves whether or not the integrator runs, so this never makes it unready; it is said, and logged
here too, since an integrator that is down tells nobody.
"""

from __future__ import annotations

import logging
import threading
import time

from audit.standing import Standing, read_standing
from runtime.clock import Clock
from runtime.metrics import COSIGNED_TREE_SIZE, PENDING_AGE_SECONDS, PENDING_ENTRIES, TREE_SIZE
from runtime.postgres import Pool

logger = logging.getLogger("service.lagging")

OVERDUE_SECONDS = 60.0
_KEPT_SECONDS = 3.0
_TOLD_EVERY_SECONDS = 60.0


class Lag:
    """The log's standing, asked of the database at most every few seconds however often it is looked at."""

    def __init__(self, pool: Pool, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock
        self._alone = threading.Lock()
        self._read_at = self._told_at = float("-inf")
        self._standing = Standing(0, None, 0, {})

    def measure(self) -> None:
        """Bring the numbers up to date; raises `AuditUnavailable`."""
        standing = self._current()
        TREE_SIZE.set(standing.tree_size)
        PENDING_ENTRIES.set(standing.pending)
        PENDING_AGE_SECONDS.set(standing.waiting_seconds(self._clock.now()))
        for name, size in standing.cosigned.items():
            COSIGNED_TREE_SIZE.labels(name).set(size)

    def warning(self) -> str | None:
        """What an operator should look at, or nothing; raises `AuditUnavailable`."""
        standing = self._current()
        seconds = standing.waiting_seconds(self._clock.now())
        if seconds <= OVERDUE_SECONDS:
            return None
        if time.monotonic() - self._told_at > _TOLD_EVERY_SECONDS:
            self._told_at = time.monotonic()
            told = {"pending": standing.pending, "duration_ms": round(seconds * 1000)}
            logger.critical("entries are not integrated: look at the integrator", extra=told)
        return f"the oldest of {standing.pending} entries has waited {seconds:.0f} s for the integrator"

    def _current(self) -> Standing:
        with self._alone:
            if time.monotonic() - self._read_at > _KEPT_SECONDS:
                self._standing = read_standing(self._pool)
                self._read_at = time.monotonic()
            return self._standing
