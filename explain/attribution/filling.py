"""Summing the reference into tables.

For one leaf of value v, with n(z) the share of the reference rows whose mask is z, let

    P(m) = sum over z disjoint from m of n(z) W(|z|, |m|),      Q(m) = the same with W(|z|, |m| - 1),

    W(a, b) = (a-1)! b! / (a+b)!  for a >= 1,      W(0, b) = -(1 + 1/2 + ... + 1/b).

A row with mask u gives every slot s the value v (P(u) - Q(u | s)). For a slot that u violates, the two terms
of each z differ by -a! (b-1)! / (a+b)!; for one that it satisfies, the z without s cancel and those with s
leave (a-1)! b! / (a+b)!: the values in `kernel`. (Both weights are integrals of t^(a-1) (1-t)^b; the part of
a = 0 that diverges cancels, and the harmonic number is what is left of it.)

A unit sums its leaves per state. A full row has the value of each slot. A pairs unit has per sides a plane of
B(m) = sum of v Q and rows of A(m) = sum of v P with the values of the slots that its own tests open; the slot
s above it takes A(u) - B(u | s).
"""

# ruff: noqa: PLR0917  compiled functions take positional arguments only

from __future__ import annotations

import numpy as np

from explain.attribution.compiling import compiled
from explain.attribution.kernel import sides_at, walk
from explain.attribution.structures import SLOTS, TESTS, WIDTH, Ints, Reals, Small, Traced, Units, Words


@compiled
def fill_tree(traced: Traced, trees: Units, tree: int, ranks: Words, weights: Reals, made: Reals) -> None:
    """Fill in the numbers of all units of one tree, in float64; `weights` has W(a, b)."""
    first, end = trees.unit_at[tree], trees.unit_at[tree + 1]
    at = np.zeros(end - first + 1, np.int64)
    for i in range(end - first):
        at[i + 1] = at[i] + (
            np.int64(1) << np.int64(trees.units[first + i, SLOTS] + trees.units[first + i, TESTS])
        )
    counts = count_states(trees, tree, ranks, at)
    start = trees.table_at[first]
    for u in range(first, end):
        states = counts[at[u - first] : at[u - first + 1]]
        numbers = made[trees.table_at[u] - start : trees.table_at[u + 1] - start]
        for number in range(4):
            add_leaf(traced, trees, u, number, states, len(ranks), weights, u < trees.pair_at[tree], numbers)


@compiled
def count_states(trees: Units, tree: int, ranks: Words, at: Ints) -> Small:
    """Count the reference rows in each state of each unit of a tree."""
    first, inner = trees.unit_at[tree], trees.inner_at[tree + 1] - trees.inner_at[tree]
    masks = np.zeros(trees.places, np.uint32)
    counts = np.zeros(at[len(at) - 1], np.int32)
    for r in range(len(ranks)):
        walk(trees, tree, ranks[r], masks)
        for i in range(len(at) - 1):
            u = first + i
            state = (np.int64(masks[inner + i]) << np.int64(trees.units[u, TESTS])) | sides_at(
                trees.units, u, ranks[r]
            )
            counts[at[i] + state] += np.int32(1)
    return counts


@compiled
def step_to(traced: Traced, top: int, number: int) -> tuple[int, int, int]:
    """Return one of a unit's at most four leaves, and its parent if that is not the top (else -1).

    The last number is the place of the parent's side in the unit's states. There is no leaf of this number
    where the first is -1.
    """
    if traced.height[top] == 0:
        return (top if number == 0 else -1), -1, 0
    child = int(traced.right[top] if number > 1 else traced.left[top])
    if traced.height[child] == 0:
        return (child if number & 1 == 0 else -1), -1, 0
    second = number > 1 and traced.height[traced.left[top]] > 0
    leaf = int(traced.right[child] if number & 1 else traced.left[child])
    return leaf, child, (2 if second else 1)


@compiled
def opens(traced: Traced, node: int) -> bool:
    """Tell whether an inner node tests a feature that the path above it does not."""
    return bool(traced.slot[node] == traced.slots[node])


@compiled
def leaf_masks(traced: Traced, top: int, number: int, tests: int, states: int) -> Ints:
    """Return the mask of violated slots that one of a unit's leaves has in each state of the unit."""
    _, low, place = step_to(traced, top, number)
    masks = np.zeros(states, np.int64)
    for state in range(states):
        mask = state >> tests
        if tests and (state & 1) != (number >> 1):
            mask |= np.int64(1) << traced.slot[top]
        if low >= 0 and ((state >> place) & 1) != (number & 1):
            mask |= np.int64(1) << traced.slot[low]
        masks[state] = mask
    return masks


@compiled
def add_leaf(  # noqa: PLR0913
    traced: Traced,
    trees: Units,
    u: int,
    number: int,
    states: Small,
    rows: int,
    weights: Reals,
    full: bool,
    made: Reals,
) -> None:
    """Add one leaf's values to each state of its unit."""
    top, tests = int(np.int64(trees.top[u])), int(np.int64(trees.units[u, TESTS]))
    above = np.int64(trees.units[u, SLOTS])
    leaf, low, place = step_to(traced, top, number)
    if leaf < 0:
        return
    slots = int(traced.slots[leaf])
    masks = leaf_masks(traced, top, number, tests, len(states))
    counts = np.zeros(np.int64(1) << slots, np.int64)
    for state in range(len(states)):
        counts[masks[state]] += states[state]
    p, q = weigh(counts, slots, weights, traced.value[leaf] / rows)
    late = np.int64(-1)  # a slot whose number stands one further: the left child has opened one before it
    if place == 2 and opens(traced, low) and opens(traced, traced.left[top]):
        late = np.int64(traced.slot[low])
    width = np.int64(trees.units[u, WIDTH])
    for state in range(len(states)):
        mask = masks[state]
        row, begin = state * width, np.int64(0)
        if not full:
            plane = ((state & ((1 << tests) - 1)) * (width + 1)) << above
            made[plane + (state >> tests)] += q[mask]
            row, begin = plane + (1 << above) + (state >> tests) * width, above
            made[row] += p[mask]
            row += 1 - above
        for s in range(begin, slots):
            made[row + s + np.int64(s == late)] += p[mask] - q[mask | (1 << s)]


@compiled
def weigh(counts: Ints, slots: int, weights: Reals, value: float) -> tuple[Reals, Reals]:
    """Return `value` times P(m) and Q(m) for every mask m over so many slots, from counts per mask.

    Where all z without some slot cancel they must cancel exactly, so both sums take the z in one order.
    """
    size = 1 << slots
    p, q = np.zeros(size), np.zeros(size)
    ones = np.zeros(size, np.int64)
    for m in range(1, size):
        ones[m] = ones[m >> 1] + (m & 1)
    for m in range(size):
        free = size - 1 - m
        b = ones[m]
        z = free
        while True:
            if counts[z]:
                p[m] += counts[z] * weights[ones[z], b]
                if b:
                    q[m] += counts[z] * weights[ones[z], b - 1]
            if z == 0:
                break
            z = (z - 1) & free
        p[m] *= value
        q[m] *= value
    return p, q
