"""The compiled kernel: interventional Shapley values of tree ensembles over a whole reference at once.

A leaf of value v on a path with slots 1..k is, against one reference row z, the game v * [every slot is
satisfied by the row it is taken from]. With A the slots that z alone violates and B those that the explained row x
alone violates (a slot violated by both makes the leaf unreachable), a = |A|, b = |B|, its Shapley values are

    +v (a-1)! b! / (a+b)!   for each slot in A,      -v a! (b-1)! / (a+b)!   for each slot in B

(Lundberg et al. 2020, Algorithm 3). They depend on z only through its mask, so the reference is reduced once to
counts per mask. All sums are float64, in one fixed order.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from explain.attribution.compiling import compiled
from explain.attribution.structures import Ints, Listed, Nodes, Prepared, Reals

MASK_BITS = 63


@compiled
def goes_right(nodes: Nodes, i: int, x: float) -> bool:
    """Tell which side of node i a value takes."""
    if x != x:  # NaN  # noqa: PLR0124
        return not nodes.default_left[i]
    start = nodes.category_start[i]
    if start < 0:
        return not x < nodes.threshold[i]
    code = int(x)
    word = code >> 5
    listed = False
    if 0 <= word < nodes.category_size[i]:
        listed = (nodes.category_words[start + word] >> np.uint32(code & 31)) & np.uint32(1) != 0
    return listed != nodes.listed_left[0]


@compiled
def walk(nodes: Nodes, tree: int, x: Reals, masks: Ints, sides: Ints) -> None:
    """Fill in, for each node of a tree, the mask of violated slots above it and the side taken at it."""
    first = nodes.offsets[tree]
    masks[0] = 0
    for i in range(nodes.offsets[tree + 1] - first):
        node = first + i
        right = np.int64(goes_right(nodes, node, x[nodes.feature[node]]))
        bit = min(np.int64(nodes.slot[node]), MASK_BITS - 1)  # only masks of few slots are read
        sides[i] = right
        masks[nodes.left[node]] = masks[i] | (right << bit)
        masks[nodes.right[node]] = masks[i] | ((1 - right) << bit)


@compiled
def widest_tree(nodes: Nodes) -> int:
    """Return the number of inner nodes of the largest tree."""
    widest = 0
    for t in range(len(nodes.offsets) - 1):
        widest = max(widest, nodes.offsets[t + 1] - nodes.offsets[t])
    return widest


@compiled
def add_state(
    nodes: Nodes, node: int, prepared: Prepared, counts: NDArray[np.uint32], state: int, out: Reals
) -> None:
    """Add a unit's contributions in one state of the explained row to `out`, indexed by slot.

    `counts` are the unit's own, one per state of the reference; `out` has one entry per slot of the path and,
    where the unit opens a slot, one more.
    """
    k = nodes.slots[node]
    mask, side = state >> 1, state & 1
    free = ((1 << k) - 1) & ~mask
    other = free
    while True:  # every reference mask that shares no violated slot with the row's
        for other_side in range(2):
            count = counts[2 * other + other_side]
            if count == 0:
                continue
            for leaf_side in range(2):
                if leaf_side == 0 and nodes.left_leaf[node]:
                    value = nodes.left_value[node]
                elif leaf_side == 1 and nodes.right_leaf[node]:
                    value = nodes.right_value[node]
                else:
                    continue
                mine = mask | (np.int64(side != leaf_side) << nodes.slot[node])
                theirs = other | (np.int64(other_side != leaf_side) << nodes.slot[node])
                if mine & theirs:
                    continue
                add_pattern(mine, theirs, k + 1, prepared.weights, value * count / prepared.rows, out)
        if other == 0:
            break
        other = (other - 1) & free


@compiled
def add_pattern(mine: int, theirs: int, bits: int, weights: Reals, value: float, out: Reals) -> None:
    """Add the Shapley values of one leaf against one reference mask."""
    a, b = 0, 0
    for s in range(bits):
        a += (theirs >> s) & 1
        b += (mine >> s) & 1
    for s in range(bits):
        if (theirs >> s) & 1:
            out[s] += value * weights[a, b]
        elif (mine >> s) & 1:
            out[s] -= value * weights[b, a]


@compiled
def explain_rows(nodes: Nodes, prepared: Prepared, listed: Listed, rows: Reals, phi: Reals) -> None:
    """Add each row's Shapley values to `phi`, tree by tree: the same sums whether a row comes alone or not."""
    widest = widest_tree(nodes)
    masks, sides = np.zeros(widest + 1, np.int64), np.zeros(widest + 1, np.int64)
    out = np.zeros(MASK_BITS + 1)
    for t in range(len(nodes.offsets) - 1):
        first = nodes.offsets[t]
        for r in range(len(rows)):
            walk(nodes, t, rows[r], masks, sides)
            for i in range(nodes.offsets[t + 1] - first):
                if prepared.table_at[first + i] >= 0:
                    read_table(nodes, first + i, prepared, masks[i], sides[i], phi[r])
                elif prepared.count_at[first + i] >= 0:
                    sum_states(nodes, first + i, prepared, 2 * masks[i] + sides[i], out, phi[r])
            for leaf in range(listed.offsets[t], listed.offsets[t + 1]):
                sum_patterns(listed, leaf, prepared, sides, phi[r])


@compiled
def read_table(nodes: Nodes, node: int, prepared: Prepared, mask: int, side: int, phi: Reals) -> None:
    """Add a unit's contributions as its table has them."""
    k = nodes.slots[node]
    opens = np.int64(nodes.opens[node])
    length = k + 1 + opens
    position = prepared.table_at[node] + 2 * (mask * length - prepared.ones[mask])
    if side:
        violated, bits = 0, mask
        while bits:
            bits &= bits - 1
            violated += 1
        position += length - violated
    common = prepared.tables[position]
    position += 1
    if opens:
        phi[nodes.feature[node]] += prepared.tables[position]
        position += 1
    path = nodes.path[node]
    for s in range(k):
        violates = (mask >> s) & 1
        phi[nodes.path_feature[path + s]] += common if violates else prepared.tables[position]
        position += 1 - violates


@compiled
def sum_states(nodes: Nodes, node: int, prepared: Prepared, state: int, out: Reals, phi: Reals) -> None:
    """Add a unit's contributions summed over the reference's states."""
    k = nodes.slots[node]
    out[: k + 1] = 0.0
    add_state(nodes, node, prepared, prepared.counts[prepared.count_at[node] :], state, out)
    path = nodes.path[node]
    for s in range(k):
        phi[nodes.path_feature[path + s]] += out[s]
    if nodes.opens[node]:
        phi[nodes.feature[node]] += out[k]


@compiled
def sum_patterns(listed: Listed, leaf: int, prepared: Prepared, sides: Ints, phi: Reals) -> None:
    """Add one listed leaf's contributions, summed over its reference patterns."""
    slot_at = listed.slot_at[leaf]
    k = listed.slot_at[leaf + 1] - slot_at
    violates = np.zeros(k, np.bool_)
    for step in range(listed.step_at[leaf], listed.step_at[leaf + 1]):
        if (sides[listed.step_node[step]] != 0) != listed.step_right[step]:
            violates[listed.step_slot[step]] = True
    mine = np.zeros(listed.pattern_words.shape[1], np.uint64)
    b = 0
    for s in range(k):
        if violates[s]:
            mine[s >> 6] |= np.uint64(1) << np.uint64(s & 63)
            b += 1
    lost = 0.0
    for p in range(listed.pattern_at[leaf], listed.pattern_at[leaf + 1]):
        shared = np.uint64(0)
        for w in range(len(mine)):
            shared |= mine[w] & listed.pattern_words[p, w]
        if shared:
            continue
        a = listed.pattern_ones[p]
        value = listed.value[leaf] * listed.pattern_count[p] / prepared.rows
        lost += value * prepared.weights[b, a]
        gain = value * prepared.weights[a, b]
        for s in range(k):
            if (listed.pattern_words[p, s >> 6] >> np.uint64(s & 63)) & np.uint64(1):
                phi[listed.slot_feature[slot_at + s]] += gain
    for s in range(k):
        if violates[s]:
            phi[listed.slot_feature[slot_at + s]] -= lost
