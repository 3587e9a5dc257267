"""Laying trees out for the kernel: inner nodes, the slots along each path, the states of each unit."""

from __future__ import annotations

import math

import numpy as np

from explain.attribution.kernel_preparation import trace_paths
from explain.attribution.structures import CATEGORICAL, DEFAULT_RIGHT, OPENS, STATE_SLOTS, Ints, Nodes
from explain.models.ensemble import LEAF, NUMERIC, TreeEnsemble

MASK_SLOTS = 62  # later slots share a bit: units that far down are listed and never read their mask


def lay_out(trees: TreeEnsemble) -> Nodes:
    """Lay the inner nodes out for the kernel."""
    inner = trees.left != LEAF
    tree_of = np.repeat(np.arange(trees.tree_count), np.diff(trees.offsets))
    number = np.cumsum(inner) - 1
    offsets = np.concatenate([[0], np.cumsum(np.bincount(tree_of[inner], minlength=trees.tree_count))])
    first, size = offsets[:-1][tree_of[inner]], np.diff(offsets)[tree_of[inner]]
    left, right = trees.left[inner], trees.right[inner]
    left_leaf, right_leaf = trees.left[left] == LEAF, trees.left[right] == LEAF
    threshold = trees.threshold[inner]
    if trees.comparison == "<=":
        threshold = np.nextafter(threshold, np.inf)  # x <= t is x < next(t)
    local_left = np.where(left_leaf, size, number[left] - first).astype(np.int32)
    local_right = np.where(right_leaf, size, number[right] - first).astype(np.int32)
    feature = trees.feature[inner].astype(np.int32)
    above, slots, slot, path, path_feature = trace_paths(
        offsets.astype(np.int64), local_left, local_right, feature
    )
    opens = slot == slots
    categorical = trees.category_start[inner] != NUMERIC
    flags = DEFAULT_RIGHT * ~trees.default_left[inner] + OPENS * opens + CATEGORICAL * categorical
    above = np.maximum(above - first, 0)
    columns = (local_left, local_right, feature, np.minimum(slot, MASK_SLOTS), slots, flags, above, path)
    return Nodes(
        offsets=offsets.astype(np.int64),
        left=local_left,
        right=local_right,
        feature=feature,
        threshold=threshold,
        default_left=trees.default_left[inner],
        category_start=trees.category_start[inner],
        category_size=trees.category_size[inner],
        category_words=trees.category_words,
        listed_left=np.array([trees.listed_goes == "left"]),
        left_leaf=left_leaf,
        right_leaf=right_leaf,
        left_value=np.where(left_leaf, trees.value[left], 0.0),
        right_value=np.where(right_leaf, trees.value[right], 0.0),
        slots=slots,
        slot=slot,
        opens=opens,
        path=path,
        path_feature=path_feature,
        links=np.stack(columns, axis=1).astype(np.int32),
    )


def constant_part(trees: TreeEnsemble) -> float:
    """Return what every row's margin holds: the base margin and the trees that are a single leaf."""
    roots = trees.offsets[:-1]
    return math.fsum([trees.base_margin, *trees.value[roots[trees.left[roots] == LEAF]].tolist()])


def state_counts(nodes: Nodes) -> Ints:
    """Return how many states each node has if it is a unit of few enough slots, 0 otherwise."""
    few = (nodes.left_leaf | nodes.right_leaf) & (nodes.slots + nodes.opens <= STATE_SLOTS)
    states: Ints = np.where(few, np.left_shift(np.int64(2), np.minimum(nodes.slots, STATE_SLOTS)), 0)
    return states


def table_entries(nodes: Nodes) -> Ints:
    """Return how many numbers each node's table has, 0 where `state_counts` is 0.

    A table row, for mask u over k slots, holds one number for all violated slots together, one for each of
    the k - |u| others and one for the slot that the node's own test opens.
    """
    states = state_counts(nodes)
    entries: Ints = states * (1 + nodes.opens) + states // 2 * nodes.slots
    return entries
