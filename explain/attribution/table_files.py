"""Prepared tables as files: one per (model, reference, layout), mapped and shared by all processes.

A file is a 128-byte header (magic, number of values, SHA-256 of the values) and the values, little-endian
float64 or float32. It is written beside its final name, made read-only for its owner and moved there in one
step; it is believed only if the number and the digest are right, otherwise it is made again. The digest is
taken over the mapping itself, so every page is in memory before the first explanation.

Whoever changes the file later changes the answers of a running process, or kills it by making the file
shorter. Whether that happened is asked before and after every explanation: a change of content or length
changes the file's times or its size, and TablesChanged is raised instead of an answer.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import mmap
import os
import struct
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from explain.attribution.structures import Numbers, TableType
from explain.errors import TablesChanged

MAGIC = b"ofrecord-tables/2\n"
UNFINISHED = ".treeshap-"  # begins the name of a file that is still being written
HEADER = struct.Struct("<18sQ32s70x")

State = tuple[int, ...]


class Tables:
    """Prepared numbers, read-only: in private memory, or mapped from a file that is held open."""

    def __init__(self, numbers: Numbers, descriptor: int | None = None, known: State | None = None) -> None:
        numbers.setflags(write=False)  # the kernel is compiled for frozen tables
        self.numbers = numbers
        self._descriptor = descriptor
        self._known = known

    @property
    def intact(self) -> bool:
        """Whether the file is as it was when its digest was compared."""
        return self._descriptor is None or _state(self._descriptor) == self._known

    def check(self) -> None:
        """Raise TablesChanged if the file is not as it was when its digest was compared."""
        if not self.intact:
            raise TablesChanged

    def __del__(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)


def table_file(directory: Path, parts: tuple[bytes, ...]) -> Path:
    """Name the file after everything its content depends on."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return directory / f"treeshap-{digest.hexdigest()}.tables"


def private_tables(count: int, dtype: TableType, fill: Callable[[Numbers], None]) -> Tables:
    """Make the values in this process's own memory."""
    values = np.zeros(count, dtype=dtype)
    fill(values)
    return Tables(values)


def kept_tables(path: Path, count: int, dtype: TableType, fill: Callable[[Numbers], None]) -> Tables:
    """Return the values of the file, mapped; make the file if it is not there or not right.

    Where the directory cannot be written the values stay in private memory.
    """
    kept = _mapped(path, count, dtype)
    if kept is not None:
        return kept
    values = np.zeros(count, dtype=dtype)
    fill(values)
    with contextlib.suppress(OSError), _alone_in(path.parent):
        kept = _mapped(path, count, dtype)  # another process may have been faster: what it uses must stay
        if kept is None:
            _write(path, values)
            kept = _mapped(path, count, dtype)
    return kept or Tables(values)


@contextlib.contextmanager
def _alone_in(directory: Path) -> Iterator[None]:
    """Let one process at a time put files into the directory."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            for unfinished in directory.glob(f"{UNFINISHED}*"):  # its writer was killed: no other is at work
                unfinished.unlink()
            yield
        finally:
            # Closing alone would leave the lock with a child that another thread forked in the meantime.
            fcntl.flock(descriptor, fcntl.LOCK_UN)
    finally:
        os.close(descriptor)


def _state(descriptor: int) -> State:
    now = os.fstat(descriptor)
    return now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns


def _mapped(path: Path, count: int, dtype: TableType) -> Tables | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        known = _state(descriptor)
        numbers = _checked(descriptor, count, dtype)
        if numbers is not None and _state(descriptor) == known:
            return Tables(numbers, os.dup(descriptor), known)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return None


def _checked(descriptor: int, count: int, dtype: TableType) -> Numbers | None:
    size = HEADER.size + count * np.dtype(dtype).itemsize
    if os.fstat(descriptor).st_size != size:
        return None
    content = mmap.mmap(descriptor, size, prot=mmap.PROT_READ)
    magic, stated, digest = HEADER.unpack(content[: HEADER.size])
    numbers: Numbers = np.frombuffer(content, dtype=dtype, offset=HEADER.size)
    if magic != MAGIC or stated != count or hashlib.sha256(numbers.data).digest() != digest:
        return None
    return numbers


def _write(path: Path, values: Numbers) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=UNFINISHED)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(HEADER.pack(MAGIC, len(values), hashlib.sha256(values.data).digest()))
            values.tofile(file)
            os.fchmod(file.fileno(), 0o400)
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
