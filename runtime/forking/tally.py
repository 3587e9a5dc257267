"""Numbers that children write and their parent reads, also when a child was killed."""

from __future__ import annotations

import mmap

_WIDTH = 8


class Tally:
    """One number for each child, in memory that forked processes share."""

    def __init__(self, slots: int) -> None:
        """Share memory for so many numbers; to be made before the first fork."""
        self._numbers = memoryview(mmap.mmap(-1, slots * _WIDTH)).cast("Q")

    def __getitem__(self, slot: int) -> int:
        """Return how far the child of this slot has come."""
        return self._numbers[slot]

    def __setitem__(self, slot: int, number: int) -> None:
        """Say how far it has come; an aligned word is written whole."""
        self._numbers[slot] = number
