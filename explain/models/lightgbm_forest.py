"""The shape of a LightGBM file's trees, checked node by node, and their common form.

Children lie inside their own tree and every node is reached exactly once from its root (so there is no
cycle), features inside the model, leaves are finite, each bit set belongs to one split.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explain.errors import ModelCorrupt, ModelUnsupported
from explain.models.ensemble import (
    BELOW_ZERO,
    LEAF,
    MISSING_NAN,
    MISSING_NONE,
    MISSING_ZERO,
    NUMERIC,
    ZERO_WINDOW,
    TreeEnsemble,
)
from explain.models.lightgbm_text import Ints, Reals
from explain.models.lightgbm_trees import (
    CATEGORICAL,
    DEFAULT_LEFT,
    LARGEST_DECISION,
    MISSING_SHIFT,
    RawTree,
)

DEPTH_LIMIT = 1024
MISSING_KINDS = np.array([MISSING_NONE, MISSING_ZERO, MISSING_NAN], dtype=np.uint8)  # by the file's number

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Forest:
    """All nodes of all trees, each tree's inner nodes first, with node numbers of the whole file.

    `order` lists all nodes, parents first. `set_start` and `set_size` say where a categorical split's words
    lie in `words`; elsewhere they are NUMERIC and 0. `cover` is empty where the file's counts do not add up.
    """

    offsets: Ints
    left: Ints
    right: Ints
    feature: Ints
    threshold: Reals
    decision: Ints
    value: Reals
    cover: Reals
    set_start: Ints
    set_size: Ints
    words: NDArray[np.uint32]
    order: Ints

    @property
    def tree_count(self) -> int:
        """How many trees the file holds."""
        return len(self.offsets) - 1

    def largest_codes(self) -> dict[int, int]:
        """Return the largest category code that any split on each feature lists."""
        largest: dict[int, int] = {}
        for node in np.flatnonzero(self.set_start != NUMERIC).tolist():
            start, size = int(self.set_start[node]), int(self.set_size[node])
            used = np.flatnonzero(self.words[start : start + size])
            if len(used):
                last = int(used[-1])
                code = 32 * last + int(self.words[start + last]).bit_length() - 1
                feature = int(self.feature[node])
                largest[feature] = max(largest.get(feature, 0), code)
        return largest

    def missing_kinds(self) -> frozenset[int]:
        """Return what counts as missing at some numeric split."""
        numeric = (self.left != LEAF) & (self.set_start == NUMERIC)
        return frozenset(MISSING_KINDS[self.decision[numeric] >> MISSING_SHIFT].tolist())

    def ensemble(self, n_features: int, outputs: int, *, averaged: bool) -> TreeEnsemble:
        """Give the trees in the common form, nodes numbered parents first.

        Tree t adds to output t mod `outputs`; averaged, each leaf is divided by the number of rounds.
        """
        order = self.order
        renumbered = np.full(len(order) + 1, LEAF, dtype=np.int32)  # the last entry catches LEAF
        renumbered[order] = np.arange(len(order), dtype=np.int32)
        inner = (self.left != LEAF)[order]
        numeric = inner & (self.set_start[order] == NUMERIC)
        missing = MISSING_KINDS[np.where(numeric, self.decision[order] >> MISSING_SHIFT, 2)]
        share = self.tree_count // outputs if averaged else 1
        return TreeEnsemble(
            offsets=self.offsets,
            left=renumbered[self.left[order]],
            right=renumbered[self.right[order]],
            feature=self.feature[order].astype(np.int32),
            threshold=np.where(numeric, _effective(self.threshold[order]), np.nan),
            missing=missing,
            default_left=numeric & (self.decision[order] & DEFAULT_LEFT > 0),
            value=self.value[order] / share,
            cover=self.cover[order] if len(self.cover) else self.cover,
            category_start=self.set_start[order],
            category_size=self.set_size[order],
            category_words=self.words,
            tree_output=(np.arange(self.tree_count) % outputs).astype(np.int32),
            base_margins=np.zeros(outputs),
            n_features=n_features,
            comparison="<=",
            listed_goes="left",
            input_width=64,
            float_width=64,
        )


def _effective(thresholds: Reals) -> Reals:
    """Return thresholds that split raw numbers as the library splits them.

    The library takes every number in [-ZERO_WINDOW, ZERO_WINDOW] for 0 before it compares (c_api.cpp, rows of
    dense matrices), so thresholds in there split at the window's edges. They are common: zero has a bin of
    its own between thresholds of -ZERO_WINDOW and ZERO_WINDOW.
    """
    below = (thresholds >= -ZERO_WINDOW) & (thresholds < 0.0)
    above = (thresholds >= 0.0) & (thresholds <= ZERO_WINDOW)
    return np.where(below, BELOW_ZERO, np.where(above, ZERO_WINDOW, thresholds))


def build_forest(trees: list[RawTree], n_features: int) -> Forest:
    """Check every tree and join them."""
    leaves = np.array([tree.leaves for tree in trees], dtype=np.int64)
    offsets = np.concatenate([[0], np.cumsum(2 * leaves - 1)]).astype(np.int64)
    tree_of = np.repeat(np.arange(len(trees)), 2 * leaves - 1)
    inner = np.arange(offsets[-1]) - offsets[tree_of] < (leaves - 1)[tree_of]
    left, right = (
        _children([getattr(tree, side) for tree in trees], leaves, offsets, inner)
        for side in ("left", "right")
    )
    feature = _scattered([tree.feature for tree in trees], inner, LEAF)
    decision = _scattered([tree.decision for tree in trees], inner, 0)
    threshold = _scattered_reals([tree.threshold for tree in trees], inner)
    value = _scattered_reals([tree.value for tree in trees], ~inner)
    fault = _Fault(tree_of, offsets)
    fault.check(
        (feature < LEAF) | (feature >= n_features) | (inner & (feature < 0)),
        "splits on a feature out of range",
    )
    fault.check((decision < 0) | (decision > LARGEST_DECISION), "has an unknown decision_type")
    # Infinity sends every number left, to tell only what is missing from the rest.
    fault.check(inner & ~(threshold > -np.inf), "has a threshold that is no number")
    fault.check(~inner & ~np.isfinite(value), "has a leaf value that is not finite")
    order = _walk(offsets, left, right, fault)
    starts, sizes, words = _sets(trees, inner & (decision & CATEGORICAL > 0), threshold, fault)
    return Forest(
        offsets=offsets,
        left=left,
        right=right,
        feature=feature,
        threshold=threshold,
        decision=decision,
        value=np.where(inner, 0.0, value),
        cover=_covers(trees, inner, left, right),
        set_start=starts,
        set_size=sizes,
        words=words,
        order=order,
    )


@dataclass(frozen=True, slots=True)
class _Fault:
    """Names a broken node by its tree and its number there."""

    tree_of: Ints
    offsets: Ints

    def check(self, broken: Mask, what: str) -> None:
        """Raise for the first broken node."""
        if np.any(broken):
            node = int(np.argmax(broken))
            tree = int(self.tree_of[node])
            raise ModelCorrupt(f"tree {tree}: node {node - int(self.offsets[tree])} {what}")


def _scattered(columns: list[Ints], where: Mask, elsewhere: int) -> Ints:
    """Put one entry per inner node (or leaf) in its place among all nodes."""
    everywhere = np.full(len(where), elsewhere, dtype=np.int64)
    everywhere[where] = np.concatenate(columns)
    return everywhere


def _scattered_reals(columns: list[Reals], where: Mask) -> Reals:
    everywhere = np.full(len(where), np.nan)
    everywhere[where] = np.concatenate(columns)
    return everywhere


def _children(columns: list[Ints], leaves: Ints, offsets: Ints, inner: Mask) -> Ints:
    """Turn children as written into node numbers of the whole file, LEAF below a leaf."""
    for number, column in enumerate(columns):
        count = int(leaves[number])
        if np.any((column >= count - 1) | (column == 0) | (column < -count)):
            raise ModelCorrupt(f"tree {number}: a node has a child out of range")
    moved = [
        np.where(column >= 0, column, count - 2 - column) + offset
        for column, count, offset in zip(columns, leaves, offsets[:-1], strict=True)
    ]
    return _scattered(moved, inner, LEAF)


def _walk(offsets: Ints, left: Ints, right: Ints, fault: _Fault) -> Ints:
    """Return all nodes, grouped by tree, parents first and siblings together; each is reached once.

    A node claimed at most once, and no root at all, cannot be walked in a circle.
    """
    parents = left != LEAF
    claims = np.bincount(np.concatenate([left[parents], right[parents]]), minlength=len(left))
    fault.check(claims > 1, "is the child of several nodes")
    levels, level = [], offsets[:-1]
    while len(level):
        levels.append(level)
        if len(levels) > DEPTH_LIMIT + 1:
            raise ModelUnsupported(f"trees deeper than {DEPTH_LIMIT} levels")
        forks = level[parents[level]]
        level = np.stack([left[forks], right[forks]], axis=1).ravel()
    reached = np.concatenate(levels)
    lost = np.ones(len(left), dtype=np.bool_)
    lost[reached] = False
    fault.check(lost, "is never reached from the root")
    return reached[np.argsort(np.searchsorted(offsets, reached, side="right"), kind="stable")]


def _sets(
    trees: list[RawTree], categorical: Mask, threshold: Reals, fault: _Fault
) -> tuple[Ints, Ints, NDArray[np.uint32]]:
    """Find each categorical split's words; within a tree each set belongs to exactly one split."""
    nodes = np.flatnonzero(categorical)
    tree_of = fault.tree_of[nodes]
    counts = np.array([len(tree.boundaries) - 1 for tree in trees], dtype=np.int64)
    numbers = threshold[nodes]
    wrong = np.zeros(len(categorical), dtype=np.bool_)
    wrong[nodes] = (numbers != np.floor(numbers)) | (numbers < 0) | (numbers >= counts[tree_of])
    fault.check(wrong, "names a category set out of range")
    first_set = np.concatenate([[0], np.cumsum(counts)])
    own = first_set[tree_of] + numbers.astype(np.int64)
    if len(own) != first_set[-1] or len(np.unique(own)) != len(own):
        raise ModelCorrupt("a category set belongs to no split or to several")
    first_word = np.concatenate([[0], np.cumsum([len(tree.words) for tree in trees])])
    starts_of_sets = np.concatenate(
        [tree.boundaries[:-1] + word for tree, word in zip(trees, first_word, strict=False)]
    ).astype(np.int64)
    sizes_of_sets = np.concatenate([np.diff(tree.boundaries) for tree in trees]).astype(np.int64)
    starts = np.full(len(categorical), NUMERIC, dtype=np.int64)
    sizes = np.zeros(len(categorical), dtype=np.int64)
    starts[nodes], sizes[nodes] = starts_of_sets[own], sizes_of_sets[own]
    return starts, sizes, np.concatenate([tree.words for tree in trees]).astype(np.uint32)


def _covers(trees: list[RawTree], inner: Mask, left: Ints, right: Ints) -> Reals:
    """Return how many training rows reached each node, as the library's own path-dependent values weigh.

    Nothing at all where a tree does not say, or where a node's count is not its children's sum (files of
    distributed training estimate it): then there is no distribution to speak of.
    """
    if any(len(tree.leaf_count) != tree.leaves for tree in trees if tree.leaves > 1):
        return np.zeros(0)
    if any(len(tree.internal_count) != tree.leaves - 1 for tree in trees):
        return np.zeros(0)
    counts = np.zeros(len(inner), dtype=np.int64)
    counts[inner] = np.concatenate([tree.internal_count for tree in trees])
    counts[~inner] = np.concatenate(
        [tree.leaf_count if len(tree.leaf_count) else np.zeros(1, dtype=np.int64) for tree in trees]
    )
    sums = counts[left[inner]] + counts[right[inner]]
    if np.any(counts < 0) or np.any(counts[inner] != sums) or np.any(counts[inner] < 1):
        return np.zeros(0)
    return counts.astype(np.float64)
