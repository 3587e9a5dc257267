"""One stretch of the log checked by itself: its leaves, entries, payloads, tiles and checkpoints.

A stretch starts at a tile. What it takes to know the left of it, roots of the whole tree, is put together by
`audit.fsck_growth` out of what is returned here: the roots of its tiles, and at each checkpoint the roots of
the perfect subtrees right of the last full tile.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from hashlib import sha256
from uuid import UUID

from psycopg import Cursor
from psycopg.rows import TupleRow
from psycopg.types.string import ByteaBinaryLoader

from audit.checkpoint import verify_checkpoint
from audit.database import Connection
from audit.errors import MalformedNote
from audit.fsck_found import Clock, Findings, Missing
from audit.fsck_rows import Row, agrees, faults, payload_digest
from audit.fsck_times import Noted, check_times
from audit.fsck_trust import Trust
from audit.fsck_vouched import Vouched, check_vouched
from audit.merkle import leaf_hash
from audit.queries import FSCK
from audit.tiles import WIDTH

SPAN = 16 * WIDTH
NOTHING = bytes(32)
"""Stands where a leaf is missing, so that those after it keep their place."""

_PAYLOADS_AT_ONCE = 32  # each has at most 4 MiB


@dataclass(frozen=True, slots=True)
class Signed:
    """A root that is said to belong to a size, and the peaks of the leaves in that size's last tile."""

    tree_size: int
    root: bytes
    peaks: tuple[bytes, ...]


Given = tuple[Trust, Sequence[tuple[int, bytes]]]


@dataclass(slots=True)
class Checked:
    """What came of one stretch."""

    findings: Findings = field(default_factory=Findings)
    missing: Missing = field(default_factory=Missing)
    leaves: int = 0
    entries: int = 0
    payloads: int = 0
    tile_roots: list[bytes] = field(default_factory=list)
    signed: list[Signed] = field(default_factory=list)
    known: list[Signed] = field(default_factory=list)
    vouched: Vouched = field(default_factory=Vouched)


def check_span(
    conn: Connection, start: int, stop: int, trust: Trust, known: Sequence[tuple[int, bytes]] = ()
) -> Checked:
    """Check the leaves from `start`, a multiple of 256, up to `stop`; `known` are roots from outside."""
    checked, bounds = Checked(), {"start": start, "stop": stop}
    cursor = raw_cursor(conn)
    entries: dict[bytes, Row] = {
        row[0]: row for row in cursor.execute(FSCK["entries"], bounds, prepare=True).fetchall()
    }
    payloads = dict(_payload_digests(cursor, entries.values(), bounds))
    checked.entries, checked.payloads = len(entries), len(payloads)
    hashes = [NOTHING] * (stop - start)
    expected = start
    for index, entry_id, leaf in cursor.execute(FSCK["leaves"], bounds, prepare=True).fetchall():
        if index != expected:
            _gap(checked.findings, expected, index)
        expected = index + 1
        row = entries.get(entry_id)
        hashes[index - start] = _check_leaf(checked, index, leaf, (entry_id, row, payloads.get(entry_id)))
        checked.leaves += 1
    if expected != stop:
        _gap(checked.findings, expected, stop)
    noted = _check_tree(cursor, checked, hashes, bounds, (trust, known))
    before = cursor.execute(FSCK["signed_before"], bounds, prepare=True).fetchone()
    check_times(checked.findings, noted, before[0] if before else None)
    return checked


def raw_cursor(conn: Connection) -> Cursor[TupleRow]:
    """Return a cursor that gives ids as their 16 bytes."""
    cursor = conn.cursor(binary=True)
    cursor.adapters.register_loader("uuid", ByteaBinaryLoader)
    return cursor


def _gap(findings: Findings, first: int, after: int) -> None:
    through = "" if after == first + 1 else f" to {after - 1}"
    findings.add("leaf", f"leaf {first}{through} is missing")


def _payload_digests(
    cursor: Cursor[TupleRow], rows: Iterable[Row], bounds: Mapping[str, int]
) -> Iterator[tuple[bytes, str]]:
    """Yield the digest of every payload that is where its entry's columns say."""
    for retention_class, month in sorted({_clock(row) for row in rows}):
        where = {**bounds, "retention_class": retention_class, "month": month}
        for entry_id, ciphertext in cursor.stream(
            FSCK["payloads"], where, binary=True, size=_PAYLOADS_AT_ONCE
        ):
            yield entry_id, payload_digest(ciphertext)


def _clock(row: Row) -> Clock:
    """Return what an entry's payload expires by; the session speaks UTC."""
    time = row[4]
    return row[7], date(time.year, time.month, 1)


def _check_leaf(
    checked: Checked, index: int, leaf: bytes, found: tuple[bytes, Row | None, str | None]
) -> bytes:
    """Return the leaf hash that the entry's own bytes have."""
    entry_id, row, payload = found
    if row is None:
        checked.findings.add("entry", f"leaf {index}: entry {UUID(bytes=entry_id)} is missing")
        return leaf
    if row[6] is not None and payload is None:
        problem = f"leaf {index}: the payload of entry {UUID(bytes=entry_id)} is missing"
        checked.missing.add(_clock(row), problem)
    if agrees(row, leaf, payload):
        return leaf
    name = f"entry {UUID(bytes=entry_id)}"
    for part, said in faults(row, leaf, payload):
        problem = f"{name}: {said}" if part is None else f"the {part} of {name} {said}"
        checked.findings.add(part or "entry", f"leaf {index}: {problem}")
    return leaf_hash(row[1])


def _check_tree(
    cursor: Cursor[TupleRow],
    checked: Checked,
    hashes: Sequence[bytes],
    bounds: Mapping[str, int],
    given: Given,
) -> dict[int, Noted]:
    """Build the tiles of the stretch again and compare them; keep what roots of the whole tree take.

    Return its checkpoints by their sizes.
    """
    start, stop = bounds["start"], bounds["stop"]
    trust, known = given
    tiles = {"start": start // WIDTH, "stop": stop // WIDTH}
    stored = {row[0]: row[1:] for row in cursor.execute(FSCK["tiles"], tiles, prepare=True).fetchall()}
    sizes = cursor.execute(FSCK["checkpoints"], bounds, prepare=True).fetchall()
    said: dict[int, list[tuple[list[Signed], int, bytes]]] = defaultdict(list)
    noted = {size: Noted(note, signed_at) for size, _, note, signed_at in sizes}
    checked.vouched = check_vouched(cursor, checked.findings, noted, bounds, trust)
    for size, root, note, _ in sizes:
        check_note(checked.findings, (size, root, note), trust)
        said[(size - 1) // WIDTH].append((checked.signed, size, root))
    for size, root in known:
        if start < size <= stop:
            said[(size - 1) // WIDTH].append((checked.known, size, root))
    for at in range(start, stop, WIDTH):
        leaves = hashes[at - start : at - start + WIDTH]
        levels = _levels(leaves)
        for kept, size, root in said[at // WIDTH]:
            kept.append(Signed(size, root, _peaks(levels, size - at)))
        if len(leaves) == WIDTH:
            checked.tile_roots.append(levels[-1][0])
            index = at // WIDTH
            check_tile(checked.findings, (0, index), stored.get(index), (b"".join(leaves), levels[-1][0]))
    return noted


def check_tile(
    findings: Findings,
    place: tuple[int, int],
    stored: tuple[bytes, bytes] | None,
    derived: tuple[bytes, bytes],
) -> None:
    """Compare the hashes and the root of a stored tile with those that its entries give."""
    level, index = place
    if stored is None:
        findings.add("tile", f"tile {level}/{index} is missing")
    elif stored != derived:
        findings.add("tile", f"tile {level}/{index} does not have the hashes of its entries")


def check_note(findings: Findings, stored: tuple[int, bytes, str], trust: Trust) -> None:
    """Check the signatures of a checkpoint, and that its row says what its note says."""
    size, root, note = stored
    try:
        checkpoint, _ = verify_checkpoint(note, trust.verifiers)
    except MalformedNote as error:
        findings.add("checkpoint", f"checkpoint {size}: {error}")
        return
    if (checkpoint.origin, checkpoint.tree_size, checkpoint.root) != (trust.origin, size, root):
        findings.add("checkpoint", f"checkpoint {size}: the note says otherwise than its row")


def _levels(leaves: Sequence[bytes]) -> list[Sequence[bytes]]:
    """Return the leaves, the nodes over pairs of them, and so on; what has no neighbour yet is left out."""
    levels = [leaves]
    while len(below := levels[-1]) > 1:
        levels.append(
            [sha256(b"\x01" + below[at] + below[at + 1]).digest() for at in range(0, len(below) - 1, 2)]
        )
    return levels


def _peaks(levels: Sequence[Sequence[bytes]], count: int) -> tuple[bytes, ...]:
    """Return the roots of the perfect subtrees over the first `count` leaves, largest first."""
    return tuple(
        levels[level][(count >> level) - 1]
        for level in reversed(range(count.bit_length()))
        if count >> level & 1
    )
