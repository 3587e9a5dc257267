"""Compiled kernels as files that are checked before they are believed.

The compiler's own cache executes whatever its files hold: a damaged one stops the process at every start, or
computes something else. Here each file ends with the SHA-256 of what stands before it, and a kernel whose
files are not right is compiled anew. This finds damage, not forgery: the directory stays the service's own.

Compiled code holds what it took from other files: functions that it calls, constants. The compiler's own
cache looks at the time and size of one source file alone, and would run yesterday's code after an upgrade;
here all sources that kernels are made of count.
"""

from __future__ import annotations

import hashlib
import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from numba.core.caching import FunctionCache, IndexDataCacheFile

DIGEST_BYTES = hashlib.sha256().digest_size

_LOG = logging.getLogger(__name__)


class _Damaged(Exception):
    """A file of compiled code is not what was written."""


class _CheckedFile(IndexDataCacheFile):  # type: ignore[misc]  # numba has no types
    """The index and data files of one kernel, each with its digest behind it."""

    @contextmanager
    def _open_for_write(self, filepath: str) -> Iterator[io.BytesIO]:
        content = io.BytesIO()
        yield content
        with super()._open_for_write(filepath) as file:
            file.write(content.getvalue() + hashlib.sha256(content.getvalue()).digest())

    def _load_index(self) -> Any:
        _check(Path(self._index_path))
        return super()._load_index()

    def _load_data(self, name: str) -> Any:
        _check(Path(self._data_path(name)))
        return super()._load_data(name)


class KernelFiles(FunctionCache):  # type: ignore[misc]  # numba has no types
    """One kernel's compiled forms on disk; what cannot be loaded is compiled anew."""

    def __init__(self, function: Any) -> None:
        super().__init__(function)
        self._cache_file.__class__ = _CheckedFile
        self._cache_file._source_stamp = _sources_digest()  # noqa: SLF001 - as the class above

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the compiled form of this signature, None if it is not there or not right."""
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # noqa: BLE001 - whatever a damaged file leads to
            _LOG.warning("a compiled kernel on disk is damaged and is compiled anew")
            with suppress(OSError):
                self.flush()
            return None


@cache
def _sources_digest() -> str:
    """Return the digest of every source file that a kernel's code or constants come from."""
    here = Path(__file__).parent
    files = [*sorted(here.glob("*.py")), here.parent / "models" / "ensemble.py"]
    digests = [hashlib.sha256(file.read_bytes()).digest() for file in files]
    return hashlib.sha256(b"".join(digests)).hexdigest()


def _check(path: Path) -> None:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return
    if hashlib.sha256(content[:-DIGEST_BYTES]).digest() != content[-DIGEST_BYTES:]:
        raise _Damaged
