"""Child processes that cannot outlive whoever started them."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


def die_with_parent(sig: signal.Signals) -> Callable[[], None]:
    """Return a `preexec_fn` after which the kernel sends `sig` when the parent dies, even by kill -9.

    The kernel forgets the wish when the user changes, so it is made last, and it watches the thread that
    forked: start such children from the main thread.
    """
    parent = os.getpid()
    number = int(sig)

    def ask() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
        if os.getppid() != parent:  # it died between fork and prctl
            os._exit(1)

    return ask


def follow_parent(sig: signal.Signals) -> None:
    """Ask for `sig` when our own parent dies; for a process that was forked by somebody else's code."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, int(sig), 0, 0, 0)
