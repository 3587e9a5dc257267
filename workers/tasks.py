"""The tasks that the queue knows. Their only argument is an id; everything else is read from PostgreSQL."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING
from uuid import UUID

from runtime.broker import EVALUATE
from runtime.settings import Settings
from runtime.telemetry import bound
from workers.policy import Policy

if TYPE_CHECKING:
    from celery import Celery

    from workers.resources import Resources


class ProcessResources:
    """The resources of whichever process asks: opened at its first task, so never before the fork."""

    def __init__(self, settings: Settings, policy: Policy, stopping: Callable[[], bool]) -> None:
        self._settings = settings
        self._policy = policy
        self._stopping = stopping
        self._process_id: int | None = None
        self._resources: Resources | None = None
        self._opened = ExitStack()

    def get(self) -> Resources:
        """This process's own; what a parent had opened is left to the parent."""
        from explain.attribution.compiling import keep_compiled_in  # noqa: PLC0415 - after the fork
        from explain.attribution.warm import KERNELS  # noqa: PLC0415
        from workers.resources import open_resources  # noqa: PLC0415

        if self._resources is None or self._process_id != os.getpid():
            keep_compiled_in(self._settings.cache_dir / KERNELS)
            self._opened = ExitStack()
            opening = open_resources(self._settings, self._policy, stopping=self._stopping)
            self._resources = self._opened.enter_context(opening)
            self._process_id = os.getpid()
        return self._resources

    def close(self) -> None:
        """Close what this process opened."""
        if self._process_id == os.getpid():
            self._opened.close()
        self._resources = None


def register_tasks(app: Celery, resources: ProcessResources, policy: Policy) -> None:
    """Register every task with the application."""

    @app.task(name=EVALUATE, ignore_result=True, time_limit=policy.hard_seconds)  # type: ignore[untyped-decorator]
    def evaluate(evaluation_id: str) -> None:
        from workers.evaluating import evaluate as work  # noqa: PLC0415 - as above

        with bound(task_id=evaluation_id):
            work(resources.get(), UUID(evaluation_id))
