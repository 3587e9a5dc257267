"""The tree against RFC 6962 section 2.1 as it stands there, at every size to 1,000; no proof can change."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit import merkle, tiles
from audit.tiles import Edge
from audit.verifier import ofrecord_verify as single
from tests.oracles.rfc6962 import Definition

LARGEST = 1000
ALL_PROOFS = 130  # below this every inclusion path and every pair of sizes, above it some of them
ENTRIES = [b"entry %d" % number for number in range(LARGEST)]
LEAVES = [merkle.leaf_hash(entry) for entry in ENTRIES]
DEFINED = Definition(ENTRIES)


def node(level: int, index: int) -> bytes:
    return DEFINED.mth(index << level, (index + 1) << level)


def _tile_lookup() -> merkle.NodeLookup:
    """Nodes out of tiles, as a log of 1,000 entries stores them."""
    edge = Edge()
    stored = {(tile.level, tile.index): tiles.cut(tile.hashes) for tile in edge.append(LEAVES)}

    def tile(level: int, index: int) -> Sequence[bytes]:
        return stored.get((level, index)) or edge.partial[level]

    return tiles.node_lookup(tile)


TILED = _tile_lookup()


def _check(size: int, indexes: Iterable[int], olds: Iterable[int]) -> None:
    """Compare proofs out of tiles with the definition; both verifiers take them."""
    root = DEFINED.mth(0, size)
    for index in indexes:
        found = merkle.inclusion_path(index, size, TILED)
        assert found == DEFINED.path(index, 0, size)
        assert merkle.verify_inclusion(index, size, LEAVES[index], found, root)
        assert single.root_by(found, LEAVES[index], index, size) == root
    for old in olds:
        found = merkle.consistency_path(old, size, TILED)
        assert found == DEFINED.proof(old, size)
        before = DEFINED.mth(0, old)
        assert merkle.verify_consistency(old, size, before, root, found)
        assert single.roots_by(found, old, size, before) == (before, root)


@pytest.mark.parametrize("start", range(1, ALL_PROOFS, 10))
def test_every_proof_of_a_small_tree(start):
    for size in range(start, start + 10):
        _check(size, range(size), range(1, size + 1))


def test_every_tree_to_a_thousand_has_the_defined_root():
    edge = Edge()
    assert merkle.root([]) == DEFINED.mth(0, 0) == single.root([]) == edge.root()
    for size in range(1, LARGEST + 1):
        edge.append(LEAVES[size - 1 : size])
        root = DEFINED.mth(0, size)
        assert edge.root() == merkle.range_root(0, size, TILED) == root
        if size < ALL_PROOFS or size % 7 == 0:
            assert merkle.root(LEAVES[:size]) == single.root(LEAVES[:size]) == root


def _edges(size: int, chance: random.Random) -> set[int]:
    """Numbers below a size where a proof changes its shape, and some others."""
    half = merkle.split(size) if size > 1 else 0
    near = {0, half - 1, half, half + 1, size // 2, size & (size - 1), size - 1}
    return {number for number in near | {chance.randrange(size) for _ in range(4)} if 0 <= number < size}


@pytest.mark.parametrize("start", range(ALL_PROOFS, LARGEST, 87))
def test_proofs_of_every_tree_to_a_thousand(start):
    chance = random.Random(start)  # noqa: S311 - repeatable on purpose
    for size in range(start, min(start + 87, LARGEST + 1)):
        _check(size, _edges(size, chance), {number + 1 for number in _edges(size, chance)})


@pytest.mark.prove
@pytest.mark.parametrize("start", range(1, LARGEST + 1, 50))
def test_every_proof_of_every_tree_to_a_thousand(start):
    for size in range(start, start + 50):
        _check(size, range(size), range(1, size + 1))


SIZES = st.integers(1, LARGEST)


def flip(value: bytes, bit: int) -> bytes:
    return (int.from_bytes(value) ^ 1 << bit).to_bytes(32)


def included(index: int, size: int, leaf: bytes, path: list[bytes], root: bytes) -> bool:
    """What both verifiers say; they must say the same."""
    ours = merkle.verify_inclusion(index, size, leaf, path, root)
    try:
        theirs = single.root_by(path, leaf, index, size) == root
    except ValueError:
        theirs = False
    assert ours == theirs
    return ours


def grown(old: int, new: int, old_root: bytes, new_root: bytes, path: list[bytes]) -> bool:
    """What both verifiers say; they must say the same."""
    ours = merkle.verify_consistency(old, new, old_root, new_root, path)
    try:
        theirs = old > 0 and single.roots_by(path, old, new, old_root) == (old_root, new_root)
    except ValueError:
        theirs = False
    assert ours == theirs
    return ours


def _misshapen(path: list[bytes], other: bytes) -> list[list[bytes]]:
    """Return paths with a node lost, doubled, added, exchanged with its neighbour; and the path backwards."""
    changed = [[*path, other], [other, *path]]
    for place in range(len(path)):
        changed += [path[:place] + path[place + 1 :], path[:place] + path[place : place + 1] + path[place:]]
        changed.append([*path[:place], other, *path[place + 1 :]])
        if place:
            changed.append([*path[: place - 1], path[place], path[place - 1], *path[place + 1 :]])
    return [one for one in [*changed, path[::-1], []] if one != path]


@pytest.mark.parametrize("size", [1, 2, 3, 6, 7, 8, 13, 255, 256, 257, 1000])
def test_no_part_of_a_proof_can_be_lost_added_or_exchanged(size):
    other, root = merkle.leaf_hash(b"other"), DEFINED.mth(0, size)
    for number in sorted(_edges(size, random.Random(size))):  # noqa: S311 - repeatable on purpose
        path = merkle.inclusion_path(number, size, node)
        for changed in _misshapen(path, other):
            assert not included(number, size, LEAVES[number], changed, root)
        old = number + 1
        before, path = DEFINED.mth(0, old), merkle.consistency_path(old, size, node)
        for changed in _misshapen(path, other):
            assert not grown(old, size, before, root, changed)


def test_no_byte_of_a_proof_can_change():
    index, old, size = 700, 614, 1000
    root, before = DEFINED.mth(0, size), DEFINED.mth(0, old)
    path, proof = merkle.inclusion_path(index, size, node), merkle.consistency_path(old, size, node)
    for bit in range(256):
        for place in range(len(path)):
            changed = [*path[:place], flip(path[place], bit), *path[place + 1 :]]
            assert not included(index, size, LEAVES[index], changed, root)
        for place in range(len(proof)):
            changed = [*proof[:place], flip(proof[place], bit), *proof[place + 1 :]]
            assert not grown(old, size, before, root, changed)
        assert not included(index, size, flip(LEAVES[index], bit), path, root)
        assert not included(index, size, LEAVES[index], path, flip(root, bit))
        assert not grown(old, size, flip(before, bit), root, proof)
        assert not grown(old, size, before, flip(root, bit), proof)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_proof_holds_for_one_index_and_a_root_for_one_size(data):
    size = data.draw(SIZES)
    index, other = data.draw(st.integers(0, size - 1)), data.draw(st.integers(0, size + 5))
    found = merkle.inclusion_path(index, size, node)
    root = DEFINED.mth(0, size)
    assert included(other, size, LEAVES[index], found, root) == (index == other)
    another = data.draw(SIZES)
    leads = included(index, another, LEAVES[index], found, DEFINED.mth(0, another))
    assert leads == (another == size)


@settings(max_examples=200, deadline=None)
@given(SIZES, SIZES, SIZES, SIZES)
def test_a_consistency_proof_holds_for_its_two_trees_only(old, new, other_old, other_new):
    old, new = sorted((old, new))
    path = merkle.consistency_path(old, new, node)
    roots = DEFINED.mth(0, other_old), DEFINED.mth(0, other_new)
    holds = grown(other_old, other_new, *roots, path)
    if (other_old, other_new) == (old, new):
        assert holds
    elif old != new or other_old != other_new:  # a tree is consistent with itself by an empty proof
        assert not holds


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 400), max_size=6))
def test_the_edge_grows_the_same_tree_in_any_steps(steps):
    edge, leaves = Edge(), []
    for step in steps:
        more = [merkle.leaf_hash(b"%d" % (len(leaves) + place)) for place in range(step)]
        edge.append(more)
        leaves += more
        assert (edge.size, edge.root()) == (len(leaves), merkle.root(leaves))
