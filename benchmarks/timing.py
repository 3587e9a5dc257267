"""Taking times in turns: what runs beside each other is disturbed alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Timing:
    """Milliseconds of one call."""

    median: float
    p99: float
    calls: int


def in_turns(
    calls: Mapping[str, Callable[[int], object]],
    *,
    seconds: float,
    rows: int,
    fewest: int = 5,
    often: Mapping[str, int] | None = None,
) -> dict[str, Timing]:
    """Call each once, then each again, and so on, on a new row each time; the first turn is not counted.

    What is called `often` is called so many times in each of its turns.
    """
    taken: dict[str, list[float]] = {name: [] for name in calls}
    end = time.perf_counter() + seconds
    turn = 0
    while turn <= fewest or time.perf_counter() < end:
        for name, call in calls.items():
            for again in range((often or {}).get(name, 1)):
                started = time.perf_counter()
                call((turn + again) % rows)
                if turn:
                    taken[name].append(1e3 * (time.perf_counter() - started))
        turn += 1
    return {
        name: Timing(float(np.median(times)), float(np.quantile(times, 0.99)), len(times))
        for name, times in taken.items()
    }


def medians_of(calls: Mapping[str, Callable[[], object]], turns: int) -> dict[str, float]:
    """Return the median seconds of a few turns of long calls."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(turns):
        for name, call in calls.items():
            started = time.perf_counter()
            call()
            taken[name].append(time.perf_counter() - started)
    return {name: float(np.median(times)) for name, times in taken.items()}
