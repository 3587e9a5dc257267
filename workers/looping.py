"""The loop of the scheduler and the integrator: step, rest, stop within a second, outlive the database."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from audit.errors import AuditUnavailable
from records.reaching import RecordsUnavailable, transaction
from runtime.postgres import Pool, open_pool

_LOG = logging.getLogger(__name__)
_SLICE_SECONDS = 0.05
_LONGEST_BACKOFF_SECONDS = 2.0
_CONNECT_SECONDS = 0.5  # a loop that is told to stop must not sit in the pool's queue


def loop(pool: Pool, step: Callable[[], float], stop: threading.Event) -> None:
    """Call `step` until `stop` is set; it returns the seconds to rest. An absent database only slows it."""
    failures = 0
    while not stop.is_set():
        try:
            with transaction(pool):  # notices an absent database sooner than the step would
                pass
            pause = step()
            if failures:
                _LOG.info("the database is back", extra={"count": failures})
            failures = 0
        except (RecordsUnavailable, AuditUnavailable):
            failures += 1
            pool.check()  # a restarted server has closed what the pool holds
            pause = min(0.1 * 2**failures, _LONGEST_BACKOFF_SECONDS)
            _LOG.warning("the database is away", extra={"backoff_ms": round(pause * 1000)})
        rest(stop, pause)


def rest(stop: threading.Event, seconds: float) -> None:
    """Sleep, but not past `stop`.

    In short slices and without `Event.wait`: a signal handler that sets the event while this very thread is
    inside its lock would wait for itself.
    """
    until = time.monotonic() + seconds
    while not stop.is_set() and (left := until - time.monotonic()) > 0:
        time.sleep(min(left, _SLICE_SECONDS))


@contextmanager
def loop_pool(
    url: str, name: str, *, connections: int = 2, statement_timeout_ms: int = 30_000
) -> Iterator[Pool]:
    """A pool of a few connections that gives up waiting soon."""
    pool = open_pool(
        url, min_size=1, max_size=connections, name=name, statement_timeout_ms=statement_timeout_ms
    )
    pool.timeout = _CONNECT_SECONDS
    try:
        yield pool
    finally:
        pool.close(timeout=_CONNECT_SECONDS)
