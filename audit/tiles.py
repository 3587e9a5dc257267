"""The tree cut into tiles 256 hashes wide (C2SP tlog-tiles), and its growing right edge. Pure.

A tile `(level, index)` holds 256 nodes of tree level `8 * level`. Only full tiles are stored; the hashes of a
tile that is still filling are leaves (level 0) or roots of the full tiles below it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from audit import merkle

WIDTH = 256
HEIGHT = 8


@dataclass(frozen=True, slots=True)
class Tile:
    """A full tile: 256 hashes and the root over them."""

    level: int
    index: int
    hashes: bytes
    root: bytes


def width(level: int, size: int) -> int:
    """Return how many hashes the last, partial tile of a level has in a tree of this size."""
    return (size >> (HEIGHT * level)) % WIDTH


def full_tiles(level: int, size: int) -> int:
    """Return how many full tiles a level has in a tree of this size."""
    return size >> (HEIGHT * (level + 1))


def levels(size: int) -> int:
    """Return how many tile levels a tree of this size has."""
    return max(1, -(-size.bit_length() // HEIGHT))


def cut(hashes: bytes) -> list[bytes]:
    """Cut concatenated hashes into single ones."""
    return [hashes[at : at + merkle.HASH_SIZE] for at in range(0, len(hashes), merkle.HASH_SIZE)]


@dataclass(slots=True)
class Edge:
    """The right edge: for each level the hashes of the tile that is still filling."""

    size: int = 0
    partial: list[list[bytes]] = field(default_factory=lambda: [[]])

    def append(self, leaves: Iterable[bytes]) -> list[Tile]:
        """Add leaves; return the tiles that became full, in an order in which lower ones come first."""
        filled: list[Tile] = []
        for leaf in leaves:
            self.size += 1
            self._add(0, leaf, filled)
        return filled

    def _add(self, level: int, node: bytes, filled: list[Tile]) -> None:
        if level == len(self.partial):
            self.partial.append([])
        hashes = self.partial[level]
        hashes.append(node)
        if len(hashes) == WIDTH:
            index = (self.size >> (HEIGHT * (level + 1))) - 1
            tile = Tile(level, index, b"".join(hashes), merkle.root(hashes))
            filled.append(tile)
            hashes.clear()
            self._add(level + 1, tile.root, filled)

    def root(self) -> bytes:
        """Return the root of the whole tree."""
        hashes = [peak for level in reversed(self.partial) for peak in merkle.peaks(level)]
        return merkle.fold(hashes) if hashes else merkle.EMPTY_ROOT

    def copy(self) -> Edge:
        """Return an edge that grows on its own."""
        return Edge(self.size, [list(level) for level in self.partial])


def node_lookup(tile: Callable[[int, int], Sequence[bytes]]) -> merkle.NodeLookup:
    """Answer for nodes out of tiles; `tile(level, index)` returns the hashes that tile has so far."""

    def node(level: int, index: int) -> bytes:
        tile_level, inner = divmod(level, HEIGHT)
        first = index << inner
        offset = first % WIDTH
        return merkle.root(tile(tile_level, first // WIDTH)[offset : offset + (1 << inner)])

    return node
