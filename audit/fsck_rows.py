"""Whether an entry's bytes, its columns and its payload say the same: quickly, or with every fault named.

`agrees` is what nearly every row needs and accepts nothing that `faults` would name; it may refuse a row that
`faults` then finds good. It compares texts instead of building an `Entry`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import cast
from uuid import UUID

import orjson

from audit.canonical import refuse_outside_subset
from audit.entry import ENTRY_LIMIT_BYTES, MEMBERS, VERSION, Entry, entry_bytes, parse_entry, parse_time
from audit.errors import MalformedEntry, NotCanonical
from audit.merkle import leaf_hash

Row = tuple[bytes, bytes, bytes, str, datetime, bytes | None, bytes | None, str]
"""Id (16 bytes), bytes, leaf hash, type, time, about, key id and retention class, as the table has them."""

_WRITTEN = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER
_HEX = re.compile(r"[0-9a-f]{64}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_SOME_ID = UUID(int=0)
_SOME_TIME = parse_time("2026-01-01T00:00:00.000000Z")


def payload_digest(ciphertext: bytes) -> str:
    """Return the digest of a payload as entries write it."""
    return "sha256:" + sha256(ciphertext).hexdigest()


def agrees(row: Row, leaf: bytes, payload: str | None) -> bool:
    """Tell whether leaf hash, bytes, columns and the digest of the payload, if it is there, are all well."""
    entry_id, canonical, stored_hash, kind, time, about, key_id, retention_class = row
    if stored_hash != leaf or sha256(b"\x00" + canonical).digest() != leaf:
        return False
    try:
        value = orjson.loads(canonical)
        if not isinstance(value, dict) or orjson.dumps(value, option=_WRITTEN) != canonical:
            return False
        if value.keys() != MEMBERS or type(value["v"]) is not int or value["v"] != VERSION:
            return False
        body, actor = value["body"], value["actor"]
        if type(body) is not dict or type(actor) is not str or not 0 < len(actor) <= 200:
            return False
        if not canonical.isascii():
            refuse_outside_subset(body)  # its names are ASCII, perhaps
        return (
            value["entry_id"] == _text(entry_id)
            and value["type"] == kind
            and value["retention_class"] == retention_class
            and _well_named(kind, retention_class)
            and value["about"] == (None if about is None else _text(about))
            and parse_time(value["time"]) == time
            and len(canonical) <= ENTRY_LIMIT_BYTES
            and b"\\u0000" not in canonical
            and not _has_reals(body.values())
            and _private_agrees(value, key_id, payload)
        )
    except (orjson.JSONDecodeError, TypeError, NotCanonical, MalformedEntry):
        return False


def _has_reals(members: Iterable[object]) -> bool:
    """Tell whether there is a number that is no integer; those beyond 2**53 were refused on writing."""
    for member in members:
        kind = type(member)
        if kind is str:
            continue
        if kind is float:
            return True
        if kind is dict or kind is list:
            inner = (
                cast("dict[str, object]", member).values() if kind is dict else cast("list[object]", member)
            )
            if _has_reals(inner):
                return True
    return False


def _private_agrees(value: dict[str, object], key_id: bytes | None, payload: str | None) -> bool:
    digest, commitment = value["ciphertext_digest"], value["commitment"]
    if key_id is None:
        return digest is commitment is value["key_id"] is payload is None
    if type(commitment) is not str or type(digest) is not str or not _HEX.fullmatch(commitment):
        return False
    kept = digest == payload if payload is not None else _DIGEST.fullmatch(digest) is not None
    return kept and value["key_id"] == _text(key_id)


def faults(row: Row, leaf: bytes, payload: str | None) -> Iterator[tuple[str | None, str]]:
    """Name everything that is wrong with an entry: in which part of it, if it is one, and what."""
    entry_id, canonical, stored_hash, kind, time, about, key_id, retention_class = row
    if leaf_hash(canonical) != leaf or stored_hash != leaf:
        yield "bytes", "do not have its leaf hash"
    try:
        entry = parse_entry(canonical)
    except MalformedEntry as error:
        yield None, str(error)
        return
    private = entry.private
    said = (entry.entry_id, entry.type, entry.time, entry.about, entry.retention_class)
    stored = (UUID(bytes=entry_id), kind, time, _uuid(about), retention_class)
    if said != stored or _uuid(key_id) != (private.key_id if private else None):
        yield "columns", "say otherwise than its bytes"
    if private is None and payload is not None:
        yield "payload", "is one too many: it has no private part"
    elif private and payload is not None and payload != private.ciphertext_digest:
        yield "payload", "is not the one it was made with"


@lru_cache(maxsize=1024)
def _well_named(kind: str, retention_class: str) -> bool:
    """Tell whether an entry may have this type and class: few of them occur."""
    try:
        entry_bytes(Entry(_SOME_ID, kind, _SOME_TIME, "-", {}, retention_class))
    except (MalformedEntry, NotCanonical):
        return False
    return True


def _text(raw: bytes) -> str:
    digits = raw.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _uuid(raw: bytes | None) -> UUID | None:
    return None if raw is None else UUID(bytes=raw)
