"""How kernels are compiled: GIL released, one thread, kept on disk only where a directory was named.

Never numba's `parallel` (GNU OpenMP kills a forked child, the workqueue layer aborts under threads) and
never `fastmath` (a row alone must equal the row in a batch, bit for bit). Without a named directory nothing
is written: an install tree may be read-only, and its `__pycache__` is not ours to fill.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba

from explain.attribution.kernel_files import KernelFiles

Function = TypeVar("Function", bound=Callable[..., object])

_kernels: list[Any] = []  # numba's dispatchers have no public type


def compiled(function: Function) -> Function:
    """Compile a function to machine code on its first call."""
    kernel: Any = numba.njit(nogil=True, error_model="numpy")(function)
    if numba.config.CACHE_DIR:
        _keep(kernel)
    _kernels.append(kernel)
    wrapped: Function = kernel
    return wrapped


def inlined(function: Function) -> Function:
    """Compile a function into each place that calls it, for what is called too often to be called."""
    kernel: Any = numba.njit(nogil=True, error_model="numpy", inline="always")(function)
    wrapped: Function = kernel
    return wrapped


def keep_compiled_in(directory: Path) -> bool:
    """Keep what is compiled from now on in this directory, and take from it what is there already.

    Returns False, and changes nothing, if it cannot be written or NUMBA_CACHE_DIR already names another.
    The directory must be the service's own: what lies in it is executed.
    """
    if numba.config.CACHE_DIR:
        return False
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        return False
    if not os.access(directory, os.W_OK | os.X_OK):
        return False
    numba.config.CACHE_DIR = str(directory)
    for kernel in _kernels:
        _keep(kernel)
    return True


def _keep(kernel: Any) -> None:
    """What `enable_caching` does, with files that are checked."""
    kernel._cache = KernelFiles(kernel.py_func)  # noqa: SLF001 - numba has no other door for it
