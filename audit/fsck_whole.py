"""What no stretch of the log can tell by itself: how far it reaches, what waits, what belongs to nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from psycopg.types.string import ByteaBinaryLoader

from audit.database import Connection
from audit.fsck_found import Findings, Missing
from audit.fsck_rows import Row, agrees, faults, payload_digest
from audit.fsck_span import check_note
from audit.fsck_trust import Trust
from audit.fsck_vouched import check_vouched_beyond
from audit.queries import FSCK, LOG
from audit.tiles import full_tiles, levels

_CHUNK = 16  # payloads come with them, of at most 4 MiB each


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows of each table, and the size of the newest checkpoint."""

    leaves: int
    entries: int
    payloads: int
    pending: int
    tiles: int
    signed_size: int


@dataclass(slots=True)
class Pending:
    """What came of the entries that wait for their place."""

    findings: Findings = field(default_factory=Findings)
    missing: Missing = field(default_factory=Missing)
    entries: int = 0
    payloads: int = 0


def read_counts(conn: Connection) -> Counts:
    """Count the rows."""
    row = conn.execute(FSCK["counts"]).fetchone()
    return Counts(*row) if row else Counts(0, 0, 0, 0, 0, 0)


def check_pending(conn: Connection) -> Pending:
    """Check the entries that are not integrated yet as those that are."""
    found = Pending()
    with conn.cursor("fsck_pending", binary=True) as cursor:
        cursor.adapters.register_loader("uuid", ByteaBinaryLoader)
        cursor.itersize = _CHUNK
        cursor.execute(FSCK["pending"])
        for row in cursor:
            _check_waiting(found, row[:8], row[8])
    for (entry_id,) in conn.execute(FSCK["pending_without_entry"]).fetchall():
        found.findings.add("entry", f"pending entry {entry_id} is missing")
    for (entry_id,) in conn.execute(FSCK["pending_leaves"]).fetchall():
        found.findings.add("entry", f"entry {entry_id} is in the tree and also waits for it")
    return found


def _check_waiting(found: Pending, row: Row, ciphertext: bytes | None) -> None:
    payload = None if ciphertext is None else payload_digest(ciphertext)
    found.entries += 1
    found.payloads += payload is not None
    name = UUID(bytes=row[0])
    if row[6] is not None and payload is None:
        clock = (row[7], date(row[4].year, row[4].month, 1))
        found.missing.add(clock, f"pending entry {name}: its payload is missing")
    leaf = row[2]
    if not agrees(row, leaf, payload):
        for part, said in faults(row, leaf, payload):
            problem = said if part is None else f"its {part} {said}"
            found.findings.add(part or "entry", f"pending entry {name}: {problem}")


def check_ends(conn: Connection, counts: Counts, trust: Trust, findings: Findings) -> int:
    """Compare how far leaves, tiles and checkpoints reach; return how many checkpoints stand beyond."""
    leaves = counts.leaves
    if leaves != counts.signed_size:
        findings.add("leaf", f"{leaves} leaves, but the newest checkpoint is for {counts.signed_size}")
    for (index,) in conn.execute(FSCK["leaves_from"], {"start": leaves}).fetchall():
        findings.add("leaf", f"leaf {index} stands beyond the {leaves} that there are")
    beyond = conn.execute(FSCK["checkpoints_beyond"], {"size": leaves}).fetchall()
    for size, root, note in beyond:
        check_note(findings, (size, root, note), trust)
        findings.add("checkpoint", f"checkpoint {size}: there are only {leaves} leaves")
    check_vouched_beyond(conn.cursor(), findings, leaves)
    expected = sum(full_tiles(level, leaves) for level in range(levels(leaves)))
    if counts.tiles != expected:
        findings.add("tile", f"{counts.tiles} tiles are stored; a tree of {leaves} has {expected}")
    for (table,) in conn.execute(LOG["unsecured_tables"]).fetchall():
        findings.add("trigger", f"table {table} has lost its append-only trigger")
    return len(beyond)


def check_loose(conn: Connection, counts: Counts, seen: Sequence[int], findings: Findings) -> None:
    """Name entries and payloads that belong to nothing, if there are more than the `seen` ones that do."""
    entries, payloads = seen
    if counts.entries != entries:
        for (entry_id,) in conn.execute(FSCK["loose_entries"]).fetchall():
            findings.add("entry", f"entry {entry_id} is neither in the tree nor waits for it")
    if counts.payloads != payloads:
        for (entry_id,) in conn.execute(FSCK["loose_payloads"]).fetchall():
            findings.add("payload", f"a payload belongs to no entry: {entry_id}")
