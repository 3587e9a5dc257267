"""The integrator: it gives committed entries their place in the tree and signs what the tree then is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import psycopg

from audit.checkpoint import Checkpoint, check_origin, sign_checkpoint, verify_checkpoint
from audit.database import Connection, Pool, session
from audit.errors import AuditUnavailable, EntryRefused, IntegrityHalt, LimitContradicted, MalformedNote
from audit.known_keys import publish_limit, publish_verifier_key
from audit.log import Backlog, read_backlog
from audit.note import Signer, Verifier
from audit.queries import LOG
from audit.tiles import Edge, Tile
from audit.tree import StoredTree, newest_checkpoint

_TAKEN, _MOVED = psycopg.errors.UniqueViolation, psycopg.errors.SerializationFailure


class Integrator:
    """Moves entries from `pending` into the tree. Any number may run; a primary key lets one of them win."""

    def __init__(
        self,
        pool: Pool,
        signers: Sequence[Signer],
        origin: str,
        *,
        trusted: Sequence[Verifier] = (),
        batch: int = 4096,
    ) -> None:
        """Take a pool of the integrator's role, and the checkpoint keys: two while one replaces the other.

        `trusted` are keys that signed before. The operator gives them: what the database says of keys is what
        whoever writes into it says. They vouch for the tree that is found at first; what is signed while this
        integrator runs has to be signed by a key that signs now.
        """
        self._pool = pool
        self._signers = tuple(signers)
        self._present = tuple(signer.verifier for signer in self._signers)
        self._verifiers = (*self._present, *trusted)
        self._origin = check_origin(origin)
        self.batch = batch
        """How many entries a step takes at most: after so many there may be more."""
        self._edge: Edge | None = None
        self._known: tuple[int, bytes] | None = None  # size and root of the last tree that was verified
        self._seen = 0  # the newest size in the snapshot of the last attempt

    def verify_edge(self) -> int:
        """Recompute the root from the tiles' right edge and return the tree size.

        Raises `IntegrityHalt` if it is not the root that was signed. Re-hashing every leaf is fsck's work.
        """
        with session(self._pool) as connection:
            connection.execute(LOG["one_snapshot"])
            edge = self._read_edge(connection)
        self._remember(edge)
        return edge.size

    def publish_keys(self, now: datetime, witnesses: Sequence[str] = ()) -> None:
        """Make the checkpoint keys known, those of the witnesses that are asked, and past keys' limits.

        Raises `LimitContradicted` for a limit of a key that signs, or that has signed beyond it.
        """
        with session(self._pool) as connection:
            for signer in self._signers:
                publish_verifier_key(connection, "checkpoint", signer.verifier.vkey, now)
            for vkey in witnesses:
                publish_verifier_key(connection, "witness", vkey, now)
            for key in self._verifiers:
                if key.limit is not None and key.key_id in {present.key_id for present in self._present}:
                    raise LimitContradicted(f"{key.key_id} has a limit, and still signs")
                publish_limit(connection, key, self._verifiers, now)

    def step(self, now: datetime) -> int:
        """Integrate up to a batch of entries in one transaction; return how many.

        Raises `IntegrityHalt` when the past is not as it was signed, or a place in the tree is taken that no
        checkpoint covers.
        """
        try:
            with session(self._pool) as connection:
                connection.execute(
                    LOG["one_snapshot"]
                )  # or a faster integrator would look like a changed past
                grown, count = self._integrate(connection, now)
        except (EntryRefused, AuditUnavailable) as error:
            self._edge = None
            if isinstance(error.__cause__, _TAKEN):
                self._expect_growth(error.__cause__)
            elif not isinstance(error.__cause__, _MOVED):
                raise
            return 0
        self._remember(grown)  # only what is committed
        return count

    def backlog(self) -> Backlog:
        """Tell how much waits, and since when: over 60 seconds is an alarm."""
        with session(self._pool) as connection:
            return read_backlog(connection)

    def _integrate(self, connection: Connection, now: datetime) -> tuple[Edge, int]:
        edge = self._current_edge(connection).copy()
        if connection.execute(LOG["integrators_turn"]).fetchone() is None:
            return edge, 0  # nothing waits, or another integrator is at it
        taken = connection.execute(LOG["take_pending"], {"limit": self.batch}).fetchall()
        if not taken:
            return edge, 0
        ids, hashes = [row[0] for row in taken], [row[1] for row in taken]
        first = edge.size
        filled = edge.append(hashes)
        connection.execute(LOG["write_leaves"], {"first": first, "entry_ids": ids, "hashes": hashes})
        _write_tiles(connection, filled)
        root = edge.root()
        note = sign_checkpoint(Checkpoint(self._origin, edge.size, root), self._signers)
        connection.execute(
            LOG["write_checkpoint"], {"tree_size": edge.size, "root": root, "note": note, "signed_at": now}
        )
        return edge, len(taken)

    def _expect_growth(self, taken: psycopg.Error) -> None:
        """Halt unless another integrator was faster: then the newest checkpoint has moved."""
        with session(self._pool) as connection:
            newest = newest_checkpoint(connection)
        if (newest.tree_size if newest else 0) == self._seen:
            what = taken.diag.constraint_name
            raise IntegrityHalt(f"what follows the tree of {self._seen} is taken already ({what})") from taken

    def _current_edge(self, connection: Connection) -> Edge:
        newest = newest_checkpoint(connection)
        self._seen = size = newest.tree_size if newest else 0
        if self._edge is None or self._edge.size != size:
            return self._read_edge(connection)
        if newest is not None and self._edge.root() != newest.root:
            raise IntegrityHalt("the newest checkpoint is not the one this integrator signed")
        return self._edge

    def _remember(self, edge: Edge) -> None:
        self._edge = edge
        if self._known is None or self._known[0] != edge.size:
            self._known = edge.size, edge.root()

    def _read_edge(self, connection: Connection) -> Edge:
        newest = newest_checkpoint(connection)
        self._refuse_another_past(connection, newest.tree_size if newest else 0)
        if newest is None:
            _refuse_leaves_after(connection, 0)
            return Edge()
        try:
            signed, signed_by = verify_checkpoint(newest.note, self._verifiers)
        except MalformedNote as error:
            raise IntegrityHalt(f"the newest checkpoint: {error}") from error
        if (signed.origin, signed.tree_size, signed.root) != (self._origin, newest.tree_size, newest.root):
            raise IntegrityHalt("the newest checkpoint's row and its note differ")
        grown = self._known is not None and newest.tree_size > self._known[0]
        if grown and not set(signed_by) & set(self._present):
            raise IntegrityHalt("the newest checkpoint was signed meanwhile by a key that was replaced")
        edge = StoredTree(connection).edge(newest.tree_size)
        if edge.root() != newest.root:
            raise IntegrityHalt(
                f"the stored tree of {newest.tree_size} does not have the root that was signed"
            )
        _refuse_leaves_after(connection, newest.tree_size)
        return edge

    def _refuse_another_past(self, connection: Connection, size: int) -> None:
        """Compare with the last tree that this integrator verified, if there is one."""
        known, root = self._known or (0, b"")
        if size < known:
            raise IntegrityHalt(
                f"the tree of {known} is gone, there is one of {size}: an older state was put back"
            )
        if known and StoredTree(connection).root(known) != root:
            raise IntegrityHalt(f"the tree of {known} has another root than before: history was rewritten")


def _refuse_leaves_after(connection: Connection, size: int) -> None:
    row = connection.execute(LOG["leaf_beyond"], {"size": size}).fetchone()
    if row is not None:
        raise IntegrityHalt(f"there is a leaf {row[0]} beyond the signed tree of {size}")


def _write_tiles(connection: Connection, filled: Sequence[Tile]) -> None:
    if filled:
        connection.execute(
            LOG["write_tiles"],
            {
                "levels": [tile.level for tile in filled],
                "indexes": [tile.index for tile in filled],
                "hashes": [tile.hashes for tile in filled],
                "roots": [tile.root for tile in filled],
            },
        )
