"""`ofrecord schedule`: what is due, and what the queue lost."""

from __future__ import annotations

from cli.starting import load, stop_on_signals, told_in_one_line
from runtime.settings import SCHEDULER_NEEDS


def schedule() -> None:
    """Make partitions ahead of time and send evaluations again that nobody works on."""
    with told_in_one_line():
        settings = load("scheduler", needs=SCHEDULER_NEEDS)
        from workers.scheduling import run  # noqa: PLC0415 - `--help` needs none of it

        run(settings, stop_on_signals())
