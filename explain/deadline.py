"""How much of a request's latency budget is left."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Deadline:
    """A budget in milliseconds that began at `started`, a reading of the monotonic `clock` in seconds."""

    budget_ms: float
    started: float
    clock: Callable[[], float] = field(default=time.monotonic, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.budget_ms >= 0:
            raise ValueError("a budget is a number of milliseconds, zero or more")

    @classmethod
    def unlimited(cls) -> Deadline:
        """Return a deadline that never comes, for workers and replays that are bounded by effort."""
        return cls(math.inf, 0.0)

    def remaining_seconds(self) -> float:
        """Return the seconds that are left, never below zero."""
        return max(0.0, self.started + self.budget_ms / 1000.0 - self.clock())

    @property
    def expired(self) -> bool:
        """Whether the budget is used up."""
        return self.remaining_seconds() <= 0.0

    def keeping(self, reserve_ms: float) -> Deadline:
        """Return an earlier deadline that keeps `reserve_ms` of this one for what comes afterwards."""
        return Deadline(max(0.0, self.budget_ms - reserve_ms), self.started, self.clock)
