"""The Merkle tree of RFC 6962, section 2.1: hashes, roots, proofs and their verification. Pure.

A node `(level, index)` is the root of the perfect subtree over the 2**level leaves from index * 2**level.
Proof builders ask for such nodes only, so they work on anything that can answer (a list, tiles, a database).
Verification follows RFC 9162, sections 2.1.3.2 and 2.1.4.2, which verify the proofs that RFC 6962 defines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256

from audit.errors import MalformedProof

NodeLookup = Callable[[int, int], bytes]

HASH_SIZE = 32
EMPTY_ROOT = sha256(b"").digest()


def leaf_hash(entry: bytes) -> bytes:
    """Return SHA-256(0x00 || entry)."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return SHA-256(0x01 || left || right)."""
    return sha256(b"\x01" + left + right).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """Return the tree hash over leaf hashes (MTH of section 2.1)."""
    return fold(peaks(leaves)) if leaves else EMPTY_ROOT


def peaks(leaves: Iterable[bytes]) -> list[bytes]:
    """Return the roots of the perfect subtrees that the leaves fall into, largest first."""
    stack: list[bytes] = []
    for count, leaf in enumerate(leaves):
        joined, carry = leaf, count
        while carry & 1:
            joined = node_hash(stack.pop(), joined)
            carry >>= 1
        stack.append(joined)
    return stack


def fold(hashes: Sequence[bytes]) -> bytes:
    """Join the perfect subtrees of one tree, given largest first, into its root."""
    result = hashes[-1]
    for left in reversed(hashes[:-1]):
        result = node_hash(left, result)
    return result


def range_root(start: int, end: int, node: NodeLookup) -> bytes:
    """Return the root over leaves [start, end), where start is aligned as in any RFC 6962 subtree."""
    hashes = []
    while start < end:
        level = (end - start).bit_length() - 1
        hashes.append(node(level, start >> level))
        start += 1 << level
    return fold(hashes)


def split(size: int) -> int:
    """Return the largest power of two smaller than size (k of section 2.1)."""
    return 1 << (size - 1).bit_length() - 1


def inclusion_path(index: int, size: int, node: NodeLookup) -> list[bytes]:
    """Return PATH(index, D[size]) of section 2.1.1, the leaf's sibling first."""
    if not 0 <= index < size:
        raise MalformedProof(f"index {index} is not in a tree of {size}")
    path = []
    start, end = 0, size
    while end - start > 1:
        middle = start + split(end - start)
        if index < middle:
            path.append(range_root(middle, end, node))
            end = middle
        else:
            path.append(range_root(start, middle, node))
            start = middle
    return path[::-1]


def consistency_path(old: int, new: int, node: NodeLookup) -> list[bytes]:
    """Return PROOF(old, D[new]) of section 2.1.2."""
    if not 0 < old <= new:
        raise MalformedProof(f"no consistency proof from {old} to {new}")
    path = []
    start, end, whole = 0, new, True
    while old != end:
        middle = start + split(end - start)
        if old <= middle:
            path.append(range_root(middle, end, node))
            end = middle
        else:
            path.append(range_root(start, middle, node))
            start, whole = middle, False
    if not whole:
        path.append(range_root(start, end, node))
    return path[::-1]


def verify_inclusion(index: int, size: int, leaf: bytes, path: Sequence[bytes], expected_root: bytes) -> bool:
    """Tell whether the path leads from this leaf at this index to the root."""
    if not 0 <= index < size or not _hashes((leaf, expected_root, *path)):
        return False
    position, last, result = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return False
        if position & 1 or position == last:
            result = node_hash(sibling, result)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            result = node_hash(result, sibling)
        position, last = position >> 1, last >> 1
    return last == 0 and result == expected_root


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]) -> bool:
    """Tell whether the tree of size old is a prefix of the tree of size new."""
    if not 0 < old <= new or not _hashes((old_root, new_root, *path)):
        return False
    if old == new:
        return not path and old_root == new_root
    if old & (old - 1) == 0:
        path = (old_root, *path)
    if not path:
        return False
    position, last = old - 1, new - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    old_result = new_result = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if position & 1 or position == last:
            old_result = node_hash(sibling, old_result)
            new_result = node_hash(sibling, new_result)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            new_result = node_hash(new_result, sibling)
        position, last = position >> 1, last >> 1
    return last == 0 and old_result == old_root and new_result == new_root


def _hashes(values: Iterable[bytes]) -> bool:
    return all(len(value) == HASH_SIZE for value in values)
