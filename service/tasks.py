"""Sends ids to the workers once their rows are committed. A message that does not get through is no loss."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

from runtime import broker

if TYPE_CHECKING:
    from runtime.settings import Settings

logger = logging.getLogger("service.tasks")


class TaskSender:
    """The queue as the API sees it; it is reached at the first message and not before."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._send: Callable[[str], None] | None = None

    def evaluate(self, evaluation_id: UUID) -> bool:
        """Sends one evaluation; False when the broker is away: the scheduler then sends it from its row."""
        try:
            with self._lock:
                if self._send is None:
                    self._send = partial(broker.send, broker.make_celery(self._settings), broker.EVALUATE)
                self._send(str(evaluation_id))
        except Exception as error:
            logger.warning(
                "task not sent; the scheduler will",
                exc_info=error,
                extra={"evaluation_id": str(evaluation_id)},
            )
            return False
        return True
