"""Payloads that are not there: which of them expired on record.

A `retention.expired` entry is the manifest of one retention class and month: how many entries with a private
part there were, and the digest of their ids. It accounts for the missing payloads of that class and month
only while it matches the entries; one that does not is a fault, whether something is missing or not.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from hashlib import sha256

from audit.database import Connection
from audit.entry import parse_entry
from audit.errors import MalformedEntry
from audit.fsck_found import Clock, Findings, Missing
from audit.queries import FSCK

EXPIRED = "retention.expired"
_CHUNK = 4096


@dataclass(frozen=True, slots=True)
class Expired:
    """A class and month whose payloads are gone behind a manifest that matches; `payloads` of them are."""

    retention_class: str
    month: date
    index: int | None
    entries: int
    payloads: int


def check_expiry(conn: Connection, missing: Missing, findings: Findings) -> tuple[Expired, ...]:
    """Check every manifest; name the payloads that are missing without one."""
    matching: dict[Clock, Expired] = {}
    for index, entry_id, canonical in conn.execute(FSCK["manifests"]).fetchall():
        place = f"entry {entry_id}" if index is None else f"leaf {index}"
        clock = _clock_of(canonical)
        if clock is None:
            findings.add(
                "manifest", f"{place}: the manifest of an expiry names no class, month, count and digest"
            )
            continue
        (retention_class, month), said = clock
        count, digest = entries_digest(conn, (retention_class, month))
        if said != (count, digest):
            named = f"{retention_class} {month:%Y-%m}"
            findings.add("manifest", f"{place}: the manifest of {named} does not match its {count} entries")
            continue
        gone = missing.counted[retention_class, month]
        matching[retention_class, month] = Expired(retention_class, month, index, count, gone)
    for wanted, problems in missing.told.items():
        if wanted not in matching:
            findings.counted["payload"] += missing.counted[wanted] - len(problems)
            for problem in problems:
                findings.add("payload", problem)
    return tuple(matching[key] for key in sorted(matching))


def entries_digest(conn: Connection, clock: Clock) -> tuple[int, str]:
    """Return how many entries with a private part a class and month has, and the digest of their ids."""
    hashed, count = sha256(), 0
    with conn.cursor("private_entries", binary=True) as cursor:
        cursor.itersize = _CHUNK
        cursor.execute(FSCK["private_entries"], {"retention_class": clock[0], "month": clock[1]})
        for (entry_id,) in cursor:
            hashed.update(entry_id.bytes)
            count += 1
    return count, "sha256:" + hashed.hexdigest()


def _clock_of(canonical: bytes) -> tuple[Clock, tuple[int, str]] | None:
    """Read a manifest's class, month, count and digest."""
    try:
        body = parse_entry(canonical).body
        retention_class, month = body["retention_class"], body["month"]
        count, digest = body["entries"], body["entries_digest"]
        if not isinstance(retention_class, str) or not isinstance(month, str) or len(month) != 7:
            return None
        if type(count) is not int or not isinstance(digest, str):
            return None
        return (retention_class, date.fromisoformat(f"{month}-01")), (count, digest)
    except (MalformedEntry, KeyError, ValueError):
        return None
