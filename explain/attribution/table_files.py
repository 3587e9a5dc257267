"""Prepared tables as files: one per (model, reference, layout), shared by all processes of a machine.

A file is a 128-byte header (magic, number of values, SHA-256 of the values) and the values, little-endian
float64 or float32. It is written beside its final name and moved there in one step, and it is believed only
if the number and the digest are right; otherwise it is made again.

The values are read into memory rather than mapped: under a mapping, whoever changes the file later changes
the answers of a running process, or kills it by making the file shorter, and neither is seen by the digest.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from explain.attribution.structures import Numbers, TableType

MAGIC = b"ofrecord-tables/1\n"
HEADER = struct.Struct("<18sQ32s70x")


def table_file(directory: Path, parts: tuple[bytes, ...]) -> Path:
    """Name the file after everything its content depends on."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return directory / f"treeshap-{digest.hexdigest()}.tables"


def kept_tables(path: Path, count: int, dtype: TableType, fill: Callable[[Numbers], None]) -> Numbers:
    """Return the values in the file, read-only; make the file if it is not there or not right.

    A directory that cannot be written costs the next process the making, and nothing else.
    """
    kept = _read(path, count, dtype)
    if kept is not None:
        return kept
    values = np.zeros(count, dtype=dtype)
    fill(values)
    with contextlib.suppress(OSError):
        _write(path, values)
    return read_only(values)


def read_only(values: Numbers) -> Numbers:
    """Freeze an array: the kernel is compiled for frozen tables."""
    values.setflags(write=False)
    return values


def _read(path: Path, count: int, dtype: TableType) -> Numbers | None:
    values = np.empty(count, dtype=dtype)
    try:
        with path.open("rb") as file:
            header = file.read(HEADER.size)
            whole = file.readinto(values.data.cast("B")) == values.nbytes and not file.read(1)
    except OSError:
        return None
    if len(header) != HEADER.size or not whole:
        return None
    magic, stated, digest = HEADER.unpack(header)
    if magic != MAGIC or stated != count or hashlib.sha256(values.data).digest() != digest:
        return None
    return read_only(values)


def _write(path: Path, values: Numbers) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".treeshap-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(HEADER.pack(MAGIC, len(values), hashlib.sha256(values.data).digest()))
            values.tofile(file)
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
