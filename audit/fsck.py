"""Re-derive the whole log from its entries and compare it with everything that is stored and signed.

Every leaf is hashed again from the entry's bytes, every tile and the root at every checkpoint is built again,
every signature is checked. As each checkpoint is compared with the one tree that grows here, all of them
are consistent. What fsck alone cannot see is a log cut back, or rewritten together with its signatures: that
takes a checkpoint, a receipt or an evidence file from outside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from uuid import UUID

from psycopg.pq import TransactionStatus

from audit.checkpoint import verify_checkpoint
from audit.database import Connection, named_failures
from audit.entry import parse_entry
from audit.errors import MalformedEntry, MalformedNote
from audit.merkle import EMPTY_ROOT, leaf_hash
from audit.note import Verifier
from audit.queries import LOG
from audit.tiles import Edge, Tile, full_tiles, levels

PROBLEMS_LIMIT = 100
_CHUNK = 2048

Row = tuple[
    int, UUID, bytes, bytes | None, bytes | None, bytes | None, str, datetime, UUID | None, UUID | None, str
]


@dataclass(frozen=True, slots=True)
class FsckReport:
    """What was checked and what was found. `problems` stops at a hundred."""

    entries: int
    tree_size: int
    root: bytes
    checkpoints: int
    tiles: int
    pending: int
    problems: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Tell whether everything agrees."""
        return not self.problems


@dataclass(slots=True)
class _Findings:
    problems: list[str] = field(default_factory=list)

    def add(self, problem: str) -> None:
        if len(self.problems) < PROBLEMS_LIMIT:
            self.problems.append(problem)


def fsck(conn: Connection, vkeys: Sequence[str], origin: str) -> FsckReport:
    """Check the whole log with the checkpoint keys the caller trusts. Reads only.

    It sees one snapshot; in a transaction that is already open, that one as it is.
    """
    findings = _Findings()
    idle = conn.info.transaction_status == TransactionStatus.IDLE
    with named_failures(), conn.transaction():
        if idle:
            conn.execute(LOG["one_snapshot"])
        conn.execute(LOG["limit_statements"], {"milliseconds": "0"})
        verifiers = [Verifier.parse(vkey) for vkey in vkeys]
        signed = _signed_roots(conn, verifiers, origin, findings)
        edge, tiles = _rebuild(conn, signed, findings)
        _check_ends(conn, edge, signed, tiles, findings)
        pending = _check_pending(conn, findings)
    return FsckReport(
        entries=edge.size,
        tree_size=max(signed, default=0),
        root=signed[max(signed)] if signed else EMPTY_ROOT,
        checkpoints=len(signed),
        tiles=tiles,
        pending=pending,
        problems=tuple(findings.problems),
    )


def _signed_roots(
    conn: Connection, verifiers: Sequence[Verifier], origin: str, findings: _Findings
) -> dict[int, bytes]:
    """Return the root signed for each size, after checking every signature."""
    roots: dict[int, bytes] = {}
    for tree_size, root, note in conn.execute(LOG["all_checkpoints"]).fetchall():
        roots[tree_size] = root
        try:
            checkpoint, _ = verify_checkpoint(note, verifiers)
        except MalformedNote as error:
            findings.add(f"checkpoint {tree_size}: {error}")
            continue
        if (checkpoint.origin, checkpoint.tree_size, checkpoint.root) != (origin, tree_size, root):
            findings.add(f"checkpoint {tree_size}: the note says otherwise than its row")
    return roots


def _rebuild(conn: Connection, signed: dict[int, bytes], findings: _Findings) -> tuple[Edge, int]:
    """Grow the tree again from the entries; compare tiles and roots on the way."""
    edge, tiles = Edge(), 0
    sizes = sorted(signed, reverse=True)
    with conn.cursor("fsck", binary=True) as cursor:
        cursor.itersize = _CHUNK
        cursor.execute(LOG["log_from_start"])
        while rows := cursor.fetchmany(_CHUNK):
            leaves = [_check_leaf(row, edge.size + offset, findings) for offset, row in enumerate(rows)]
            while leaves:
                stop = min(len(leaves), sizes[-1] - edge.size) if sizes else len(leaves)
                filled = edge.append(leaves[:stop])
                leaves = leaves[stop:]
                tiles += len(filled)
                _check_tiles(conn, filled, findings)
                if sizes and edge.size == sizes[-1] and edge.root() != signed[sizes.pop()]:
                    findings.add(f"checkpoint {edge.size}: the entries do not have the root that was signed")
    return edge, tiles


def _check_leaf(row: Row, expected_index: int, findings: _Findings) -> bytes:
    """Return the leaf hash that the entry's own bytes have."""
    index, entry_id, leaf, canonical, stored_hash, ciphertext, kind, time, about, key_id, retention_class = (
        row
    )
    if index != expected_index:
        findings.add(f"leaf {expected_index} is missing; {index} stands in its place")
    if canonical is None:
        findings.add(f"leaf {index}: entry {entry_id} is missing")
        return leaf
    derived = leaf_hash(canonical)
    if derived != leaf or derived != stored_hash:
        findings.add(f"leaf {index}: the bytes of entry {entry_id} do not have its leaf hash")
    try:
        entry = parse_entry(canonical)
    except MalformedEntry as error:
        findings.add(f"leaf {index}: entry {entry_id}: {error}")
        return derived
    private = entry.private
    said = (entry.entry_id, entry.type, entry.time, entry.about, entry.retention_class)
    if said != (entry_id, kind, time, about, retention_class) or key_id != (
        private.key_id if private else None
    ):
        findings.add(f"leaf {index}: the columns of entry {entry_id} say otherwise than its bytes")
    if private and ciphertext is None:
        findings.add(f"leaf {index}: the payload of entry {entry_id} is missing")
    elif private and ciphertext and private.ciphertext_digest != "sha256:" + sha256(ciphertext).hexdigest():
        findings.add(f"leaf {index}: the payload of entry {entry_id} is not the one it was made with")
    return derived


def _check_tiles(conn: Connection, filled: Sequence[Tile], findings: _Findings) -> None:
    for tile in filled:
        row = conn.execute(LOG["full_tile"], {"level": tile.level, "index": tile.index}).fetchone()
        if row is None:
            findings.add(f"tile {tile.level}/{tile.index} is missing")
        elif row != (tile.hashes, tile.root):
            findings.add(f"tile {tile.level}/{tile.index} does not have the hashes of its entries")


def _check_ends(
    conn: Connection, edge: Edge, signed: dict[int, bytes], tiles: int, findings: _Findings
) -> None:
    """Compare how far entries, tiles and checkpoints reach."""
    newest = max(signed, default=0)
    if edge.size != newest:
        findings.add(f"{edge.size} leaves, but the newest checkpoint is for {newest}")
    for size in sorted(signed):
        if size > edge.size:
            findings.add(f"checkpoint {size}: there are only {edge.size} leaves")
    stored = _count(conn, "count_tiles")
    expected = sum(full_tiles(level, edge.size) for level in range(levels(edge.size)))
    if stored != tiles or stored != expected:
        findings.add(f"{stored} tiles are stored; a tree of {edge.size} has {expected}")
    for (table,) in conn.execute(LOG["unsecured_tables"]).fetchall():
        findings.add(f"table {table} has lost its append-only trigger")


def _check_pending(conn: Connection, findings: _Findings) -> int:
    """Check what is not integrated yet, and that every entry is in the tree or waits for it."""
    for entry_id, canonical, stored_hash in conn.execute(LOG["pending_entries"]):
        if leaf_hash(canonical) != stored_hash:
            findings.add(f"pending entry {entry_id}: its bytes do not have its leaf hash")
    for (entry_id,) in conn.execute(LOG["pending_without_entry"]).fetchall():
        findings.add(f"pending entry {entry_id} is missing")
    for entry_id, waits in conn.execute(LOG["loose_entries"]).fetchall():
        state = "is in the tree and also waits for it" if waits else "is neither in the tree nor waits for it"
        findings.add(f"entry {entry_id} {state}")
    for (entry_id,) in conn.execute(LOG["loose_payloads"]).fetchall():
        findings.add(f"a payload belongs to no entry: {entry_id}")
    return _count(conn, "count_pending")


def _count(conn: Connection, name: str) -> int:
    row = conn.execute(LOG[name]).fetchone()
    return 0 if row is None else int(row[0])
