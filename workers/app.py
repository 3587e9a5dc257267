"""The worker process: a Celery application whose children do evaluations and stop when they are asked to."""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING

from celery import signals

from runtime.broker import make_celery
from runtime.settings import Settings
from workers.acknowledging import steady_acknowledgements
from workers.policy import Policy
from workers.tasks import ProcessResources, register_tasks

if TYPE_CHECKING:
    from celery import Celery


class SharedFlag:
    """One byte that a parent sets and its forked children read.

    Without a lock: a child that is killed while it looks must not leave the parent waiting.
    """

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 1)

    def set(self) -> None:
        """Set it, for every process that shares it."""
        self._memory[0] = 1

    def is_set(self) -> bool:
        """Whether anybody has set it."""
        return self._memory[0] == 1


def create_worker(settings: Settings, policy: Policy | None = None) -> Celery:
    """The Celery application of `ofrecord work`, with its tasks registered and nothing heavy imported.

    When the worker is told to stop, running evaluations give their leases back between two chunks instead of
    being waited for; the scheduler sends them again.
    """
    policy = policy or Policy()
    stopping = SharedFlag()
    resources = ProcessResources(settings, policy, stopping.is_set)
    steady_acknowledgements()
    app = make_celery(settings)
    register_tasks(app, resources, policy)

    def on_stop(**_: object) -> None:
        stopping.set()

    def on_child_exit(**_: object) -> None:
        resources.close()

    def keep_logging(**_: object) -> None:
        """Listening is enough: Celery then leaves logging as this process has set it up."""

    signals.worker_shutting_down.connect(on_stop, weak=False)
    signals.worker_process_shutdown.connect(on_child_exit, weak=False)
    signals.setup_logging.connect(keep_logging, weak=False)
    return app
