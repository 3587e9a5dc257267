"""Digests, and the canonical bytes of what the registry stores as JSON."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import orjson


def digest_of(data: bytes) -> str:
    """Return `sha256:` and the hexadecimal hash of these bytes."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def canonical_json(value: object) -> bytes:
    """Write JSON with sorted keys, no spaces, and one spelling for each number (1000.0 is 1000)."""
    return orjson.dumps(_uniform(value), option=orjson.OPT_SORT_KEYS)


def _uniform(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _uniform(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_uniform(item) for item in value]
    if isinstance(value, float) and value.is_integer() and abs(value) <= 2**53:
        return int(value)
    return value
