"""Proofs out of a tree of ten million leaves, and how long one takes.

The leaves are hashes of nothing in particular: proofs read no entry. They are loaded by COPY, as the
administrator, into a log of its own; tiles and checkpoint come from the product's own edge, and each proof is
verified from its leaf to the signed root.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import psycopg
from numpy.typing import NDArray

from audit import merkle
from audit.checkpoint import Checkpoint, sign_checkpoint
from audit.log import AuditLog
from audit.tiles import Edge, Tile, cut
from benchmarks.log_append import opened
from benchmarks.log_server import ORIGIN, SIGNER, Log
from benchmarks.timing import Timing
from runtime.clock import SystemClock

CHUNK = 65_536
PROOFS = 2_000
SIGNATURE, END = b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff"
LEAF = np.dtype(
    [
        ("columns", ">i2"),
        ("eight", ">i4"),
        ("index", ">i8"),
        ("sixteen", ">i4"),
        ("entry_id", "V16"),
        ("many", ">i4"),
        ("leaf_hash", "V32"),
    ]
)


@dataclass(frozen=True)
class Proofs:
    """Milliseconds of one proof, made through the log as the API makes it; each was verified."""

    leaves: int
    inclusion: Timing
    inclusion_of_the_newest: Timing
    consistency: Timing
    verification: Timing


def proved(log: Log, leaves: int) -> Proofs:
    """Load a tree and prove places in it that are drawn at random."""
    root = _load(log, leaves)
    draws = np.random.default_rng(1)
    drawn = [int(index) for index in draws.integers(0, leaves, PROOFS)]
    newest = [leaves - 1 - int(back) for back in draws.integers(0, 256, PROOFS)]
    with opened(log) as audit:
        for index in drawn[:20]:
            audit.inclusion_path(index, leaves)  # connections, plans
        hashes = _hashes(log, [*drawn, *newest])
        inclusion, verification = _included(audit, drawn, leaves, (root, hashes))
        latest, _ = _included(audit, newest, leaves, (root, hashes))
        consistency = _consistent(audit, [index + 1 for index in drawn[:500]], leaves)
    return Proofs(leaves, inclusion, latest, consistency, verification)


def _included(
    audit: AuditLog, indexes: Sequence[int], size: int, known: tuple[bytes, dict[int, bytes]]
) -> tuple[Timing, Timing]:
    root, hashes = known
    made, verified = [], []
    for index in indexes:
        started = time.perf_counter()
        path = audit.inclusion_path(index, size)
        between = time.perf_counter()
        holds = merkle.verify_inclusion(index, size, hashes[index], path, root)
        verified.append(time.perf_counter() - between)
        made.append(between - started)
        if not holds:
            raise RuntimeError(f"the proof of leaf {index} does not hold")
    return _timing(made), _timing(verified)


def _consistent(audit: AuditLog, sizes: Sequence[int], size: int) -> Timing:
    taken = []
    for old in sizes:
        started = time.perf_counter()
        audit.consistency_path(old, size)
        taken.append(time.perf_counter() - started)
    return _timing(taken)


def _timing(seconds: Sequence[float]) -> Timing:
    taken = 1e3 * np.array(seconds)
    return Timing(float(np.median(taken)), float(np.quantile(taken, 0.99)), len(taken))


def _hashes(log: Log, indexes: Sequence[int]) -> dict[int, bytes]:
    with psycopg.connect(log.admin) as connection:
        statement = "select index, leaf_hash from audit.leaf where index = any (%s)"
        return dict(connection.execute(statement, (sorted(set(indexes)),)).fetchall())


def _load(log: Log, leaves: int) -> bytes:
    """Write leaves, tiles and a checkpoint; return the root."""
    edge, draws = Edge(), np.random.default_rng(0)
    with psycopg.connect(log.admin) as connection:
        for start in range(0, leaves, CHUNK):
            rows = _rows(start, min(CHUNK, leaves - start), draws)
            _copy(connection, "audit.leaf (index, entry_id, leaf_hash)", rows.tobytes())
            _copy_tiles(connection, edge.append(cut(rows["leaf_hash"].tobytes())))
        root = edge.root()
        note = sign_checkpoint(Checkpoint(ORIGIN, leaves, root), [SIGNER])
        connection.execute(
            "insert into audit.checkpoint (tree_size, root, note, signed_at) values (%s, %s, %s, %s)",
            (leaves, root, note, SystemClock().now()),
        )
    with psycopg.connect(log.admin, autocommit=True) as connection:
        connection.execute("vacuum (analyze) audit.leaf, audit.tile, audit.checkpoint")
        connection.execute("checkpoint")
    return root


def _rows(start: int, count: int, draws: np.random.Generator) -> NDArray[np.void]:
    """Return leaves as COPY reads them: three columns, each behind its length."""
    rows = np.zeros(count, LEAF)
    rows["columns"], rows["eight"], rows["sixteen"], rows["many"] = 3, 8, 16, 32
    rows["index"] = np.arange(start, start + count)
    rows["entry_id"] = np.frombuffer(draws.bytes(16 * count), "V16")
    rows["leaf_hash"] = np.frombuffer(draws.bytes(32 * count), "V32")
    return rows


def _copy_tiles(connection: psycopg.Connection, filled: Sequence[Tile]) -> None:
    lengths = struct.Struct(">hihiqi")
    data = b"".join(
        lengths.pack(4, 2, tile.level, 8, tile.index, len(tile.hashes))
        + tile.hashes
        + (32).to_bytes(4, "big")
        + tile.root
        for tile in filled
    )
    _copy(connection, "audit.tile (level, index, hashes, root)", data)


def _copy(connection: psycopg.Connection, table: str, data: bytes) -> None:
    with connection.cursor().copy(f"copy {table} from stdin (format binary)") as target:
        target.write(SIGNATURE + data + END)
