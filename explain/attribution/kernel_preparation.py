"""The compiled half of preparation: paths and slots, the reference's states, the tables of each unit."""

# ruff: noqa: PLR0917  compiled functions take positional arguments only

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from explain.attribution.compiling import compiled
from explain.attribution.kernel import add_unit, walk, widest_tree
from explain.attribution.structures import Ints, Nodes, Numbers, Prepared, Reals, Small

Traced = tuple[Ints, Small, Small, Ints, Small]


@compiled
def climb(offsets: Ints, left: Small, right: Small) -> tuple[Ints, Ints]:
    """Return how deep each inner node lies and which one stands above it (-1 above a root)."""
    depth, above = np.zeros(len(left), np.int64), np.zeros(len(left), np.int64) - 1
    for t in range(len(offsets) - 1):
        first, end = offsets[t], offsets[t + 1]
        for i in range(first, end):
            for child in (first + left[i], first + right[i]):
                if child < end:
                    depth[child] = depth[i] + 1
                    above[child] = i
    return depth, above


@compiled
def trace_paths(offsets: Ints, left: Small, right: Small, feature: Small) -> Traced:
    """Return per inner node the node above, the slots above it, its own slot, and where its path stands."""
    n = len(left)
    depth, above = climb(offsets, left, right)
    path = np.zeros(n + 1, np.int64)
    for i in range(n):
        path[i + 1] = path[i] + depth[i]
    path_feature = np.zeros(path[n], np.int32)
    slots, slot = np.zeros(n, np.int32), np.zeros(n, np.int32)
    for i in range(n):
        parent = above[i]
        if parent >= 0:
            k = slots[parent]
            for s in range(k):
                path_feature[path[i] + s] = path_feature[path[parent] + s]
            if slot[parent] == k:
                path_feature[path[i] + k] = feature[parent]
                k += 1
            slots[i] = k
        slot[i] = slots[i]
        for s in range(slots[i]):
            if path_feature[path[i] + s] == feature[i]:
                slot[i] = s
    return above, slots, slot, path[:n].copy(), path_feature


@compiled
def reference_margins(nodes: Nodes, rows: Reals) -> Reals:
    """Return each row's sum of leaf values in float64, without the constant part."""
    sums = np.zeros(len(rows))
    widest = widest_tree(nodes)
    masks, sides = np.zeros(widest + 1, np.int64), np.zeros(widest + 1, np.int64)
    for t in range(len(nodes.offsets) - 1):
        first, end = nodes.offsets[t], nodes.offsets[t + 1]
        for r in range(len(rows)):
            walk(nodes, t, rows[r], masks, sides)
            node = first
            while node < end:
                if sides[node - first]:
                    sums[r] += nodes.right_value[node]
                    node = first + nodes.right[node]
                else:
                    sums[r] += nodes.left_value[node]
                    node = first + nodes.left[node]
    return sums


@compiled
def count_states(nodes: Nodes, rows: Reals, count_at: Ints, counts: NDArray[np.uint32]) -> None:
    """Count the reference rows in each state of the units that have a place in `counts`."""
    widest = widest_tree(nodes)
    masks, sides = np.zeros(widest + 1, np.int64), np.zeros(widest + 1, np.int64)
    for t in range(len(nodes.offsets) - 1):
        first = nodes.offsets[t]
        for r in range(len(rows)):
            walk(nodes, t, rows[r], masks, sides)
            for i in range(nodes.offsets[t + 1] - first):
                if count_at[first + i] >= 0:
                    counts[count_at[first + i] + 2 * masks[i] + sides[i]] += np.uint32(1)


@compiled
def fill_table(
    nodes: Nodes, node: int, prepared: Prepared, counts: NDArray[np.uint32], at: int, tables: Numbers
) -> None:
    """Fill in one unit's table: per state the violated slots' common number, the own slot's, the others'."""
    k = nodes.slots[node]
    out = np.zeros(k + 1)
    position = prepared.table_at[node]
    for state in range(np.int64(2) << k):
        tables[position] = add_unit(nodes, node, prepared, counts, at, state, out)
        position += 1
        if nodes.opens[node]:
            tables[position] = out[k]
            position += 1
        free = ((1 << k) - 1) & ~(state >> 1)
        for p in range(prepared.ones[free], prepared.ones[free + 1]):
            tables[position] = out[prepared.bits[p]]
            position += 1


@compiled
def fill_tables(nodes: Nodes, rows: Reals, prepared: Prepared, tables: Numbers) -> None:
    """Fill in the tables of all units that have one, tree by tree so that few counts are held at once."""
    widest = widest_tree(nodes)
    masks, sides = np.zeros(widest + 1, np.int64), np.zeros(widest + 1, np.int64)
    at = np.zeros(widest, np.int64)
    for t in range(len(nodes.offsets) - 1):
        first, end = nodes.offsets[t], nodes.offsets[t + 1]
        needed = 0
        for node in range(first, end):
            at[node - first] = needed
            if prepared.table_at[node] >= 0:
                needed += np.int64(2) << nodes.slots[node]
        counts = np.zeros(needed, np.uint32)
        for r in range(len(rows)):
            walk(nodes, t, rows[r], masks, sides)
            for i in range(end - first):
                if prepared.table_at[first + i] >= 0:
                    counts[at[i] + 2 * masks[i] + sides[i]] += np.uint32(1)
        for node in range(first, end):
            if prepared.table_at[node] >= 0:
                fill_table(nodes, node, prepared, counts, at[node - first], tables)


@compiled
def take_sides(nodes: Nodes, tree: int, rows: Reals) -> NDArray[np.bool_]:
    """Return for each row and each node of a tree whether the row goes right there, shape (rows, nodes)."""
    count = nodes.offsets[tree + 1] - nodes.offsets[tree]
    taken = np.zeros((len(rows), count), np.bool_)
    masks, sides = np.zeros(count + 1, np.int64), np.zeros(count + 1, np.int64)
    for r in range(len(rows)):
        walk(nodes, tree, rows[r], masks, sides)
        for i in range(count):
            taken[r, i] = sides[i] != 0
    return taken
