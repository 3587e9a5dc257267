"""Tiles against the definition and the example of C2SP tlog-tiles."""

from __future__ import annotations

import pytest

from audit import merkle, tiles
from audit.tiles import Edge

LEAVES = [merkle.leaf_hash(b"%d" % number) for number in range(70_000)]


@pytest.fixture(scope="module")
def grown() -> tuple[Edge, dict[tuple[int, int], tiles.Tile]]:
    edge, stored = Edge(), {}
    for start in range(0, 70_000, 777):
        for tile in edge.append(LEAVES[start : start + 777]):
            stored[tile.level, tile.index] = tile
    return edge, stored


def test_the_shape_of_a_tree_of_70000(grown):
    # "273 full level 0 tiles, one partial level 0 tile of width 112, one full level 1 tile, one partial
    # level 1 tile of width 17, and one partial level 2 tile of width 1"
    edge, stored = grown
    assert edge.size == 70_000
    assert sorted({level for level, _ in stored}) == [0, 1]
    assert sum(level == 0 for level, _ in stored) == 273 == tiles.full_tiles(0, 70_000)
    assert sum(level == 1 for level, _ in stored) == 1 == tiles.full_tiles(1, 70_000)
    assert [len(level) for level in edge.partial] == [112, 17, 1]
    assert [tiles.width(level, 70_000) for level in range(3)] == [112, 17, 1]
    assert tiles.levels(70_000) == 3


def test_a_tree_of_256_has_a_full_tile_and_one_hash_above():
    edge = Edge()
    (tile,) = edge.append(LEAVES[:256])
    assert (tile.level, tile.index, tile.hashes) == (0, 0, b"".join(LEAVES[:256]))
    assert edge.partial == [[], [tile.root]]
    assert tile.root == merkle.root(LEAVES[:256]) == edge.root()


def test_tiles_hold_the_hashes_of_the_definition(grown):
    _, stored = grown
    for level, index in ((0, 0), (0, 272), (1, 0)):
        unit = 256**level
        expected = [
            merkle.root(LEAVES[(index * 256 + place) * unit : (index * 256 + place + 1) * unit])
            for place in range(256)
        ]
        assert tiles.cut(stored[level, index].hashes) == expected
        assert stored[level, index].root == merkle.root(expected)


def test_the_edge_has_the_root_of_all_leaves(grown):
    edge, _ = grown
    assert edge.root() == merkle.root(LEAVES)
    assert Edge().root() == merkle.EMPTY_ROOT


def test_a_copy_grows_on_its_own():
    edge = Edge()
    edge.append(LEAVES[:3])
    before = edge.root()
    edge.copy().append(LEAVES[3:600])
    assert (edge.size, edge.root()) == (3, before)


def test_proofs_out_of_tiles(grown):
    edge, stored = grown

    def tile(level, index):
        found = stored.get((level, index))
        return tiles.cut(found.hashes) if found else edge.partial[level]

    node = tiles.node_lookup(tile)
    for index in (0, 255, 256, 65_535, 65_536, 69_887, 69_888, 69_999):
        path = merkle.inclusion_path(index, 70_000, node)
        assert merkle.verify_inclusion(index, 70_000, LEAVES[index], path, edge.root())
    for old in (1, 255, 256, 257, 65_536, 65_537, 69_999, 70_000):
        path = merkle.consistency_path(old, 70_000, node)
        assert merkle.verify_consistency(old, 70_000, merkle.root(LEAVES[:old]), edge.root(), path)


@pytest.mark.parametrize(("size", "count"), [(0, 1), (1, 1), (255, 1), (256, 2), (65_535, 2), (65_536, 3)])
def test_levels(size, count):
    assert tiles.levels(size) == count
