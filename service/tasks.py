"""Sends ids to the workers once their rows are committed. A message that does not get through is no loss."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial
from queue import Empty, Full, Queue
from typing import TYPE_CHECKING
from uuid import UUID

from runtime import broker

if TYPE_CHECKING:
    from runtime.settings import Settings

logger = logging.getLogger("service.tasks")

MOST_WAITING = 1000
_IDLE_SECONDS = 5.0


class TaskSender:
    """The queue as the API sees it; it is reached at the first message and not before.

    A thread of its own sends, one message after the other: a broker that hangs instead of refusing would
    otherwise hold the threads that requests need. It ends when there is nothing to send.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._waiting: Queue[tuple[UUID, bool]] = Queue(MOST_WAITING)
        self._thread: threading.Thread | None = None
        self._send: Callable[..., None] | None = None

    def prepare(self) -> Callable[[str], None]:
        """What sends an id; made once, by whoever comes first: importing the queue takes a quarter second."""
        if self._send is None:
            self._send = partial(broker.send, broker.make_celery(self._settings), broker.EVALUATE)
        return self._send

    def evaluate(self, evaluation_id: UUID, *, urgent: bool = False) -> bool:
        """Hands one evaluation over, at once; False when too many wait: the scheduler sends it later.

        The workers take what is `urgent` before all that is not.
        """
        with self._lock:
            try:
                self._waiting.put_nowait((evaluation_id, urgent))
            except Full:
                return False
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="task-sender", daemon=True)
                self._thread.start()
        return True

    def _run(self) -> None:
        while (task := self._next()) is not None:
            evaluation_id, urgent = task
            try:
                if self._send is None:
                    self._send = partial(broker.send, broker.make_celery(self._settings), broker.EVALUATE)
                self._send(str(evaluation_id), urgent=urgent)
            except Exception as error:
                logger.warning(
                    "task not sent; the scheduler will",
                    exc_info=error,
                    extra={"evaluation_id": str(evaluation_id)},
                )

    def _next(self) -> tuple[UUID, bool] | None:
        """The next to send; None, and no thread any more, when nothing came for a while."""
        try:
            return self._waiting.get(timeout=_IDLE_SECONDS)
        except Empty:
            with self._lock:
                if self._waiting.empty():
                    self._thread = None
                    return None
            return self._waiting.get_nowait()
