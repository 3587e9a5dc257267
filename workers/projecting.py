"""Reading the log for what follows from it, a stretch at a time: notices, decisions, promised evaluations."""

from __future__ import annotations

import logging
from collections.abc import Callable

from records.decisions import project_decisions
from records.projecting import behind, project_notices
from records.promises import project_promises
from records.reaching import RecordsUnavailable, transaction
from runtime.clock import Clock
from runtime.metrics import NOTICES_BEHIND_ENTRIES, NOTICES_BEHIND_SECONDS
from runtime.postgres import Connection, Pool
from workers.policy import Policy

_LOG = logging.getLogger(__name__)
_LATE_SECONDS = 60.0

Read = Callable[[Connection, int], int | None]


class Projector:
    """One turn after the other; any number of them may run."""

    def __init__(self, pool: Pool, policy: Policy, clock: Clock) -> None:
        self._pool = pool
        self._policy = policy
        self._clock = clock
        self._failing: set[str] = set()

    def step(self) -> int:
        """Read what is new, up to a bound, and return how many entries the notices were read on.

        An entry that cannot be read stops the one reading it and not the scheduler: it is told of once, and
        the table of notices falls behind visibly. An absent database raises RecordsUnavailable.
        """
        self._follow("promises", project_promises, self._policy.project_entries)
        self._follow("decisions", project_decisions, self._policy.project_decisions)
        read = self._follow("notices", _notices, self._policy.project_entries)
        self._report()
        return read

    def _follow(self, what: str, project: Read, limit: int) -> int:
        read = 0
        try:
            for _ in range(self._policy.project_at_most):
                with transaction(self._pool) as conn:
                    entries = project(conn, limit)
                read += entries or 0
                if entries is None or entries < limit:
                    break
        except RecordsUnavailable:
            raise
        except Exception:  # noqa: BLE001 - the scheduler has other work, which must go on
            if what not in self._failing:
                _LOG.exception("the %s cannot be read out of the log", what)
            self._failing.add(what)
            return 0
        self._failing.discard(what)
        if read:
            _LOG.debug("%s projected", what, extra={"count": read})
        return read

    def _report(self) -> None:
        with transaction(self._pool) as conn:
            entries, oldest = behind(conn)
        seconds = 0.0 if oldest is None else max((self._clock.now() - oldest).total_seconds(), 0.0)
        NOTICES_BEHIND_ENTRIES.set(entries)
        NOTICES_BEHIND_SECONDS.set(seconds)
        if entries and seconds > _LATE_SECONDS:
            _LOG.warning("the table of notices is behind the log", extra={"pending": entries})


def _notices(conn: Connection, limit: int) -> int | None:
    stretch = project_notices(conn, limit)
    return None if stretch is None else stretch.entries
