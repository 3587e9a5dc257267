"""`ofrecord work`: one Celery worker."""

from __future__ import annotations

from math import inf
from typing import Annotated

import typer

from cli.starting import load, refuse_to_forget, told_in_one_line
from runtime.settings import WORKER_NEEDS


def work(
    concurrency: Annotated[int, typer.Option(help="How many evaluations at once.", min=1)] = 1,
) -> None:
    """Do the evaluations that take longer than a request may."""
    with told_in_one_line():
        settings = load("worker", needs=WORKER_NEEDS)
        refuse_to_forget(settings, patience_seconds=inf)
        from celery.signals import worker_process_init  # noqa: PLC0415 - `--help` needs none of it

        from runtime.broker import QUEUE  # noqa: PLC0415
        from workers.app import create_worker  # noqa: PLC0415

        # Processes, not threads: a task computes for seconds, can be killed alone, and loads its native
        # libraries after the fork, because OpenMP does not survive one.
        worker_process_init.connect(_follow_parent, weak=False)
        worker = create_worker(settings).Worker(
            pool="prefork", concurrency=concurrency, queues=[QUEUE], loglevel=settings.log_level, quiet=True,
            without_gossip=True, without_mingle=True, without_heartbeat=True,
        )  # fmt: skip
        worker.start()
        raise typer.Exit(worker.exitcode or 0)


def _follow_parent(**_: object) -> None:
    """Make a pool process end with its parent, even when that one is killed."""
    import signal  # noqa: PLC0415

    from runtime.embedded.leash import follow_parent  # noqa: PLC0415

    follow_parent(signal.SIGKILL)
