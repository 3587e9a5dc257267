"""What takes seconds at start happens in a thread, so that the socket answers at once: not ready yet."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from runtime.errors import DurabilityOff
from service.errors import NotReady

logger = logging.getLogger("service.warming")

RETRY_SECONDS = 1.0


class Warming:
    """Runs the start-up work until it succeeds: a database that is away at first is no reason to give up."""

    def __init__(self, work: Callable[[], None], then: Callable[[], object] | None = None) -> None:
        """`then` is called once, when the work is done and before anybody is served."""
        self._work = work
        self._then = then
        self._warm = threading.Event()
        self._stopped = threading.Event()
        self._refused: str | None = None
        self._thread = threading.Thread(target=self._run, name="warming", daemon=True)

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def stop(self) -> None:
        """Gives up waiting for another try; what is under way is finished first."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(timeout=RETRY_SECONDS + 10)

    def failure(self) -> str | None:
        """Why the process cannot serve yet; None once it can."""
        if self._refused is not None:
            return self._refused
        return None if self._warm.is_set() else "starting"

    def require(self) -> None:
        """Raises `NotReady` until the start-up work is done."""
        if not self._warm.is_set():
            raise NotReady(self._refused)

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._work()
            except DurabilityOff as error:
                self._refused = str(error)
                logger.critical(
                    "the database may lose what it confirmed; nothing will be served", exc_info=error
                )
                return
            except Exception as error:
                logger.warning("start-up work failed and is tried again", exc_info=error)
                self._stopped.wait(RETRY_SECONDS)
            else:
                if self._then is not None:
                    self._then()
                self._warm.set()
                return
