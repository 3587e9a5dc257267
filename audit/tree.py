"""The tree as it is stored: checkpoints, and proofs out of full tiles and what stands right of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from audit import merkle, tiles
from audit.database import Connection
from audit.errors import IntegrityHalt, MalformedProof
from audit.queries import LOG

COSIGNATURE_TIME = timedelta(seconds=10)
"""How long a checkpoint waits for a witness before it is shown without."""


@dataclass(frozen=True, slots=True)
class StoredCheckpoint:
    """A checkpoint row: the signed note and what it says."""

    tree_size: int
    root: bytes
    note: str
    signed_at: datetime


def newest_checkpoint(connection: Connection) -> StoredCheckpoint | None:
    """Return the newest checkpoint; None while the tree is empty."""
    row = connection.execute(LOG["newest_checkpoint"]).fetchone()
    return None if row is None else StoredCheckpoint(*row)


def with_cosignatures(connection: Connection, checkpoint: StoredCheckpoint) -> StoredCheckpoint:
    """Return a checkpoint with the witnesses' lines added to its note."""
    rows = connection.execute(LOG["cosignatures"], {"tree_size": checkpoint.tree_size}).fetchall()
    return replace(checkpoint, note=checkpoint.note + "".join(row[0] for row in rows))


def checkpoint_at(connection: Connection, tree_size: int) -> StoredCheckpoint | None:
    """Return the checkpoint of this very size, if one was signed."""
    row = connection.execute(LOG["checkpoint_at"], {"tree_size": tree_size}).fetchone()
    return None if row is None else StoredCheckpoint(*row)


def newest_with_cosignatures(connection: Connection) -> StoredCheckpoint | None:
    """Return the newest checkpoint with what witnesses said of it; None while the tree is empty."""
    newest = newest_checkpoint(connection)
    return None if newest is None else with_cosignatures(connection, newest)


def checkpoint_to_show(connection: Connection, now: datetime) -> StoredCheckpoint | None:
    """Return the newest cosigned checkpoint, unless one has waited some seconds for it: then the newest.

    None while the tree is empty.
    """
    row = connection.execute(LOG["newest_cosigned"], {"index": 0}).fetchone()
    cosigned = None if row is None else StoredCheckpoint(*row)
    if cosigned is not None:
        waiting = {"tree_size": cosigned.tree_size, "before": now - COSIGNATURE_TIME}
        if connection.execute(LOG["waits_for_witnesses"], waiting).fetchone() == (False,):
            return with_cosignatures(connection, cosigned)
    return newest_with_cosignatures(connection)


def checkpoint_covering(connection: Connection, index: int) -> StoredCheckpoint:
    """Return the newest cosigned checkpoint that covers a leaf; where there is none, the newest."""
    row = connection.execute(LOG["newest_cosigned"], {"index": index}).fetchone()
    found = newest_checkpoint(connection) if row is None else StoredCheckpoint(*row)
    if found is None or found.tree_size <= index:
        raise IntegrityHalt(f"no checkpoint covers leaf {index}")
    return with_cosignatures(connection, found)


class StoredTree:
    """Proofs for any size up to the newest checkpoint's. One instance serves one request."""

    def __init__(self, connection: Connection) -> None:
        """Read through this connection."""
        self._connection = connection
        self._tiles: dict[tuple[int, int], Sequence[bytes]] = {}
        self._node = tiles.node_lookup(self._tile)

    def inclusion_path(self, index: int, tree_size: int) -> list[bytes]:
        """Return the inclusion path of a leaf in the tree of this size."""
        self._refuse_beyond(tree_size)
        return merkle.inclusion_path(index, tree_size, self._node)

    def consistency_path(self, old: int, new: int) -> list[bytes]:
        """Return the proof that the tree of size old is a prefix of the tree of size new."""
        self._refuse_beyond(new)
        return merkle.consistency_path(old, new, self._node)

    def root(self, tree_size: int) -> bytes:
        """Return the root of the tree at this size."""
        self._refuse_beyond(tree_size)
        return merkle.range_root(0, tree_size, self._node) if tree_size else merkle.EMPTY_ROOT

    def edge(self, tree_size: int) -> tiles.Edge:
        """Return the right edge at this size, to grow from."""
        levels = range(tiles.levels(tree_size))
        partial = [
            list(self._unfinished(level, tiles.full_tiles(level, tree_size), tiles.width(level, tree_size)))
            for level in levels
        ]
        return tiles.Edge(tree_size, partial)

    def _refuse_beyond(self, tree_size: int) -> None:
        newest = newest_checkpoint(self._connection)
        if tree_size > (newest.tree_size if newest else 0):
            raise MalformedProof(f"there is no tree of {tree_size} yet")

    def _tile(self, level: int, index: int) -> Sequence[bytes]:
        position = (level, index)
        if position not in self._tiles:
            row = self._connection.execute(LOG["tile"], {"level": level, "index": index}).fetchone()
            self._tiles[position] = (
                self._unfinished(level, index, tiles.WIDTH) if row is None else tiles.cut(row[0])
            )
        return self._tiles[position]

    def _unfinished(self, level: int, index: int, width: int) -> Sequence[bytes]:
        """Return the first hashes of a tile that is not stored, from leaves or the tiles below."""
        start = index * tiles.WIDTH
        name = "leaves" if level == 0 else "tile_roots"
        bounds = {"level": level - 1, "start": start, "stop": start + width}
        rows = self._connection.execute(LOG[name], bounds).fetchall()
        if width < tiles.WIDTH and len(rows) != width:
            raise IntegrityHalt(
                f"tile level {level} has {len(rows)} hashes right of tile {index}, not {width}"
            )
        return [row[0] for row in rows]
