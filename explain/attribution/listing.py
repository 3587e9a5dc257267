"""Leaves without a table: the reference's patterns, one by one.

These are the leaves with more slots than a table can hold, and those of bottoms that the memory cap leaves no
room for. Masks of any number of slots are kept as 32-bit words.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from explain.attribution.kernel_listed import WORD
from explain.attribution.structures import Ints, Listed, Reals, Traced, Words


class Leaf(NamedTuple):
    """One listed leaf: its steps (column, cut, whether right, slot), slot features and patterns."""

    node: int
    value: float
    steps: list[tuple[int, int, bool, int]]
    features: list[int]
    patterns: Words  # shape (patterns, words + 1): masks, counts


def list_leaf(traced: Traced, leaf: int, ranks: Words) -> Leaf:
    """List one leaf; `ranks` are the reference's."""
    steps: list[tuple[int, int, bool, int]] = []
    features: dict[int, int] = {}
    node = leaf
    while traced.parent[node] >= 0:
        above = int(traced.parent[node])
        slot = int(traced.slot[above])
        right = bool(traced.right[above] == node)
        steps.append((int(traced.column[above]), int(traced.cut[above]), right, slot))
        features[slot] = int(traced.feature[above])
        node = above
    patterns = _patterns(steps, len(features), ranks)
    ordered = [features[slot] for slot in range(len(features))]
    return Leaf(leaf, float(traced.value[leaf]), steps, ordered, patterns)


def leaves_below(traced: Traced, top: int) -> list[int]:
    """Return the leaves of a small subtree, left to right."""
    if traced.height[top] == 0:
        return [top]
    children = int(traced.left[top]), int(traced.right[top])
    return [leaf for child in children for leaf in leaves_below(traced, child)]


def _patterns(steps: list[tuple[int, int, bool, int]], slots: int, ranks: Words) -> Words:
    """Return the distinct masks of violated slots among the reference rows, and how many rows have each."""
    violated = np.zeros((len(ranks), -(-slots // WORD) * WORD), dtype=np.bool_)
    for column, cut, right, slot in steps:
        violated[:, slot] |= (ranks[:, column] >= cut) != right
    masks = np.packbits(violated, axis=1, bitorder="little").view("<u4").astype(np.uint32)
    if masks.shape[1] == 1:  # sorting plain numbers is ten times faster than sorting rows
        single, counts = np.unique(masks[:, 0], return_counts=True)
        return np.stack([single, counts], axis=1).astype(np.uint32)
    distinct, counts = np.unique(masks, axis=0, return_counts=True)
    return np.concatenate([distinct, counts[:, np.newaxis]], axis=1).astype(np.uint32)


def pack(traced: Traced, leaves: list[Leaf], rows: int, weights: Reals) -> Listed:
    """Lay the leaves out in flat arrays for the kernel."""
    leaves = sorted(leaves, key=lambda leaf: leaf.node)
    steps = [step for leaf in leaves for step in leaf.steps]
    nodes = np.array([leaf.node for leaf in leaves], dtype=np.int64)
    return Listed(
        offsets=np.searchsorted(nodes, traced.offsets).astype(np.int64),
        value=np.array([leaf.value / rows for leaf in leaves], dtype=np.float64),
        step_at=_starts([len(leaf.steps) for leaf in leaves]),
        step_column=np.array([step[0] for step in steps], dtype=np.uint32),
        step_cut=np.array([step[1] for step in steps], dtype=np.uint32),
        step_right=np.array([step[2] for step in steps], dtype=np.bool_),
        step_slot=np.array([step[3] for step in steps], dtype=np.uint32),
        slot_at=_starts([len(leaf.features) for leaf in leaves]),
        slot_feature=np.array([feature for leaf in leaves for feature in leaf.features], dtype=np.uint32),
        pattern_at=_starts([leaf.patterns.size for leaf in leaves]),
        patterns=np.concatenate([np.zeros(0, np.uint32), *(leaf.patterns.ravel() for leaf in leaves)]),
        weights=weights,
    )


def _starts(lengths: list[int]) -> Ints:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
