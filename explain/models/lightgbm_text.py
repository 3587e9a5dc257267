"""The small grammar of LightGBM's model text: `name=value` lines, rows of numbers between single spaces."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from explain.errors import ModelCorrupt

Ints = NDArray[np.int64]
Reals = NDArray[np.float64]

# Possessive, so that a long row costs no memory to match; bounded, so that no number costs much to read.
_INTEGER = rb"-?[0-9]{1,18}+"
_REAL = rb"-?(?:[0-9]{1,40}+(?:\.[0-9]{0,40}+)?(?:[eE][-+]?[0-9]{1,4}+)?|inf|nan)"
_INTEGERS = re.compile(rb"(?:%b(?: %b)*+)?" % (_INTEGER, _INTEGER))
_REALS = re.compile(rb"(?:%b(?: %b)*+)?" % (_REAL, _REAL))
_COUNT = re.compile(rb"[0-9]{1,9}")


def members(lines: list[bytes], where: str) -> dict[str, bytes]:
    """Split lines at their first `=`; a line without one is a name alone.

    A name given twice is refused: two readers could each believe another one.
    """
    found: dict[str, bytes] = {}
    for line in lines:
        name, _, value = line.partition(b"=")
        known = name.decode("ascii", "replace")[:40]
        if known in found:
            raise ModelCorrupt(f"{where} has {known!r} twice")
        found[known] = value
    return found


def member(parent: dict[str, bytes], name: str, where: str) -> bytes:
    """Return a required value."""
    if name not in parent:
        raise ModelCorrupt(f"{where} has no {name}")
    return parent[name]


def count_member(parent: dict[str, bytes], name: str, where: str) -> int:
    """Return a required value that is a non-negative integer of at most nine digits."""
    value = member(parent, name, where)
    if not _COUNT.fullmatch(value):
        raise ModelCorrupt(f"{where}: {name} is not a count: {shown(value)!r}")
    return int(value)


def integers(parent: dict[str, bytes], name: str, where: str, length: int | None = None) -> Ints:
    """Return a required row of integers, as many as `length` says."""
    value = _row(parent, name, where, length)
    if not _INTEGERS.fullmatch(value):
        raise ModelCorrupt(f"{where}: {name} is not a row of integers")
    return np.fromstring(value, dtype=np.int64, sep=" ") if value else np.zeros(0, dtype=np.int64)


def reals(parent: dict[str, bytes], name: str, where: str, length: int | None = None) -> Reals:
    """Return a required row of float64 numbers, each correctly rounded, `inf` and `nan` included."""
    value = _row(parent, name, where, length)
    if not _REALS.fullmatch(value):
        raise ModelCorrupt(f"{where}: {name} is not a row of numbers")
    return np.fromstring(value, dtype=np.float64, sep=" ") if value else np.zeros(0)


def _row(parent: dict[str, bytes], name: str, where: str, length: int | None) -> bytes:
    """Count the entries before any is read: a row of the wrong length costs nothing."""
    value = member(parent, name, where)
    entries = value.count(b" ") + 1 if value else 0
    if length is not None and entries != length:
        raise ModelCorrupt(f"{where}: {name} has {entries} entries where {length} belong")
    return value


def shown(value: bytes) -> str:
    """Return the beginning of a value for a message."""
    return value[:40].decode("utf-8", "replace")
