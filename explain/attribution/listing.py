"""Leaves whose path has too many distinct features for a table: their reference patterns, one by one.

Such leaves are rare (they lie more than twelve levels deep), so plain numpy prepares them. Masks of any
number of slots are kept as rows of 64-bit words.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from explain.attribution.kernel_preparation import take_sides
from explain.attribution.layout import state_counts
from explain.attribution.structures import Listed, Nodes, Reals
from explain.errors import ModelUnsupported

WORD = 64


class Leaf(NamedTuple):
    """One listed leaf: its steps (node of the tree, whether right, slot), slot features and patterns."""

    value: float
    steps: list[tuple[int, bool, int]]
    features: list[int]
    patterns: NDArray[np.uint64]
    counts: NDArray[np.int64]


def list_leaves(nodes: Nodes, rows: Reals, limit_bytes: int) -> Listed:
    """Collect the listed leaves of all trees; ModelUnsupported if their patterns exceed the limit."""
    units = nodes.left_leaf | nodes.right_leaf
    listed = units & (state_counts(nodes) == 0)
    widest = int((nodes.slots + nodes.opens)[listed].max(initial=1))
    words = -(-widest // WORD)
    leaves: list[Leaf] = []
    offsets = [0]
    used = 0
    for tree in range(len(nodes.offsets) - 1):
        if listed[nodes.offsets[tree] : nodes.offsets[tree + 1]].any():
            for leaf in _leaves_of_tree(nodes, tree, listed, take_sides(nodes, tree, rows), words):
                leaves.append(leaf)
                used += leaf.patterns.nbytes + leaf.counts.nbytes
                if used > limit_bytes:
                    raise ModelUnsupported(
                        f"patterns of deep leaves above the memory cap of {limit_bytes} bytes"
                    )
        offsets.append(len(leaves))
    return _pack(leaves, offsets, words)


def _leaves_of_tree(
    nodes: Nodes, tree: int, listed: NDArray[np.bool_], sides: NDArray[np.bool_], words: int
) -> Iterator[Leaf]:
    """Walk one tree and yield its listed leaves with the reference's patterns at them."""
    first, end = int(nodes.offsets[tree]), int(nodes.offsets[tree + 1])
    stack: list[tuple[int, list[tuple[int, bool, int]]]] = [(0, [])]
    while stack:
        i, path = stack.pop()
        node = first + i
        for right in (True, False):
            child = int((nodes.right if right else nodes.left)[node])
            steps = [*path, (i, right, int(nodes.slot[node]))]
            if first + child < end:
                stack.append((child, steps))
            elif listed[node]:
                value = float((nodes.right_value if right else nodes.left_value)[node])
                features = {slot: int(nodes.feature[first + i]) for i, _, slot in steps}
                patterns, counts = _patterns(steps, sides, words)
                yield Leaf(value, steps, [features[slot] for slot in range(len(features))], patterns, counts)


def _patterns(
    steps: list[tuple[int, bool, int]], sides: NDArray[np.bool_], words: int
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Return the distinct masks of violated slots among the reference rows, and how many rows have each."""
    violated = np.zeros((len(sides), words * WORD), dtype=np.bool_)
    for i, right, slot in steps:
        violated[:, slot] |= sides[:, i] != right
    masks = np.packbits(violated, axis=1, bitorder="little").view("<u8").astype(np.uint64)
    patterns, counts = np.unique(masks, axis=0, return_counts=True)
    return patterns, counts.astype(np.int64)


def _pack(leaves: list[Leaf], offsets: list[int], words: int) -> Listed:
    """Lay the leaves out in flat arrays for the kernel."""
    steps = [step for leaf in leaves for step in leaf.steps]
    patterns = np.concatenate([np.zeros((0, words), np.uint64), *(leaf.patterns for leaf in leaves)])
    return Listed(
        offsets=np.array(offsets, dtype=np.int64),
        value=np.array([leaf.value for leaf in leaves], dtype=np.float64),
        step_at=_starts([len(leaf.steps) for leaf in leaves]),
        step_node=np.array([step[0] for step in steps], dtype=np.int32),
        step_right=np.array([step[1] for step in steps], dtype=np.bool_),
        step_slot=np.array([step[2] for step in steps], dtype=np.int32),
        slot_at=_starts([len(leaf.features) for leaf in leaves]),
        slot_feature=np.array([feature for leaf in leaves for feature in leaf.features], dtype=np.int32),
        pattern_at=_starts([len(leaf.patterns) for leaf in leaves]),
        pattern_words=patterns,
        pattern_ones=np.bitwise_count(patterns).sum(axis=1).astype(np.int64),
        pattern_count=np.concatenate([np.zeros(0, np.int64), *(leaf.counts for leaf in leaves)]),
    )


def _starts(lengths: list[int]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
