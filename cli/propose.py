"""`ofrecord propose`: the counterfactual server of this machine."""

from __future__ import annotations

import os
import signal
import socket as sockets
from pathlib import Path
from typing import Annotated

import typer

from cli.starting import load, told_in_one_line

# A forked child has only the thread that forked it: none other may ever be started here. Read by the native
# libraries when they are imported.
_ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
}


def propose(
    socket: Annotated[Path, typer.Option(help="Path of the Unix socket to listen on.")],
) -> None:
    """Look for counterfactuals with DiCE, in children that are killed at their deadline."""
    with told_in_one_line():
        os.environ.update(_ONE_THREAD)
        settings = load("proposer", needs=())
        stop = _stop_on_signals()
        from registry.answering import loading  # noqa: PLC0415 - seconds; `--help` needs none of it
        from runtime.forking.server import serve  # noqa: PLC0415

        serve(socket, loading(settings.cache_dir), children=settings.threads, stop=stop)


def _stop_on_signals() -> sockets.socket:
    """Return a socket that can be read from once somebody asks to stop: it wakes a process that waits."""
    stop, wake = sockets.socketpair()
    wake.setblocking(False)
    signal.set_wakeup_fd(wake.detach())
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    return stop
