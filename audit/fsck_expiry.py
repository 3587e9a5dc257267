"""Payloads that are not there: which of them expired on record.

A `retention.expired` entry is the manifest of one retention class and month: how many entries with a private
part there were, and the digest of their ids. It accounts for the missing payloads of that class and month
only where it matches the entries before it in the tree, where the month could be over at its time, and where
that time is not later than the checkpoint over it. Any other is a fault, whether something is missing or not.
What came into the month after its manifest is not accounted for by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from uuid import UUID

from audit.database import Connection
from audit.entry import parse_entry
from audit.errors import MalformedEntry
from audit.fsck_found import Clock, Findings, Missing
from audit.queries import FSCK
from audit.retention import RULES, add_months

EXPIRED = "retention.expired"
SIGNED_WITHIN = timedelta(minutes=5)
"""How far the clocks of whoever expires and of whoever signs may differ."""

_CHUNK = 4096


@dataclass(frozen=True, slots=True)
class Expired:
    """A class and month whose payloads are gone behind a manifest that matches; `payloads` of them are."""

    retention_class: str
    month: date
    index: int | None
    entries: int
    payloads: int


@dataclass(frozen=True, slots=True)
class _Manifest:
    """What a manifest says, and when; `signed_at` is None while no checkpoint is over it."""

    clock: Clock
    said: tuple[int, str]
    time: datetime
    index: int | None
    signed_at: datetime | None


def check_expiry(conn: Connection, missing: Missing, findings: Findings) -> tuple[Expired, ...]:
    """Check every manifest; name the payloads that are missing without one."""
    matching: dict[Clock, Expired] = {}
    for index, entry_id, canonical, signed_at in conn.execute(FSCK["manifests"]).fetchall():
        place = f"entry {entry_id}" if index is None else f"leaf {index}"
        manifest = _read(canonical, index, signed_at)
        if manifest is None:
            findings.add(
                "manifest", f"{place}: the manifest of an expiry names no class, month, count and digest"
            )
            continue
        named = f"{place}: the manifest of {manifest.clock[0]} {manifest.clock[1]:%Y-%m}"
        problem = _misdated(manifest)
        count, digest, late = private_entries(conn, manifest.clock, index)
        if problem is None and manifest.said != (count, digest):
            problem = f"does not match its {count} entries"
        if problem is not None:
            findings.add("manifest", f"{named} {problem}")
            continue
        lost = _without_payload(conn, manifest.clock, late)
        gone = missing.counted[manifest.clock] - len(lost)
        matching[manifest.clock] = Expired(*manifest.clock, index, count, gone)
        for one in lost:
            findings.add("payload", f"the payload of entry {one} is missing, which came after {named}")
    for wanted, problems in missing.told.items():
        if wanted not in matching:
            findings.counted["payload"] += missing.counted[wanted] - len(problems)
            for problem in problems:
                findings.add("payload", problem)
    return tuple(matching[key] for key in sorted(matching))


def private_entries(conn: Connection, clock: Clock, index: int | None) -> tuple[int, str, list[UUID]]:
    """Return how many entries with a private part a class and month has, and the digest of their ids.

    Of a manifest in the tree these are the entries before its `index`; those after it come third.
    """
    hashed, count, late = sha256(), 0, []
    with conn.cursor("private_entries", binary=True) as cursor:
        cursor.itersize = _CHUNK
        asked = {"retention_class": clock[0], "month": clock[1], "index": index}
        cursor.execute(FSCK["private_entries"], asked)
        for entry_id, is_late in cursor:
            if is_late and index is not None:
                late.append(entry_id)
                continue
            hashed.update(entry_id.bytes)
            count += 1
    return count, "sha256:" + hashed.hexdigest(), late


def _misdated(manifest: _Manifest) -> str | None:
    """Tell what is wrong with the time of a manifest, if anything is."""
    retention_class, month = manifest.clock
    rule = RULES.get(retention_class)
    after = add_months(datetime(month.year, month.month, 1, tzinfo=UTC), 1)
    if rule is None or rule.ends_at(after) > manifest.time:
        return "is dated before that could be over"
    if manifest.signed_at is not None and manifest.time > manifest.signed_at + SIGNED_WITHIN:
        return "is dated later than the checkpoint over it"
    return None


def _without_payload(conn: Connection, clock: Clock, entry_ids: list[UUID]) -> list[UUID]:
    """Return those of these entries that have no payload."""
    if not entry_ids:
        return []
    asked = {"retention_class": clock[0], "month": clock[1], "entry_ids": entry_ids}
    there = {row[0] for row in conn.execute(FSCK["payloads_of"], asked).fetchall()}
    return [entry_id for entry_id in entry_ids if entry_id not in there]


def _read(canonical: bytes, index: int | None, signed_at: datetime | None) -> _Manifest | None:
    """Read a manifest's class, month, count and digest; None where it does not say them."""
    try:
        entry = parse_entry(canonical)
        body = entry.body
        retention_class, month = body["retention_class"], body["month"]
        count, digest = body["entries"], body["entries_digest"]
        if not isinstance(retention_class, str) or not isinstance(month, str) or len(month) != 7:
            return None
        if type(count) is not int or not isinstance(digest, str):
            return None
        clock = retention_class, date.fromisoformat(f"{month}-01")
    except (MalformedEntry, KeyError, ValueError):
        return None
    return _Manifest(clock, (count, digest), entry.time, index, signed_at)
