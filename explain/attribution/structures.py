"""The arrays that the compiled kernel reads.

A row enters the kernel as *ranks*: for each column (a feature with one way of treating what is missing, or
one categorical split) how many of its thresholds the row's value has passed. A node tests `rank >= cut`.

Along the path to a node every distinct feature has a *slot*; a row *violates* a slot when it fails some
condition on that feature, and its *mask* is the set of violated slots. A *unit* is a leaf, or a small subtree
at the bottom of a tree (at most three tests); a row's *state* at a unit is the mask of the path above it and,
as its lowest bits, the sides taken at the unit's own tests.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

COLUMN, CUT, SLOT, LEFT, RIGHT = range(5)
COLUMN_0, CUT_0, COLUMN_1, CUT_1, COLUMN_2, CUT_2, TESTS, SLOTS, WIDTH, FEATURES = range(10)

Ints = NDArray[np.int64]
Small = NDArray[np.int32]
Reals = NDArray[np.float64]
TableType = type[np.float64] | type[np.float32]
Numbers = NDArray[np.float64 | np.float32]
Flags = NDArray[np.bool_]
Words = NDArray[
    np.uint32
]  # unsigned: what is never negative is an index without a case for counting from the end


class Columns(NamedTuple):
    """What a row's ranks are taken from.

    Column c reads `feature[c]`. Its thresholds are `cuts[cut_at[c]:cut_at[c + 1]]`, ascending, or it is a
    categorical split with the bit set `words[word_at[c]:word_at[c + 1]]`. `missing` and `default_right` are
    as in a TreeEnsemble. Column 0 belongs to no split: its rank is always 0.
    """

    feature: Small
    missing: NDArray[np.uint8]
    default_right: Flags
    categorical: Flags
    cut_at: Ints
    cuts: Reals
    word_at: Ints
    words: Words
    inclusive: bool
    listed_right: bool
    narrow: bool


class Traced(NamedTuple):
    """All nodes of all trees, each tree in preorder, the trees in the order of their outputs.

    `left` and `right` are -1 at a leaf. `slots` is how many distinct features the path above a node has,
    `slot` the slot of an inner node's own feature (equal to `slots` where it is a new one). `height` is 0 at
    a leaf, `deepest` the most slots of any leaf below.
    """

    offsets: Ints
    parent: Small
    left: Small
    right: Small
    feature: Small
    slots: Small
    slot: Small
    height: Small
    deepest: Small
    column: Small
    cut: Small
    value: Reals


class Units(NamedTuple):
    """The trees as a row is explained: nodes above all units first, then units.

    Tree t has the inner nodes `inner_at[t]:inner_at[t + 1]`, units with full rows `unit_at[t]:pair_at[t]` and
    units kept as pairs `pair_at[t]:unit_at[t + 1]`. `inner` holds per node COLUMN to RIGHT, the children
    counted from the tree's first inner node on through its units. `units` holds per unit COLUMN_0 to
    FEATURES: up to three tests (column 0 where there is none), how many tests and slots it has, how many
    numbers per state, and where in `features` those of its slots and then of its own new ones begin; its
    numbers begin at `table_at` in the tables, and `top` is its topmost node.
    """

    inner_at: Ints
    inner: Words
    unit_at: Ints
    pair_at: Ints
    units: Words
    table_at: Ints
    features: Words
    top: Words
    places: int


class Listed(NamedTuple):
    """Leaves without a table: their path's steps, slots and reference patterns.

    Tree t has leaves `offsets[t]` to `offsets[t + 1] - 1`. Leaf l takes steps `step_at[l]:step_at[l + 1]`
    (column, cut, side, slot) and has slot features `slot_feature[slot_at[l]:slot_at[l + 1]]`. A pattern is as
    many 32-bit words of violated slots as the leaf's slots need, and then how many reference rows have it;
    the leaf's are `patterns[pattern_at[l]:pattern_at[l + 1]]`. `value` is divided by the number of reference
    rows; `weights[a, b]` is (a-1)! b! / (a+b)!.
    """

    offsets: Ints
    value: Reals
    step_at: Ints
    step_column: Words
    step_cut: Words
    step_right: Flags
    step_slot: Words
    slot_at: Ints
    slot_feature: Words
    pattern_at: Ints
    patterns: Words
    weights: Reals


def narrowed(rows: Reals, width: int) -> Reals:
    """Round rows to the model's own number width, as its library does before comparing."""
    return np.array(rows, dtype=np.float32 if width == 32 else np.float64).astype(np.float64)
