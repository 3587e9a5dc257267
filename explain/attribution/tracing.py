"""Tracing trees: preorder, the slots along each path, the height of each node."""

from __future__ import annotations

import numpy as np

from explain.attribution.compiling import compiled
from explain.attribution.structures import Ints, Small, Traced
from explain.models.ensemble import LEAF, TreeEnsemble


def trace(trees: TreeEnsemble, column: Small, cut: Small) -> Traced:
    """Bring all nodes into preorder and find each one's slot; the trees of one output stand together."""
    by_output = np.argsort(trees.tree_output, kind="stable")
    offsets = np.concatenate([[0], np.cumsum(np.diff(trees.offsets)[by_output])]).astype(np.int64)
    roots = trees.offsets[:-1][by_output]
    origin, parent, left, right = in_preorder(roots, offsets, trees.left.copy(), trees.right.copy())
    feature = trees.feature[origin]
    slots, slot = find_slots(parent, left, feature)
    height, deepest = climb(parent, left, slots)
    return Traced(
        offsets=offsets,
        parent=parent,
        left=left,
        right=right,
        feature=feature,
        slots=slots,
        slot=slot,
        height=height,
        deepest=deepest,
        column=column[origin],
        cut=cut[origin],
        value=trees.value[origin],
    )


@compiled
def in_preorder(roots: Ints, offsets: Ints, left: Small, right: Small) -> tuple[Ints, Small, Small, Small]:
    """Return per place in preorder the node's number, and its parent's and children's places."""
    n = len(left)
    origin, parent = np.zeros(n, np.int64), np.full(n, -1, np.int32)
    new_left, new_right = np.full(n, -1, np.int32), np.full(n, -1, np.int32)
    nodes, parents = np.zeros(n + 1, np.int64), np.zeros(n + 1, np.int64)
    for t in range(len(roots)):
        place, waiting = offsets[t], 1
        nodes[0], parents[0] = roots[t], -1
        while waiting:
            waiting -= 1
            node, above = nodes[waiting], parents[waiting]
            origin[place], parent[place] = node, above
            if above >= 0:
                if new_left[above] < 0:  # the left child is always met first
                    new_left[above] = place
                else:
                    new_right[above] = place
            if left[node] != LEAF:
                nodes[waiting], parents[waiting] = right[node], place
                nodes[waiting + 1], parents[waiting + 1] = left[node], place
                waiting += 2
            place += 1
    return origin, parent, new_left, new_right


@compiled
def find_slots(parent: Small, left: Small, feature: Small) -> tuple[Small, Small]:
    """Return per node how many distinct features the path above has, and the slot of its own feature."""
    n = len(parent)
    slots, slot = np.zeros(n, np.int32), np.zeros(n, np.int32)
    for i in range(n):
        above = parent[i]
        if above >= 0:
            slots[i] = slots[above] + np.int32(slot[above] == slots[above])
        slot[i] = slots[i]
        if left[i] >= 0:
            while above >= 0:
                if feature[above] == feature[i]:
                    slot[i] = slot[above]
                    break
                above = parent[above]
    return slots, slot


@compiled
def climb(parent: Small, left: Small, slots: Small) -> tuple[Small, Small]:
    """Return per node its height above its lowest leaf and the most slots of any leaf below it."""
    n = len(parent)
    height, deepest = np.zeros(n, np.int32), np.zeros(n, np.int32)
    for i in range(n - 1, -1, -1):
        if left[i] < 0:
            deepest[i] = slots[i]
        above = parent[i]
        if above >= 0:
            height[above] = max(height[above], height[i] + 1)
            deepest[above] = max(deepest[above], deepest[i])
    return height, deepest
