"""Identifiers that sort by the time they were made."""

from __future__ import annotations

import os
from datetime import datetime
from uuid import UUID


def uuid7(now: datetime) -> UUID:
    """Return a UUID version 7 (RFC 9562, section 5.7): 48 bits of milliseconds, 74 random bits."""
    milliseconds = int(now.timestamp() * 1000)
    value = int.from_bytes(os.urandom(10), "big") | (milliseconds << 80)
    value = value & ~(0xF << 76) | (0x7 << 76)
    value = value & ~(0x3 << 62) | (0x2 << 62)
    return UUID(int=value)
