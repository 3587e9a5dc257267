"""Where a log's files lie and what an entry bundle holds (C2SP tlog-tiles). Pure."""

from __future__ import annotations

from collections.abc import Sequence

from audit.errors import IntegrityHalt
from audit.tiles import WIDTH

CHECKPOINT = "checkpoint"
ENTRIES = "entries"
_ENTRY_LIMIT = 0xFFFF


def tile_path(level: int | str, index: int, width: int = WIDTH) -> str:
    """Return `tile/<L>/<N>` of a full tile, with `.p/<W>` of a partial one."""
    suffix = "" if width == WIDTH else f".p/{width}"
    return f"tile/{level}/{_digits(index)}{suffix}"


def entries_path(index: int, width: int = WIDTH) -> str:
    """Return the name of an entry bundle."""
    return tile_path(ENTRIES, index, width)


def bundle(entries: Sequence[bytes]) -> bytes:
    """Return entries one after another, each behind its length in two bytes."""
    for entry in entries:
        if len(entry) > _ENTRY_LIMIT:
            raise IntegrityHalt("an entry is larger than any entry can be")
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def _digits(index: int) -> str:
    """Return 1234067 as x001/x234/067."""
    elements = [f"{index % 1000:03}"]
    while index := index // 1000:
        elements.append(f"x{index % 1000:03}")
    return "/".join(reversed(elements))
