"""Where reports are made: few at once, and few that are on their way to a reader."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from reports.registers.pulling import Bounds, Made
from service.errors import TooBusy
from service.executor import BoundedExecutor

REPORT_THREADS: Final = 2
REPORTS_WAITING: Final = 4
# Each is a file, perhaps of a gigabyte, until its reader has it; a slow reader keeps it.
REPORTS_OPEN: Final = 8
BOUNDS: Final = Bounds(seconds=120.0, size=4 << 30, entries=1_000_000)
_REFUSAL: Final = "As many reports as may be made or fetched at once are."
_RETRY_AFTER_SECONDS: Final = 10


class Archive:
    """Threads for reports, and a count of the files that are open."""

    def __init__(self, *, bounds: Bounds = BOUNDS, most_open: int = REPORTS_OPEN) -> None:
        """`bounds` are those of each report."""
        self.bounds = bounds
        self.open = 0
        self._most_open = most_open
        self._lock = threading.Lock()
        self._threads = BoundedExecutor(
            "archive",
            threads=REPORT_THREADS,
            limit=REPORT_THREADS + REPORTS_WAITING,
            refusal=_REFUSAL,
            retry_after_seconds=_RETRY_AFTER_SECONDS,
        )

    async def make(self, function: Callable[[], Made]) -> Kept:
        """Make a report in a thread and keep it open; raises `TooBusy` where too many are.

        A caller that goes away while it is made leaves nothing open: the thread closes what it made.
        """
        with self._lock:
            if self.open >= self._most_open:
                raise TooBusy(_REFUSAL, _RETRY_AFTER_SECONDS)
            self.open += 1
        try:
            making = self._threads.begin(function)
        except BaseException:
            self._leave()
            raise
        try:
            return Kept(await making, self._leave)
        except BaseException:
            making.add_done_callback(_let_go)
            self._leave()
            raise

    def _leave(self) -> None:
        with self._lock:
            self.open -= 1

    def close(self) -> None:
        """Finish what was begun and take nothing more."""
        self._threads.close()


class Kept:
    """A report that is open until it is closed, once."""

    def __init__(self, made: Made, leave: Callable[[], None]) -> None:
        """`leave` is called when it is closed."""
        self.made = made
        self._leave: Callable[[], None] | None = leave

    def close(self) -> None:
        """Let go of it; again: nothing."""
        leave, self._leave = self._leave, None
        if leave is not None:
            self.made.close()
            leave()


def _let_go(making: object) -> None:
    """Close what was made for nobody; an error that nobody looks at is looked at here."""
    with suppress(BaseException):
        making.result().close()  # type: ignore[attr-defined]
