"""What a forked process gives up before it works: its parent's files, its rank, memory and time."""

from __future__ import annotations

import logging
import math
import os
import resource
import signal
from collections.abc import Collection
from pathlib import Path

RANK = 10  # how far below others a job stands in line for a core
JOB_BYTES = 1 << 30  # what a job may take beyond what it was born with

_PROC = Path("/proc/self")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_ASKED_TO_STOP = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def threads() -> int:
    """Return how many threads this process has."""
    return sum(1 for _ in (_PROC / "task").iterdir())


def close_all_but(kept: Collection[int]) -> None:
    """Close every file this process inherited except these and the three standard ones.

    Python objects that own a closed one must never be finalised: who calls this ends in `os._exit`.
    """
    for name in os.listdir(_PROC / "fd"):  # noqa: PTH208  the listing itself is one of them
        descriptor = int(name)
        if descriptor > 2 and descriptor not in kept:
            try:
                os.close(descriptor)
            except OSError:  # the listing's own
                continue


def ignore_the_terminal() -> None:
    """Leave it to the parent to end us: signals meant for it reach only its group."""
    signal.set_wakeup_fd(-1)
    for number in _ASKED_TO_STOP:
        signal.signal(number, signal.SIG_DFL)
    os.setpgid(0, 0)


def silence() -> None:
    """Send what libraries print to nowhere; log lines still reach standard error."""
    kept = os.fdopen(os.dup(2), "w", encoding="utf-8")
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setStream(kept)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(nowhere, descriptor)
    os.close(nowhere)


def limit_job(seconds: float) -> None:
    """Limit rank, memory and time of this process; the kernel itself ends it when its time is up."""
    os.nice(RANK)
    pages = int((_PROC / "statm").read_text(encoding="ascii").split()[0])
    most = pages * _PAGE + JOB_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    if math.isfinite(seconds):
        signal.setitimer(signal.ITIMER_REAL, max(seconds, 1e-6))


def leave_no_cores() -> None:
    """Keep a crash from writing the memory of a decision to disk."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
