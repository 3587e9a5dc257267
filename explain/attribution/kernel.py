"""The compiled kernel: interventional Shapley values of tree ensembles over a whole reference at once.

A leaf of value v on a path with slots 1..k is, against one reference row z, the game v * [every slot is
satisfied by the row it is taken from]. With A the slots that z alone violates and B those that the explained
row x alone violates (a slot violated by both makes the leaf unreachable), a = |A|, b = |B|, its values are

    +v (a-1)! b! / (a+b)!   for each slot in A,      -v a! (b-1)! / (a+b)!   for each slot in B

(Lundberg et al. 2020, Algorithm 3). They depend on z only through its mask, so the reference is reduced once
to counts per mask. All sums are float64, in one fixed order.

Compiled functions take positional arguments only, what is passed per node costs more than the node, and a
loop over an array compiles in a tenth of the time of numpy's own slices.
"""

# ruff: noqa: PLR0917

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from explain.attribution.compiling import compiled
from explain.attribution.structures import (
    ABOVE,
    CATEGORICAL,
    DEFAULT_RIGHT,
    FEATURE,
    FLAGS,
    LEFT,
    OPENS,
    PATH,
    RIGHT,
    SLOT,
    SLOTS,
    Ints,
    Listed,
    Nodes,
    Prepared,
    Reals,
)


@compiled
def listed_right(nodes: Nodes, node: int, x: float) -> bool:
    """Tell whether a category code goes right at a categorical split."""
    code = int(x)
    word = code >> 5
    listed = False
    if 0 <= word < nodes.category_size[node]:
        bit = np.uint32(1) << np.uint32(code & 31)
        listed = nodes.category_words[nodes.category_start[node] + word] & bit != 0
    return bool(listed != nodes.listed_left[0])


@compiled
def walk(nodes: Nodes, tree: int, x: Reals, masks: Ints, sides: Ints) -> None:
    """Fill in, for each node of a tree, the mask of violated slots above it and the side taken at it."""
    links, thresholds = nodes.links, nodes.threshold
    first = nodes.offsets[tree]
    masks[0] = 0
    for i in range(nodes.offsets[tree + 1] - first):
        node = first + i
        value = x[links[node, FEATURE]]
        flags = links[node, FLAGS]
        missing = value != value  # noqa: PLR0124  NaN alone differs from itself
        if flags & CATEGORICAL and not missing:
            right = np.int64(listed_right(nodes, node, value))
        else:
            right = np.int64((value >= thresholds[node]) | (missing & (flags & DEFAULT_RIGHT != 0)))
        sides[i] = right
        bit = links[node, SLOT]
        masks[links[node, LEFT]] = masks[i] | (right << bit)
        masks[links[node, RIGHT]] = masks[i] | ((1 - right) << bit)


@compiled
def widest_tree(nodes: Nodes) -> int:
    """Return the number of inner nodes of the largest tree."""
    widest = 0
    for t in range(len(nodes.offsets) - 1):
        widest = max(widest, nodes.offsets[t + 1] - nodes.offsets[t])
    return widest


@compiled
def explain_rows(nodes: Nodes, prepared: Prepared, listed: Listed, rows: Reals, phi: Reals) -> None:
    """Add each row's Shapley values to `phi`, tree by tree: the same sums for a row alone or among others."""
    widest = widest_tree(nodes)
    masks, sides = np.zeros(widest + 1, np.int64), np.zeros(widest + 1, np.int64)
    places, passed, out = np.zeros(widest + 1, np.int64), np.zeros(widest + 1), np.zeros(64)
    for t in range(len(nodes.offsets) - 1):
        for r in range(len(rows)):
            walk(nodes, t, rows[r], masks, sides)
            collect(nodes, prepared, t, masks, sides, places, passed, out, phi[r])
            for leaf in range(listed.offsets[t], listed.offsets[t + 1]):
                sum_patterns(listed, leaf, prepared, sides, phi[r])


@compiled
def collect(  # noqa: PLR0913
    nodes: Nodes,
    prepared: Prepared,
    tree: int,
    masks: Ints,
    sides: Ints,
    places: Ints,
    passed: Reals,
    out: Reals,
    phi: Reals,
) -> None:
    """Add the contributions of one tree's units, children first.

    What a unit takes from its violated slots is the same for each of them: it travels up the path in `passed`
    and is paid to a feature where its slot was first violated.
    """
    links, path_feature = nodes.links, nodes.path_feature
    tables, ones, bits = prepared.tables, prepared.ones, prepared.bits
    first = nodes.offsets[tree]
    look_up(nodes, prepared, tree, masks, sides, places, passed)
    for i in range(nodes.offsets[tree + 1] - first - 1, -1, -1):
        node = first + i
        mask = masks[i]
        common = passed[i]
        at = places[i]
        if at >= 0:
            free = ((1 << links[node, SLOTS]) - 1) & ~mask
            if links[node, FLAGS] & OPENS:
                at += 1
                phi[links[node, FEATURE]] += tables[at]
            path = links[node, PATH]
            for p in range(ones[free], ones[free + 1]):
                at += 1
                phi[path_feature[path + bits[p]]] += tables[at]
        elif prepared.count_at[node] >= 0:
            common += sum_states(nodes, node, prepared, 2 * mask + sides[i], out, phi)
        if i > 0:
            above = links[node, ABOVE]
            passed[above] += common
            if mask != masks[above]:
                phi[links[first + above, FEATURE]] += common


@compiled
def look_up(
    nodes: Nodes, prepared: Prepared, tree: int, masks: Ints, sides: Ints, places: Ints, passed: Reals
) -> None:
    """Find each unit's table row and read its first number, the common one.

    Tables are far larger than the caches. In a loop of its own, whose reads do not wait for each other, the
    memory's latency is paid once for many units instead of once for each.
    """
    links, table_at, tables, ones = nodes.links, prepared.table_at, prepared.tables, prepared.ones
    first = nodes.offsets[tree]
    touched = 0.0
    for i in range(nodes.offsets[tree + 1] - first):
        node = first + i
        at = table_at[node]
        places[i] = at
        passed[i] = 0.0
        if at >= 0:
            mask, opens = masks[i], (links[node, FLAGS] & OPENS) >> 1
            length = links[node, SLOTS] + 1 + opens
            violated = ones[mask + 1] - ones[mask]
            at += 2 * (mask * length - ones[mask]) + sides[i] * (length - violated)
            places[i] = at
            passed[i] = tables[at]
            touched += tables[at + length - violated - 1]
    passed[nodes.offsets[tree + 1] - first] = touched


@compiled
def sum_states(nodes: Nodes, node: int, prepared: Prepared, state: int, out: Reals, phi: Reals) -> float:
    """Add one unit's contributions from its counts; return what each violated slot takes."""
    k = nodes.slots[node]
    free = ((1 << k) - 1) & ~(state >> 1)
    common = add_unit(nodes, node, prepared, prepared.counts, prepared.count_at[node], state, out)
    if nodes.opens[node]:
        phi[nodes.feature[node]] += out[k]
    for p in range(prepared.ones[free], prepared.ones[free + 1]):
        phi[nodes.path_feature[nodes.path[node] + prepared.bits[p]]] += out[prepared.bits[p]]
    return common


@compiled
def add_unit(
    nodes: Nodes,
    node: int,
    prepared: Prepared,
    counts: NDArray[np.uint32],
    at: int,
    state: int,
    out: Reals,
) -> float:
    """Sum a unit's contributions in one state of the explained row over the reference's states.

    `counts[at:]` are the unit's own, by state of the reference. `out` is set by slot for the slots that the
    row satisfies and for the one that the unit opens; the number that each other slot takes is returned.
    """
    mask, k = state >> 1, nodes.slots[node]
    own = np.int64(1) << nodes.slot[node]
    for s in range(k + 1):
        out[s] = 0.0
    common = 0.0
    for leaf in range(2):
        if not (nodes.right_leaf[node] if leaf else nodes.left_leaf[node]):
            continue
        value = (nodes.right_value[node] if leaf else nodes.left_value[node]) / prepared.rows
        mine = mask | (own if (state & 1) != leaf else 0)
        lost = add_leaf(
            counts, at, leaf, k, mine, own, value, prepared.weights, prepared.ones, prepared.bits, out
        )
        common += lost
        if (mine & own) and not (mask & own):
            out[nodes.slot[node]] += lost
    return common


@compiled
def add_leaf(  # noqa: PLR0913
    counts: NDArray[np.uint32],
    at: int,
    leaf: int,
    k: int,
    mine: int,
    own: int,
    value: float,
    weights: Reals,
    ones: Ints,
    bits: NDArray[np.uint8],
    out: Reals,
) -> float:
    """Sum one leaf over every reference state that shares no violated slot with the row's mask `mine`.

    Adds to `out` what the slots violated by the reference take; returns what each of the row's takes.
    """
    b = ones[mine + 1] - ones[mine]
    free = ((1 << k) - 1) & ~mine
    lost = 0.0
    other = free
    while True:
        for side in range(2):
            count = counts[at + 2 * other + side]
            if count == 0 or (side != leaf and mine & own):
                continue
            theirs = other | (own if side != leaf else 0)
            start, end = ones[theirs], ones[theirs + 1]
            lost -= value * count * weights[b, end - start]
            gain = value * count * weights[end - start, b]
            for p in range(start, end):
                out[bits[p]] += gain
        if other == 0:
            return lost
        other = (other - 1) & free


@compiled
def violated_words(listed: Listed, leaf: int, sides: Ints) -> NDArray[np.uint64]:
    """Return the explained row's mask of violated slots at a listed leaf."""
    words = np.zeros(listed.pattern_words.shape[1], np.uint64)
    for step in range(listed.step_at[leaf], listed.step_at[leaf + 1]):
        if (sides[listed.step_node[step]] != 0) != listed.step_right[step]:
            slot = listed.step_slot[step]
            words[slot >> 6] |= np.uint64(1) << np.uint64(slot & 63)
    return words


@compiled
def bit_at(words: NDArray[np.uint64], slot: int) -> bool:
    """Tell whether a mask of several words has a slot's bit set."""
    return bool((words[slot >> 6] >> np.uint64(slot & 63)) & np.uint64(1))


@compiled
def sum_patterns(listed: Listed, leaf: int, prepared: Prepared, sides: Ints, phi: Reals) -> None:
    """Add one listed leaf's contributions, summed over its reference patterns."""
    mine = violated_words(listed, leaf, sides)
    slot_at = listed.slot_at[leaf]
    slots = listed.slot_at[leaf + 1] - slot_at
    b = 0
    for s in range(slots):
        b += bit_at(mine, s)
    lost = 0.0
    for p in range(listed.pattern_at[leaf], listed.pattern_at[leaf + 1]):
        theirs = listed.pattern_words[p]
        shared = np.uint64(0)
        for w in range(len(mine)):
            shared |= mine[w] & theirs[w]
        if shared:
            continue
        a = listed.pattern_ones[p]
        value = listed.value[leaf] * listed.pattern_count[p] / prepared.rows
        lost += value * prepared.weights[b, a]
        for s in range(slots):
            if bit_at(theirs, s):
                phi[listed.slot_feature[slot_at + s]] += value * prepared.weights[a, b]
    for s in range(slots):
        if bit_at(mine, s):
            phi[listed.slot_feature[slot_at + s]] -= lost
