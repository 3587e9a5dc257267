"""The nurseries that there are: one for each key, as many as memory is meant for."""

from __future__ import annotations

import os
import time
from collections import OrderedDict
from collections.abc import Callable

from runtime.forking.nursery import Load, Nursery
from runtime.forking.tally import Tally

MOST_NURSERIES = 8
LOADING_SECONDS = 60.0
RETRY_SECONDS = 5.0  # after a failure, unless somebody asks for it to be prepared again

_DYING_SECONDS = 0.01
_MOST_FAILURES = 1000


class Nurseries:
    """Nurseries by what they have loaded; the one used longest ago makes room for another."""

    def __init__(self, load: Load, tally: Tally, forget: Callable[[Nursery], object]) -> None:
        """Say how something is loaded, and what is to be done before a nursery is ended."""
        self._load = load
        self._tally = tally
        self._forget = forget
        self._by_key: OrderedDict[bytes, Nursery] = OrderedDict()
        self._failed_at: OrderedDict[bytes, float] = OrderedDict()
        self._dying: set[int] = set()

    def get(self, key: bytes) -> Nursery | None:
        """Return the nursery of this key, which is then the one used last."""
        if key not in self._by_key:
            return None
        self._by_key.move_to_end(key)
        return self._by_key[key]

    def make(self, key: bytes, *, again: bool) -> Nursery | None:
        """Fork a nursery; None while all are busy, or soon after this one failed, unless `again` says so."""
        failed_at = self._failed_at.pop(key, None)
        if failed_at is not None and not again and time.monotonic() < failed_at + RETRY_SECONDS:
            self._failed_at[key] = failed_at
            return None
        if len(self._by_key) >= MOST_NURSERIES:
            idle = next((known for known, one in self._by_key.items() if not one.jobs), None)
            if idle is None:
                return None
            self._end(idle)
        made = self._by_key[key] = Nursery(self._load, key, self._tally)
        return made

    def lose(self, key: bytes, *, failed: bool) -> None:
        """Give up a nursery that has ended or is to end."""
        if failed:
            self._failed_at[key] = time.monotonic()
            if len(self._failed_at) > _MOST_FAILURES:
                self._failed_at.popitem(last=False)
        self._end(key)

    def overdue(self, now: float) -> list[tuple[bytes, Nursery]]:
        """Return those that have been loading for too long."""
        return [
            (key, one)
            for key, one in self._by_key.items()
            if not one.ready and one.born_at + LOADING_SECONDS <= now
        ]

    def next_at(self) -> list[float]:
        """Return the moments at which something may have to be done here."""
        times = [one.born_at + LOADING_SECONDS for one in self._by_key.values() if not one.ready]
        return [*times, time.monotonic() + _DYING_SECONDS] if self._dying else times

    def reap(self) -> None:
        """Wait for those that have ended, as far as that takes no waiting."""
        self._dying -= {process for process in self._dying if os.waitpid(process, os.WNOHANG) != (0, 0)}

    def end_all(self) -> None:
        """End every nursery and wait until it has."""
        for key in list(self._by_key):
            self._end(key)
        for process in self._dying:
            os.waitpid(process, 0)
        self._dying.clear()

    def _end(self, key: bytes) -> None:
        nursery = self._by_key.pop(key)
        self._forget(nursery)
        nursery.end()
        self._dying.add(nursery.process)
