"""What others have said of stored checkpoints: witnesses by cosignatures, time-stamp authorities by stamps.

A cosignature counts with its witness's key, a stamp with its authority's certificates. What was not given is
told as not checked; what can be compared without it is compared all the same: size, bytes, time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from cryptography.x509 import Certificate
from psycopg import Cursor
from psycopg.rows import TupleRow

from audit.cosignature import CosignerKey, cosigned_at, read_cosignatures
from audit.errors import MalformedNote
from audit.fsck_found import Findings
from audit.fsck_times import SKEW, Noted
from audit.fsck_trust import Trust
from audit.note import parse_note, within
from audit.queries import FSCK


@dataclass(slots=True)
class Vouched:
    """How much was checked: cosignatures and stamps wholly, and what of them could not be."""

    cosignatures: int = 0
    unknown: Counter[str] = field(default_factory=Counter)  # cosignatures by keys that were not given
    stamps: int = 0
    unsigned: int = 0  # stamps whose bytes and time are right; no certificates were given for the rest
    unread: int = 0  # stamps that cannot be read here: the extra is not installed

    def join(self, other: Vouched) -> None:
        """Take over what another check found."""
        self.cosignatures += other.cosignatures
        self.unknown.update(other.unknown)
        self.stamps += other.stamps
        self.unsigned += other.unsigned
        self.unread += other.unread


def check_vouched(
    cursor: Cursor[TupleRow],
    findings: Findings,
    checkpoints: Mapping[int, Noted],
    bounds: Mapping[str, int],
    trust: Trust,
) -> Vouched:
    """Check what was said of the trees of a stretch, whose checkpoints are given by their sizes."""
    vouched = Vouched()
    for size, key_id, line, at in cursor.execute(FSCK["cosignatures"], bounds, prepare=True).fetchall():
        said = f"cosignature of {size} by {key_id}"
        for fault in _cosignature(vouched, (key_id, line, at), checkpoints.get(size), (size, trust)):
            findings.add("cosignature", f"{said}: {fault}")
    seen: set[tuple[int, Hashable]] = set()
    for size, authority, at, response in cursor.execute(FSCK["stamps"], bounds, prepare=True).fetchall():
        said = f"time stamp of {size} by {authority}"
        token = size, _token(response)
        if token in seen:
            findings.add("stamp", f"{said}: it is the one that stands under another authority's name")
            continue
        seen.add(token)
        for fault in _stamp(vouched, (at, response), checkpoints.get(size), trust):
            findings.add("stamp", f"{said}: {fault}")
    return vouched


def check_vouched_beyond(cursor: Cursor[TupleRow], findings: Findings, leaves: int) -> None:
    """Name what is said of trees that are larger than the log."""
    for kind, size, by in cursor.execute(FSCK["vouched_beyond"], {"size": leaves}).fetchall():
        told = "cosignature" if kind == "cosignature" else "time stamp"
        findings.add(kind, f"{told} of {size} by {by}: there are only {leaves} leaves")


def _cosignature(
    vouched: Vouched, row: tuple[str, str, datetime | None], noted: Noted | None, of: tuple[int, Trust]
) -> Iterator[str]:
    key_id, line, at = row
    size, trust = of
    if noted is None:
        yield "there is no checkpoint of this size"
        return
    text = noted.note.partition("\n\n")[0] + "\n"
    try:
        (signature,) = parse_note(f"{text}\n{line}").signatures
    except (MalformedNote, ValueError):
        yield "it is not one signature line"
        return
    if f"{signature.name}+{signature.key_hash.hex()}" != key_id:
        yield "its line names another key"
    said = cosigned_at(signature.signature)
    yield from _another_time("its line", said, at)
    yield from _untimely(said, noted, trust)
    keys = [key for key in trust.witnesses if key.key_id == key_id]
    if not keys:
        vouched.unknown[key_id] += 1
    else:
        vouched.cosignatures += 1
        yield from _wrong(f"{text}\n{line}", keys, size)


def _wrong(note: str, keys: list[CosignerKey], size: int) -> Iterator[str]:
    able = within(keys, size)
    try:
        if able and not read_cosignatures(note, able):
            yield "it is not a cosignature of this checkpoint"
    except MalformedNote:
        yield "the signature is wrong"
    if not able:
        yield f"a past key: it was given for trees of up to {min(key.limit or 0 for key in keys)} only"


def _stamp(
    vouched: Vouched, row: tuple[datetime | None, bytes], noted: Noted | None, trust: Trust
) -> Iterator[str]:
    at, response = row
    if noted is None:
        yield "there is no checkpoint of this size"
        return
    if not can_read_stamps():
        vouched.unread += 1
        return
    from audit.timestamp import TimestampRefused, read_timestamp, verify_timestamp  # noqa: PLC0415 - an extra

    message = noted.note.encode()
    try:
        stamp = read_timestamp(response)
    except TimestampRefused as error:
        yield f"it cannot be read: {error}"
        return
    if not stamp.is_of(message):
        yield "it is of other bytes than this checkpoint's"
    yield from _another_time("it", stamp.time, at)
    yield from _untimely(stamp.time, noted, trust)
    if trust.certificates is None:
        vouched.unsigned += 1
        return
    vouched.stamps += 1
    try:
        verify_timestamp(response, message, _roots(trust.certificates))
    except TimestampRefused as error:
        if stamp.is_of(message):
            yield f"its signature does not hold: {error}"


def _token(response: bytes) -> Hashable:
    """Return what tells a stamp from others, whatever is put around it; the bytes if it cannot be read."""
    if not can_read_stamps():
        return response
    from audit.timestamp import TimestampRefused, read_timestamp  # noqa: PLC0415 - an extra

    try:
        stamp = read_timestamp(response)
    except TimestampRefused:
        return response
    return stamp.time, stamp.numbers


@lru_cache(maxsize=4)
def _roots(certificates: Path) -> tuple[Certificate, ...]:
    from audit.timestamp import read_certificates  # noqa: PLC0415 - an extra

    return read_certificates(certificates)


def can_read_stamps() -> bool:
    """Tell whether the extra `timestamps` is installed."""
    return find_spec("rfc3161_client") is not None


def _another_time(what: str, said: datetime | None, at: datetime | None) -> Iterator[str]:
    """Compare a time with its row's, which is None where it cannot be read."""
    if at is None:
        yield "its row has no time that can be read"
    elif said != at:
        yield f"{what} has another time than its row"


def _untimely(said: datetime | None, noted: Noted, trust: Trust) -> Iterator[str]:
    if said is None:
        return
    if noted.signed_at is not None and said < noted.signed_at - SKEW:
        yield "it is from before the checkpoint was signed"
    if trust.now is not None and said > trust.now + SKEW:
        yield "it is from the future"
