"""RFC 6962, section 2.1, word for word and slowly: what the tree must be."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from hashlib import sha256


def split(size: int) -> int:
    """Return the largest power of two smaller than size."""
    power = 1
    while power * 2 < size:
        power *= 2
    return power


class Definition:
    """MTH, PATH and PROOF over the entries `D[start:end]`; what was computed once is remembered."""

    def __init__(self, entries: Sequence[bytes]) -> None:
        """Take the entries D."""
        self._entries = entries
        self.mth = cache(self._mth)

    def _mth(self, start: int, end: int) -> bytes:
        if start == end:
            return sha256().digest()
        if end - start == 1:
            return sha256(b"\x00" + self._entries[start]).digest()
        k = split(end - start)
        return sha256(b"\x01" + self.mth(start, start + k) + self.mth(start + k, end)).digest()

    def path(self, m: int, start: int, end: int) -> list[bytes]:
        """Return PATH(m, D[start:end]) of section 2.1.1."""
        if end - start == 1:
            return []
        k = split(end - start)
        if m < k:
            return [*self.path(m, start, start + k), self.mth(start + k, end)]
        return [*self.path(m - k, start + k, end), self.mth(start, start + k)]

    def proof(self, m: int, end: int) -> list[bytes]:
        """Return PROOF(m, D[0:end]) of section 2.1.2."""
        return self._subproof(m, 0, end, whole=True)

    def _subproof(self, m: int, start: int, end: int, *, whole: bool) -> list[bytes]:
        if m == end - start:
            return [] if whole else [self.mth(start, end)]
        k = split(end - start)
        if m <= k:
            return [*self._subproof(m, start, start + k, whole=whole), self.mth(start + k, end)]
        return [*self._subproof(m - k, start + k, end, whole=False), self.mth(start, start + k)]
