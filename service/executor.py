"""Threads for work that must not stand on the event loop, each pool with a limit on what may wait for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from records.reaching import reaching
from service.errors import TooBusy

P = ParamSpec("P")
T = TypeVar("T")


class BoundedExecutor:
    """A pool of threads that refuses work rather than let a queue grow past what a budget could bear."""

    def __init__(
        self,
        name: str,
        *,
        threads: int,
        limit: int,
        refusal: str | None = None,
        retry_after_seconds: int | None = None,
    ) -> None:
        """`refusal` and `retry_after_seconds`: what a caller is told who comes beyond the limit."""
        self._refusal, self._retry_after_seconds = refusal, retry_after_seconds
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._threads, self._limit = threads, limit
        self._lock = threading.Lock()
        self.in_flight = 0

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs `function` in a thread; raises `TooBusy` at once when the limit is reached.

        A database that is away, or goes away meanwhile, is `RecordsUnavailable` wherever it was asked.
        A caller that goes away does not free the place: the thread is still busy, and its place is freed
        when it ends.
        """
        return await self.begin(function, *args, **kwargs)

    def begin(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
        """The same for a caller that will not wait for ever: cancelled before its turn, it never runs."""
        with self._lock:
            if self.in_flight >= self._limit:
                raise TooBusy(self._refusal, self._retry_after_seconds)
            self.in_flight += 1
        try:
            future = self._pool.submit(_reached, partial(function, *args, **kwargs))
        except RuntimeError:
            self._leave()
            raise TooBusy("The service is shutting down.") from None
        future.add_done_callback(lambda _: self._leave())
        return asyncio.wrap_future(future)

    @property
    def waiting(self) -> int:
        """How many wait for a thread."""
        return max(0, self.in_flight - self._threads)

    def _leave(self) -> None:
        with self._lock:
            self.in_flight -= 1

    def close(self) -> None:
        """Finishes what was begun and takes nothing more."""
        self._pool.shutdown(wait=True)


def _reached(work: Callable[[], T]) -> T:
    """Works, with one error for every way in which a database may be away."""
    with reaching():
        return work()
