"""A strict reader for the part of UBJSON that model files use.

Universal Binary JSON, draft 12, as XGBoost writes it: objects closed by `}` with int64 key lengths, arrays
counted (`[#`), typed and counted (`[$t#`) or closed by `]`. Typed arrays of numbers become numpy arrays.
Every length is compared with the bytes that are left before anything is allocated, so a short hostile file
cannot ask for much memory.
"""

from __future__ import annotations

import struct

import numpy as np

from explain.errors import ModelCorrupt

DEPTH_LIMIT = 32

# marker -> layout, in the one spelling that struct and numpy share
NUMBERS = {b"i": ">b", b"U": ">B", b"I": ">h", b"l": ">i", b"L": ">q", b"d": ">f", b"D": ">d"}
INTEGERS = frozenset(b"iUIlL")
CONSTANTS = {b"Z": None, b"T": True, b"F": False}


def read_ubjson(data: bytes) -> object:
    """Read one UBJSON value that fills the bytes; ModelCorrupt says where it is broken."""
    reader = _Reader(data)
    value = reader.value(reader.take(1), 0)
    if reader.position != len(data):
        raise ModelCorrupt(f"{len(data) - reader.position} bytes follow the end of the document")
    return value


class _Reader:
    """A position in the bytes, moved forward by each thing read."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0

    def take(self, count: int) -> bytes:
        """Read exactly so many bytes."""
        if count > len(self.data) - self.position:
            raise ModelCorrupt(f"truncated at byte {len(self.data)}")
        start, self.position = self.position, self.position + count
        return self.data[start : self.position]

    def value(self, marker: bytes, depth: int) -> object:
        """Read the value that this marker announces."""
        if depth > DEPTH_LIMIT:
            raise ModelCorrupt(f"nested deeper than {DEPTH_LIMIT} levels at byte {self.position}")
        if marker == b"{":
            return self._object(depth)
        if marker == b"[":
            return self._array(depth)
        if marker in CONSTANTS:
            return CONSTANTS[marker]
        if marker in NUMBERS:
            return self._number(marker)
        if marker == b"S":
            return self._text()
        raise ModelCorrupt(f"unknown marker {marker!r} before byte {self.position}")

    def _object(self, depth: int) -> dict[str, object]:
        members: dict[str, object] = {}
        while self.data[self.position : self.position + 1] != b"}":
            key = self._text()
            if key in members:
                raise ModelCorrupt(f"member {key!r} appears twice")
            members[key] = self.value(self.take(1), depth + 1)
        self.take(1)
        return members

    def _array(self, depth: int) -> object:
        opening = self.data[self.position : self.position + 1]
        if opening == b"$":
            self.take(1)
            return self._typed_array(self.take(1))
        if opening == b"#":
            self.take(1)
            return [self.value(self.take(1), depth + 1) for _ in range(self._length())]
        items: list[object] = []
        while (marker := self.take(1)) != b"]":
            items.append(self.value(marker, depth + 1))
        return items

    def _typed_array(self, marker: bytes) -> object:
        if marker not in NUMBERS or self.take(1) != b"#":
            raise ModelCorrupt(f"a typed array is broken at byte {self.position}")
        dtype = np.dtype(NUMBERS[marker])
        raw = self.take(self._length() * dtype.itemsize)
        return np.frombuffer(raw, dtype).astype(dtype.newbyteorder("="))

    def _length(self) -> int:
        marker = self.take(1)
        if marker[0] not in INTEGERS:
            raise ModelCorrupt(f"a length is not an integer at byte {self.position}")
        length = int(self._number(marker))
        if not 0 <= length <= len(self.data) - self.position:
            raise ModelCorrupt(f"a length of {length} exceeds the file at byte {self.position}")
        return length

    def _number(self, marker: bytes) -> int | float:
        layout = NUMBERS[marker]
        number: int | float = struct.unpack(layout, self.take(struct.calcsize(layout)))[0]
        return number

    def _text(self) -> str:
        try:
            return self.take(self._length()).decode("utf-8")
        except UnicodeDecodeError:
            raise ModelCorrupt(f"a string is not UTF-8 before byte {self.position}") from None
