"""Sends ids to the workers once their rows are committed. A message that does not get through is no loss."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING
from uuid import UUID

from runtime import broker

if TYPE_CHECKING:
    from celery import Celery

    from runtime.settings import Settings

logger = logging.getLogger("service.tasks")


class TaskSender:
    """The queue as the API sees it; it is reached at the first message and not before."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._app: Celery | None = None

    def evaluate(self, evaluation_id: UUID) -> bool:
        """Sends one evaluation; False when the broker is away: the scheduler then sends it from its row."""
        try:
            with self._lock:
                self._app = self._app or broker.make_celery(self._settings)
                broker.send(self._app, broker.EVALUATE, str(evaluation_id))
        except Exception as error:
            logger.warning(
                "task not sent; the scheduler will",
                exc_info=error,
                extra={"evaluation_id": str(evaluation_id)},
            )
            return False
        return True
