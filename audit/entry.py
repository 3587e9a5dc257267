"""The log entry: which bytes the log commits to.

The format is final; docs/decisions/0004-the-entry.md says what each member is for.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import orjson

from audit.canonical import JsonValue, canonical
from audit.errors import MalformedEntry, NotCanonical

VERSION: Final = 1
ENTRY_LIMIT_BYTES: Final = 65_535  # what a C2SP entry bundle can hold
PRIVATE_LIMIT_BYTES: Final = 4 << 20
RETENTION_CLASSES: Final = ("standard", "consumer_credit", "business_credit", "clinical")
MEMBERS: Final = frozenset(
    (
        *("v", "entry_id", "type", "time", "actor", "about", "retention_class", "body"),
        *("ciphertext_digest", "commitment", "key_id"),
    )
)
_TYPE = re.compile(r"[a-z]+(?:_[a-z]+)*(?:\.[a-z]+(?:_[a-z]+)*)+")
_WORD = re.compile(r"[a-z]+(?:_[a-z]+)*")
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_HEX = re.compile(r"[0-9a-f]{64}")
_ZERO = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")  # not the six characters themselves behind a backslash


@dataclass(frozen=True, slots=True)
class Idempotency:
    """What makes two drafts the same: a key, and a fingerprint of the content the key stands for."""

    key: bytes
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry before it has an id and a time.

    `private` is encrypted under a key of `subject` (of the log itself, if there is none); the rest is clear.
    `about` is the entry that this one concerns: the explanation that was read, reviewed, corrected. What is
    said about it is encrypted `beside` it: under the key that its own (the one of this id) hangs on, so that
    an erasure leaves nothing behind and nothing can be added after it.
    """

    type: str
    actor: str
    body: Mapping[str, JsonValue]
    private: bytes | None = None
    subject: str | None = None
    retention_class: str = "standard"
    about: UUID | None = None
    idempotency: Idempotency | None = None
    beside: UUID | None = None


@dataclass(frozen=True, slots=True)
class Appended:
    """An entry that is committed. For a duplicate these are the first entry's id, leaf hash and time."""

    entry_id: UUID
    leaf_hash: bytes
    time: datetime
    duplicate: bool


@dataclass(frozen=True, slots=True)
class PrivatePart:
    """What the clear bytes say of the encrypted part."""

    ciphertext_digest: str
    commitment: str
    key_id: UUID


@dataclass(frozen=True, slots=True)
class Entry:
    """One log entry, version 1."""

    entry_id: UUID
    type: str
    time: datetime
    actor: str
    body: Mapping[str, JsonValue]
    retention_class: str = "standard"
    about: UUID | None = None
    private: PrivatePart | None = None


def new_id(now: datetime) -> UUID:
    """Return a UUIDv7 (RFC 9562, section 5.7): milliseconds, then 74 random bits."""
    milliseconds = int(now.timestamp() * 1000)
    value = milliseconds << 80 | 7 << 76 | secrets.randbits(12) << 64 | 2 << 62 | secrets.randbits(62)
    return UUID(int=value)


def format_time(moment: datetime) -> str:
    """Write an aware moment in UTC with six digits of a second, always."""
    if moment.tzinfo is None:
        raise MalformedEntry("a time without a zone")
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def parse_time(text: object) -> datetime:
    """Read what `format_time` writes, and nothing else."""
    if not isinstance(text, str) or not _TIME.fullmatch(text):
        raise MalformedEntry("time is written as 2026-01-31T08:00:00.000000Z")
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise MalformedEntry(str(error)) from error


def entry_bytes(entry: Entry) -> bytes:
    """Return the canonical bytes of an entry; they, and nothing else, are hashed into the tree."""
    private = entry.private
    encoded = canonical(
        {
            "about": str(entry.about) if entry.about else None,
            "actor": entry.actor,
            "body": dict(entry.body),
            "ciphertext_digest": private.ciphertext_digest if private else None,
            "commitment": private.commitment if private else None,
            "entry_id": str(entry.entry_id),
            "key_id": str(private.key_id) if private else None,
            "retention_class": entry.retention_class,
            "time": format_time(entry.time),
            "type": entry.type,
            "v": VERSION,
        }
    )
    _check(entry, encoded)
    return encoded


def parse_entry(data: bytes) -> Entry:
    """Read entry bytes back; refuse whatever `entry_bytes` would not have written."""
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise MalformedEntry("not JSON") from error
    if not isinstance(value, dict):
        raise MalformedEntry("not an object")
    if type(value.get("v")) is not int or value["v"] != VERSION:
        raise MalformedEntry(f"entry version {value.get('v')!r} is not known")
    if value.keys() != MEMBERS:
        raise MalformedEntry("not the members of an entry")
    try:
        same = canonical(value) == data
    except NotCanonical as error:
        raise MalformedEntry(str(error)) from error
    if not same:
        raise MalformedEntry("not canonical")
    entry = _from_members(value)
    _check(entry, data)
    return entry


def _from_members(value: dict[str, JsonValue]) -> Entry:
    body, actor, kind, retention = value["body"], value["actor"], value["type"], value["retention_class"]
    if not isinstance(body, dict):
        raise MalformedEntry("body is an object")
    if not isinstance(actor, str) or not isinstance(kind, str) or not isinstance(retention, str):
        raise MalformedEntry("actor, type and retention_class are strings")
    return Entry(
        entry_id=_uuid(value["entry_id"]),
        type=kind,
        time=parse_time(value["time"]),
        actor=actor,
        body=body,
        retention_class=retention,
        about=None if value["about"] is None else _uuid(value["about"]),
        private=_private(value["ciphertext_digest"], value["commitment"], value["key_id"]),
    )


def _private(digest: JsonValue, commitment: JsonValue, key_id: JsonValue) -> PrivatePart | None:
    if digest is None and commitment is None and key_id is None:
        return None
    if not isinstance(digest, str) or not isinstance(commitment, str):
        raise MalformedEntry("ciphertext_digest, commitment and key_id come together")
    return PrivatePart(digest, commitment, _uuid(key_id))


def _uuid(text: JsonValue) -> UUID:
    if not isinstance(text, str) or not _UUID.fullmatch(text):
        raise MalformedEntry("an id is a UUID in lower case")
    return UUID(text)


def _check(entry: Entry, encoded: bytes) -> None:
    if len(entry.type) > 64 or not _TYPE.fullmatch(entry.type):
        raise MalformedEntry("type is written as noun.verb")
    if not 0 < len(entry.actor) <= 200:
        raise MalformedEntry("actor has 1 to 200 characters")
    if len(entry.retention_class) > 40 or not _WORD.fullmatch(entry.retention_class):
        raise MalformedEntry("retention_class is a lower-case name")
    private = entry.private
    if private and not (_DIGEST.fullmatch(private.ciphertext_digest) and _HEX.fullmatch(private.commitment)):
        raise MalformedEntry("ciphertext_digest or commitment is not a SHA-256 value")
    if b"\\u0000" in encoded and _ZERO.search(encoded):  # the first look is much the faster
        raise MalformedEntry("the character U+0000 is not allowed")  # jsonb cannot hold it
    if len(encoded) > ENTRY_LIMIT_BYTES:
        raise MalformedEntry(f"the clear part of an entry has at most {ENTRY_LIMIT_BYTES} bytes")
