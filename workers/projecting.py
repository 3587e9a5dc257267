"""Reading notices out of the log, a stretch at a time, and telling how far behind the table is."""

from __future__ import annotations

import logging

from records.projecting import behind, project_notices
from records.reaching import RecordsUnavailable, transaction
from runtime.clock import Clock
from runtime.metrics import NOTICES_BEHIND_ENTRIES, NOTICES_BEHIND_SECONDS
from runtime.postgres import Pool
from workers.policy import Policy

_LOG = logging.getLogger(__name__)
_LATE_SECONDS = 60.0


class Projector:
    """One turn after the other; any number of them may run."""

    def __init__(self, pool: Pool, policy: Policy, clock: Clock) -> None:
        self._pool = pool
        self._policy = policy
        self._clock = clock
        self._failing = False

    def step(self) -> int:
        """Read what is new, up to a bound, and return how many entries that were.

        An entry that cannot be read stops the table and not the scheduler: it is told of once, and the table
        falls behind visibly. An absent database raises RecordsUnavailable.
        """
        read = 0
        try:
            read = self._read()
        except RecordsUnavailable:
            raise
        except Exception:  # noqa: BLE001 - the scheduler has other work, which must go on
            if not self._failing:
                _LOG.exception("the notices cannot be read out of the log")
            self._failing = True
        else:
            self._failing = False
        self._report()
        return read

    def _read(self) -> int:
        read = 0
        for _ in range(self._policy.project_at_most):
            with transaction(self._pool) as conn:
                stretch = project_notices(conn, self._policy.project_entries)
            if stretch is None or not stretch.entries:
                break
            read += stretch.entries
            if stretch.entries < self._policy.project_entries:
                break
        if read:
            _LOG.debug("notices projected", extra={"count": read})
        return read

    def _report(self) -> None:
        with transaction(self._pool) as conn:
            entries, oldest = behind(conn)
        seconds = 0.0 if oldest is None else max((self._clock.now() - oldest).total_seconds(), 0.0)
        NOTICES_BEHIND_ENTRIES.set(entries)
        NOTICES_BEHIND_SECONDS.set(seconds)
        if entries and seconds > _LATE_SECONDS:
            _LOG.warning("the table of notices is behind the log", extra={"pending": entries})
