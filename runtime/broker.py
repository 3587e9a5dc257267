"""The queue: the names of tasks and how every process speaks to it. Messages carry ids only, never data."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from celery import Celery

    from runtime.settings import Settings

QUEUE = "ofrecord"
EVALUATE = "ofrecord.evaluate"
# A message taken by a worker that dies is handed out again after this time; the lease in PostgreSQL decides
# before that.
_VISIBILITY_SECONDS = 3600
_CONNECT_SECONDS = 2.0
# The queue hands out what somebody waits for before what only has to be done; 0 comes first.
_URGENT, _ROUTINE = 0, 9


def make_celery(settings: Settings) -> Celery:
    """Return the Celery application of this process: JSON only, acknowledged late, no result backend."""
    from celery import Celery  # noqa: PLC0415 - takes a third of a second, and not every process needs it

    app = Celery("ofrecord", broker=settings.broker_url, set_as_current=False)
    app.conf.update(
        accept_content=["json"],
        task_serializer="json",
        task_default_queue=QUEUE,
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_store_errors_even_if_ignored=False,
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_send_task_events=False,
        worker_enable_remote_control=False,
        worker_cancel_long_running_tasks_on_connection_loss=True,
        broker_connection_retry_on_startup=True,
        broker_connection_timeout=_CONNECT_SECONDS,
        broker_transport_options={
            "visibility_timeout": _VISIBILITY_SECONDS,
            "socket_timeout": 10.0,
            "socket_connect_timeout": _CONNECT_SECONDS,
        },
        # A sender waits briefly and gives up: what was not sent is sent again from its row in PostgreSQL.
        task_publish_retry_policy={
            "max_retries": 1,
            "interval_start": 0.0,
            "interval_step": 0.1,
            "interval_max": 0.1,
        },
        enable_utc=True,
        timezone="UTC",
    )
    return app


def send(app: Celery, task: str, identifier: str, *, urgent: bool = False) -> None:
    """Send a task with one id, after the row it names was committed; raises what the broker raises.

    `urgent` is taken before all that is not, however long that has waited.
    """
    priority = _URGENT if urgent else _ROUTINE
    app.send_task(task, args=[identifier], task_id=identifier, ignore_result=True, priority=priority)
