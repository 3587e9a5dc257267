"""What of a budget is kept for the record: the search ends so early that the commit still falls inside."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from explain.deadline import Deadline

# Of a small budget at least this share is kept, up to so much.
SHARE = 0.2
SHARE_AT_MOST_MS = 25.0
# What was measured counts between these limits: a stalled disk must not take the time of every search after
# it, and a fifth of every budget is the search's.
LEAST_MS, GREATEST_MS = 8.0, 150.0
MOST_OF_BUDGET = 0.8

_REMEMBERED = 512
_QUANTILE = 0.998
_OLD_SECONDS = 300.0
_FRESH = 16  # measurements after which the quantile is computed anew


class Reserve:
    """Learns how long it takes from the end of a search until its answer is sent.

    Nearly the largest of the last few hundred counts: what is kept is too much for most and enough for nearly
    all. What is minutes old counts no more. It knows nothing at first; then a share of the budget is kept.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._lock = threading.Lock()
        self._clock = clock
        self._recent: deque[tuple[float, float]] = deque(maxlen=_REMEMBERED)
        self._unread = 0
        self._measured_ms = 0.0

    def observe(self, seconds: float) -> None:
        """Remembers what it took once more."""
        now = self._clock()
        with self._lock:
            self._recent.append((now, 1e3 * seconds))
            self._unread += 1
            if self._unread >= _FRESH or self._recent[0][0] < now - _OLD_SECONDS:
                self._unread = 0
                while self._recent[0][0] < now - _OLD_SECONDS:
                    self._recent.popleft()
                ordered = sorted(milliseconds for _, milliseconds in self._recent)
                self._measured_ms = ordered[int(_QUANTILE * (len(ordered) - 1))]

    def milliseconds(self, budget_ms: float) -> float:
        """How much of such a budget is kept."""
        share = min(SHARE_AT_MOST_MS, SHARE * budget_ms)
        measured = min(GREATEST_MS, max(LEAST_MS, self._measured_ms))
        return min(MOST_OF_BUDGET * budget_ms, max(share, measured))

    def keeping(self, deadline: Deadline) -> Deadline:
        """The deadline of the search: what follows it takes the rest."""
        return deadline.keeping(self.milliseconds(deadline.budget_ms))
