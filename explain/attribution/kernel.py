"""The compiled kernel: interventional Shapley values of tree ensembles over a whole reference at once.

A leaf of value v is, against one reference row z, the game v * [every slot is satisfied by the row it is
taken from]. With A the slots that z alone violates and B those that the explained row x alone violates (a
slot violated by both makes the leaf unreachable), a = |A|, b = |B|, its values are

    +v (a-1)! b! / (a+b)!   for each slot in A,      -v a! (b-1)! / (a+b)!   for each slot in B

(Lundberg et al. 2020, Algorithm 3). They depend on z only through its mask, so the reference is summed once
into tables per state of x (see `filling`), and explaining a row is adding a few numbers per unit. All sums
are float64, in one fixed order per row.

Compiled functions take positional arguments only, what is passed per node costs more than the node, and a
loop over an array compiles in a tenth of the time of numpy's own slices.
"""

# ruff: noqa: PLR0917

from __future__ import annotations

import numpy as np

from explain.attribution.compiling import compiled, inlined
from explain.attribution.kernel_listed import add_listed
from explain.attribution.prefetching import prefetch
from explain.attribution.structures import (
    COLUMN,
    COLUMN_0,
    COLUMN_1,
    COLUMN_2,
    CUT,
    CUT_0,
    CUT_1,
    CUT_2,
    FEATURES,
    LEFT,
    RIGHT,
    SLOT,
    SLOTS,
    TESTS,
    WIDTH,
    Columns,
    Ints,
    Listed,
    Numbers,
    Reals,
    Units,
    Words,
)
from explain.models.ensemble import BELOW_ZERO, MISSING_NONE, MISSING_ZERO, ZERO_WINDOW

RIGHTMOST = 2**31 - 1
POSITIVE = 2**62 - 1  # tells the compiler that an index does not count from the end
LINE_SLOTS = 3  # numbers whose masks differ in lower slots than this stand in one cache line


@compiled
def rank_of(columns: Columns, c: int, x: float) -> int:
    """Return how many of a column's thresholds the value x has passed."""
    kind = columns.missing[c]
    if x != x or (kind == MISSING_ZERO and BELOW_ZERO < x <= ZERO_WINDOW):  # noqa: PLR0124  NaN
        if kind != MISSING_NONE:
            return RIGHTMOST if columns.default_right[c] else 0
        x = 0.0
    if columns.categorical[c]:
        return category_rank(columns, c, x)
    low, high = columns.cut_at[c], columns.cut_at[c + 1]
    while low < high:
        middle = (low + high) >> 1
        threshold = columns.cuts[middle]
        if threshold < x or (threshold == x and not columns.inclusive):
            low = middle + 1
        else:
            high = middle
    return int(low - columns.cut_at[c])


@compiled
def category_rank(columns: Columns, c: int, x: float) -> int:
    """Return 1 where a category code goes right at a categorical split, 0 where it goes left."""
    first = columns.word_at[c]
    listed = False
    if -1.0 < x < 32.0 * (columns.word_at[c + 1] - first):
        code = int(x)
        bit = np.uint32(1) << np.uint32(code & 31)
        listed = columns.words[first + (code >> 5)] & bit != 0
    return int(listed == columns.listed_right)


@compiled
def rank_rows(columns: Columns, rows: Reals, ranks: Words) -> None:
    """Fill in `ranks` of shape (n, columns) for rows of shape (n, features)."""
    for r in range(len(rows)):
        for c in range(len(columns.feature)):
            x = rows[r, columns.feature[c]]
            if columns.narrow:
                x = np.float64(np.float32(x))
            ranks[r, c] = rank_of(columns, c, x)


@inlined
def walk(trees: Units, tree: int, ranks: Words, masks: Words) -> None:
    """Fill in the mask of violated slots above each inner node and each unit of a tree."""
    inner = trees.inner
    first = trees.inner_at[tree]
    masks[0] = 0
    for i in range(trees.inner_at[tree + 1] - first):
        node = first + i
        right = np.int64(ranks[inner[node, COLUMN]] >= inner[node, CUT])
        mask, slot = np.int64(masks[i]), np.int64(inner[node, SLOT])
        masks[inner[node, LEFT]] = mask | (right << slot)
        masks[inner[node, RIGHT]] = mask | ((1 - right) << slot)


@inlined
def sides_at(units: Words, u: int, ranks: Words) -> int:
    """Return the sides taken at a unit's own tests, one bit each."""
    first = np.int64(ranks[units[u, COLUMN_0]] >= units[u, CUT_0])
    second = np.int64(ranks[units[u, COLUMN_1]] >= units[u, CUT_1])
    third = np.int64(ranks[units[u, COLUMN_2]] >= units[u, CUT_2])
    return int(first | (second << 1) | (third << 2))


@compiled
def explain_rows(
    trees: Units, listed: Listed, tables: Numbers, ranks: Words, first: int, end: int, phi: Reals
) -> None:
    """Add each row's Shapley values over trees `first` to `end - 1` to `phi`, tree by tree.

    The sums are the same for a row alone and among others.
    """
    masks, places = np.zeros(trees.places, np.uint32), np.zeros(trees.places, np.int64)
    for tree in range(first, end):
        inner = trees.inner_at[tree + 1] - trees.inner_at[tree]
        for r in range(len(ranks)):
            walk(trees, tree, ranks[r], masks)
            add_full(trees, tree, tables, ranks[r], masks, inner, places, phi[r])
            if trees.pair_at[tree] < trees.unit_at[tree + 1]:
                find_pairs(trees, tree, tables, ranks[r], masks, inner, places)
                add_pairs(trees, tree, tables, masks, inner, places, phi[r])
            if listed.offsets[tree] < listed.offsets[tree + 1]:
                add_listed(listed, tree, ranks[r], phi[r])


@compiled
def explain_block(
    columns: Columns,
    trees: Units,
    listed: Listed,
    tables: Numbers,
    rows: Reals,
    first: int,
    end: int,
    phi: Reals,
) -> None:
    """Explain float64 rows of shape (n, features): see `explain_rows`."""
    ranks = np.empty((len(rows), len(columns.feature)), np.uint32)
    rank_rows(columns, rows, ranks)
    explain_rows(trees, listed, tables, ranks, first, end, phi)


@inlined
def add_full(
    trees: Units, tree: int, tables: Numbers, ranks: Words, masks: Words, inner: int, places: Ints, phi: Reals
) -> None:
    """Add the table rows of a tree's full units.

    Tables are far larger than the caches. Finding all rows first and asking for their memory, which nothing
    waits for, pays its latency once for many units instead of once for each.
    """
    units, features = trees.units, trees.features
    first, count = trees.unit_at[tree], trees.pair_at[tree] - trees.unit_at[tree]
    for i in range(count):
        u = first + i
        state = (np.int64(masks[inner + i]) << np.int64(units[u, TESTS])) | sides_at(units, u, ranks)
        place = trees.table_at[u] + state * np.int64(units[u, WIDTH])
        places[i] = place
        prefetch(tables, place)
        prefetch(tables, place + np.int64(units[u, WIDTH]) - 1)
    for i in range(count):
        u = first + i
        place, feature = places[i] & POSITIVE, np.int64(units[u, FEATURES])
        for s in range(np.int64(units[u, WIDTH])):
            phi[features[feature + s]] += tables[place + s]


@inlined
def find_pairs(
    trees: Units, tree: int, tables: Numbers, ranks: Words, masks: Words, inner: int, places: Ints
) -> None:
    """Find the plane of each pairs unit, and ask for the memory that `add_pairs` will read."""
    units = trees.units
    first, begin = trees.unit_at[tree], trees.pair_at[tree]
    for u in range(begin, trees.unit_at[tree + 1]):
        mask = np.int64(masks[inner + u - first])
        slots, width = np.int64(units[u, SLOTS]), np.int64(units[u, WIDTH])
        plane = trees.table_at[u] + ((sides_at(units, u, ranks) * (width + 1)) << slots)
        places[u - first] = plane
        prefetch(tables, plane + mask)
        prefetch(tables, plane + (np.int64(1) << slots) + mask * width)
        for s in range(LINE_SLOTS, slots):
            prefetch(tables, plane + (mask | (1 << s)))


@inlined
def add_pairs(
    trees: Units, tree: int, tables: Numbers, masks: Words, inner: int, places: Ints, phi: Reals
) -> None:
    """Add the contributions of the units kept as pairs (see `filling`): slot s takes A(u) - B(u | s)."""
    units, features = trees.units, trees.features
    first = trees.unit_at[tree]
    for u in range(trees.pair_at[tree], trees.unit_at[tree + 1]):
        mask, plane = np.int64(masks[inner + u - first]), places[u - first] & POSITIVE
        slots, width = np.int64(units[u, SLOTS]), np.int64(units[u, WIDTH])
        row = plane + (np.int64(1) << slots) + mask * width
        common = tables[row]
        feature = np.int64(units[u, FEATURES])
        for s in range(slots):
            phi[features[feature + s]] += common - tables[plane + (mask | (1 << s))]
        for s in range(1, width):
            phi[features[feature + slots + s - 1]] += tables[row + s]
