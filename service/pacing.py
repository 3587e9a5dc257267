"""Whether a search by another server can end in time: one that cannot takes the cores from all others."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import NamedTuple

REMEMBERED = 64
"""Searches of a kind that count: times follow the load of the machine."""

ENOUGH = 8
"""How many must have failed within a time before another is thought not to end within it."""

LEAST_SHARE = 0.05
"""Of those known to end or not to end within a time, the share that did: below it there is no hope."""

TRIED_EVERY = 16
"""One of so many hopeless searches is asked for all the same: times may have changed."""

_KINDS = 256

Kind = tuple[str, str]  # the digest of a model version's manifest, the method


class _Ended(NamedTuple):
    seconds: float
    finished: bool

    def within(self, seconds: float) -> bool | None:
        """Whether it would have finished within so long; None where it was stopped before."""
        if self.finished:
            return self.seconds <= seconds
        return False if self.seconds >= seconds else None


@dataclass(slots=True)
class _Known:
    ended: deque[_Ended] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    passed: int = 0

    def hopeful(self, seconds: float) -> bool:
        told = [one.within(seconds) for one in self.ended]
        failed, finished = told.count(False), told.count(True)
        return failed < ENOUGH or finished >= LEAST_SHARE * (failed + finished)


class Pace:
    """Learns how long the searches of each kind take."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[Kind, _Known] = OrderedDict()

    def observe(self, kind: Kind, seconds: float, *, finished: bool) -> None:
        """Remembers one that finished after so long, or was stopped then."""
        with self._lock:
            known = self._known.setdefault(kind, _Known())
            self._known.move_to_end(kind)
            known.ended.append(_Ended(seconds, finished))
            if len(self._known) > _KINDS:
                self._known.popitem(last=False)

    def hopeful(self, kind: Kind, seconds: float) -> bool:
        """Whether one that may take so long is worth asking for; now and then also where it is not."""
        with self._lock:
            known = self._known.get(kind)
            if known is None or known.hopeful(seconds):
                return True
            known.passed += 1
            return known.passed % TRIED_EVERY == 0
