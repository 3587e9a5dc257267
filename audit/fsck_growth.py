"""The whole tree put together out of its stretches, in order, and compared with every signed root."""

from __future__ import annotations

from collections.abc import Sequence

from audit import merkle
from audit.database import Connection
from audit.fsck_found import Findings
from audit.fsck_span import Checked, Signed, check_tile
from audit.queries import LOG
from audit.tiles import WIDTH


class Growth:
    """A tree that grows by whole tiles of leaves; at each signed size the peaks beyond them are given."""

    def __init__(self, conn: Connection, findings: Findings) -> None:
        """Compare with what this connection reads; note what differs."""
        self._conn = conn
        self._findings = findings
        self._peaks: list[bytes] = []
        self._filling: list[list[bytes]] = []
        self.tiles = 0
        """Full tiles so far, on every level."""
        self.checkpoints = 0
        self._tile_roots = 0

    def add(self, checked: Checked) -> None:
        """Grow by one stretch and compare the roots inside it."""
        roots = iter(checked.tile_roots)
        self.checkpoints += len(checked.signed)
        signed = [(one, "checkpoint") for one in checked.signed] + [(one, "known") for one in checked.known]
        for one, kind in sorted(signed, key=lambda pair: pair[0].tree_size):
            whole = (one.tree_size - 1) // WIDTH  # the peaks of a full last tile are its root
            while self._tile_roots < whole:
                self._add_tile(next(roots))
            self._compare(one, kind)
        for root in roots:
            self._add_tile(root)

    def _compare(self, one: Signed, kind: str) -> None:
        if merkle.fold([*self._peaks, *one.peaks]) == one.root:
            return
        if kind == "known":
            self._findings.add(
                "consistency",
                f"the first {one.tree_size} leaves do not have the root that was known from before",
            )
        else:
            self._findings.add(
                "checkpoint", f"checkpoint {one.tree_size}: the entries do not have the root that was signed"
            )

    def _add_tile(self, root: bytes) -> None:
        joined, carry = root, self._tile_roots
        while carry & 1:
            joined = merkle.node_hash(self._peaks.pop(), joined)
            carry >>= 1
        self._peaks.append(joined)
        self._tile_roots += 1
        self.tiles += 1
        self._fill(1, root, self._tile_roots)

    def _fill(self, level: int, node: bytes, count: int) -> None:
        """Add the `count`-th node of a level; compare the tile that it may complete."""
        if len(self._filling) < level:
            self._filling.append([])
        hashes = self._filling[level - 1]
        hashes.append(node)
        if len(hashes) == WIDTH:
            index, root = count // WIDTH - 1, merkle.root(hashes)
            bounds = {"level": level, "index": index}
            stored = self._conn.execute(LOG["full_tile"], bounds).fetchone()
            check_tile(self._findings, (level, index), _pair(stored), (b"".join(hashes), root))
            hashes.clear()
            self.tiles += 1
            self._fill(level + 1, root, count // WIDTH)


def _pair(row: Sequence[bytes] | None) -> tuple[bytes, bytes] | None:
    return None if row is None else (row[0], row[1])
