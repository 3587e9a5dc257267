"""The threads of the service: what works in which, how many there are, how many callers may wait."""

from __future__ import annotations

from service.executor import BoundedExecutor

DESK_THREADS = 6
# A letter takes tens of milliseconds, and each that waits holds a decrypted decision in memory.
PRESS_THREADS = 2
LETTERS_WAITING = 30
# How many explanations may be under way at once, for each hot thread: beyond it a budget could not be kept
# anyway.
EXPLANATIONS_PER_THREAD = 32
# Half as many threads search as explain: a search computes without a pause, and what has to be on time needs
# the other half. Each that waits counts on a turn inside its budget; beyond so many it would not come.
SEARCHES_PER_THREAD = 16
# Each registration under examination is a process with its own memory; each that waits is an upload in ours.
EXAMINATIONS = 1
EXAMINATIONS_WAITING = 3
# A replay searches as long as the recorded search did: one at a time, so that it takes a core from nobody.
REPLAYS = 1
REPLAYS_WAITING = 8


def desk_threads() -> BoundedExecutor:
    """The threads of reads, tokens and other short database work."""
    return BoundedExecutor("desk", threads=DESK_THREADS, limit=256)


def hot_threads(threads: int) -> BoundedExecutor:
    """The threads of attributions, up to their reasons."""
    return BoundedExecutor("hot", threads=threads, limit=threads * EXPLANATIONS_PER_THREAD)


def seek_threads(threads: int) -> BoundedExecutor:
    """The threads of searches: fewer than attributions have, which must never wait behind one."""
    seekers = max(1, threads // 2)
    return BoundedExecutor("seek", threads=seekers, limit=seekers * (1 + SEARCHES_PER_THREAD))


def press_threads() -> BoundedExecutor:
    """The threads of letters."""
    return BoundedExecutor("press", threads=PRESS_THREADS, limit=PRESS_THREADS + LETTERS_WAITING)


def gate_threads() -> BoundedExecutor:
    """The threads that wait for an examination, which takes its caller's patience and not the service's."""
    return BoundedExecutor(
        "gate",
        threads=EXAMINATIONS,
        limit=EXAMINATIONS + EXAMINATIONS_WAITING,
        refusal="As many registrations as may wait are waiting.",
        retry_after_seconds=10,
    )


def replay_threads() -> BoundedExecutor:
    """The threads of replays."""
    return BoundedExecutor(
        "replays",
        threads=REPLAYS,
        limit=REPLAYS + REPLAYS_WAITING,
        refusal="As many replays as may wait are waiting.",
        retry_after_seconds=5,
    )
