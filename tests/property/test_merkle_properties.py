"""Every proof of every tree up to 300 leaves, against RFC 6962 section 2.1 as it stands there."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit import merkle
from audit.tiles import Edge

LARGEST = 300
ENTRIES = [b"entry %d" % number for number in range(LARGEST)]


def split(size: int) -> int:
    power = 1
    while power * 2 < size:
        power *= 2
    return power


def mth(entries: tuple[bytes, ...], known: dict[tuple[bytes, ...], bytes] = {}) -> bytes:  # noqa: B006 - a memory
    if entries not in known:
        if not entries:
            known[entries] = sha256().digest()
        elif len(entries) == 1:
            known[entries] = sha256(b"\x00" + entries[0]).digest()
        else:
            k = split(len(entries))
            known[entries] = sha256(b"\x01" + mth(entries[:k]) + mth(entries[k:])).digest()
    return known[entries]


def path(m: int, entries: tuple[bytes, ...]) -> list[bytes]:
    if len(entries) == 1:
        return []
    k = split(len(entries))
    if m < k:
        return [*path(m, entries[:k]), mth(entries[k:])]
    return [*path(m - k, entries[k:]), mth(entries[:k])]


def subproof(m: int, entries: tuple[bytes, ...], whole: bool) -> list[bytes]:
    if m == len(entries):
        return [] if whole else [mth(entries)]
    k = split(len(entries))
    if m <= k:
        return [*subproof(m, entries[:k], whole), mth(entries[k:])]
    return [*subproof(m - k, entries[k:], False), mth(entries[:k])]


LEAVES = [merkle.leaf_hash(entry) for entry in ENTRIES]


def node(level: int, index: int) -> bytes:
    return mth(tuple(ENTRIES[index << level : (index + 1) << level]))


@pytest.mark.parametrize("size", range(1, LARGEST + 1))
def test_every_proof_of_a_tree(size):
    entries = tuple(ENTRIES[:size])
    root = mth(entries)
    assert merkle.root(LEAVES[:size]) == root
    for index in range(size):
        found = merkle.inclusion_path(index, size, node)
        assert found == path(index, entries)
        assert merkle.verify_inclusion(index, size, LEAVES[index], found, root)
    for old in range(1, size + 1):
        found = merkle.consistency_path(old, size, node)
        assert found == subproof(old, entries, True)
        assert merkle.verify_consistency(old, size, mth(entries[:old]), root, found)


SIZES = st.integers(1, LARGEST)


def flip(value: bytes, bit: int) -> bytes:
    return (int.from_bytes(value) ^ 1 << bit).to_bytes(32)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_bit_of_an_inclusion_proof_can_change(data):
    size = data.draw(SIZES)
    index = data.draw(st.integers(0, size - 1))
    parts = [LEAVES[index], mth(tuple(ENTRIES[:size])), *merkle.inclusion_path(index, size, node)]
    place = data.draw(st.integers(0, len(parts) - 1))
    parts[place] = flip(parts[place], data.draw(st.integers(0, 255)))
    assert not merkle.verify_inclusion(index, size, parts[0], parts[2:], parts[1])


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_bit_of_a_consistency_proof_can_change(data):
    new = data.draw(SIZES)
    old = data.draw(st.integers(1, new))
    parts = [mth(tuple(ENTRIES[:old])), mth(tuple(ENTRIES[:new])), *merkle.consistency_path(old, new, node)]
    place = data.draw(st.integers(0, len(parts) - 1))
    parts[place] = flip(parts[place], data.draw(st.integers(0, 255)))
    assert not merkle.verify_consistency(old, new, parts[0], parts[1], parts[2:])


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_proof_holds_for_one_index_only(data):
    size = data.draw(SIZES)
    index, other = data.draw(st.integers(0, size - 1)), data.draw(st.integers(0, size + 5))
    found = merkle.inclusion_path(index, size, node)
    holds = merkle.verify_inclusion(other, size, LEAVES[index], found, mth(tuple(ENTRIES[:size])))
    assert holds == (index == other)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 400), max_size=6))
def test_the_edge_grows_the_same_tree_in_any_steps(steps):
    edge, leaves = Edge(), []
    for step in steps:
        more = [merkle.leaf_hash(b"%d" % (len(leaves) + place)) for place in range(step)]
        edge.append(more)
        leaves += more
        assert (edge.size, edge.root()) == (len(leaves), merkle.root(leaves))
