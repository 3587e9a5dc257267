"""The arrays that the compiled kernel reads.

A *unit* is an inner node with one or two leaf children. Along the path to it every distinct feature has a
*slot*; a row *violates* a slot when it fails some condition on that feature. A row's *state* at a unit is the
bit mask of the violated slots of the path and, as its lowest bit, the side taken at the node itself, so two
sibling leaves share one state.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

STATE_SLOTS = 12  # units with more slots have too many states to keep a number for each
ABSENT = -1
LEFT, RIGHT, FEATURE, SLOT, SLOTS, FLAGS, ABOVE, PATH = range(8)
DEFAULT_RIGHT, OPENS, CATEGORICAL = 1, 2, 4

Ints = NDArray[np.int64]
Small = NDArray[np.int32]
Reals = NDArray[np.float64]
TableType = type[np.float64] | type[np.float32]
Numbers = NDArray[np.float64 | np.float32]
Flags = NDArray[np.bool_]


class Nodes(NamedTuple):
    """The inner nodes of all trees, parents first; tree t has nodes `offsets[t]` to `offsets[t + 1] - 1`.

    `left` and `right` count from the tree's first node and point past its last one where the child is a
    leaf, whose margin is then `left_value` or `right_value`. `slots` is how many distinct features the path
    above a node has, `slot` the slot of the node's own feature (equal to `slots` where `opens`: it is a new
    one), and the path's features stand in `path_feature` from `path` on. `links` repeats what explaining a
    row reads of each node, side by side in the order of the constants LEFT to PATH: one cache line instead
    of eight.
    """

    offsets: Ints
    left: Small
    right: Small
    feature: Small
    threshold: Reals
    default_left: Flags
    category_start: Ints
    category_size: Ints
    category_words: NDArray[np.uint32]
    listed_left: Flags
    left_leaf: Flags
    right_leaf: Flags
    left_value: Reals
    right_value: Reals
    slots: Small
    slot: Small
    opens: Flags
    path: Ints
    path_feature: Small
    links: Small


class Prepared(NamedTuple):
    """The reference as the kernel reads it.

    Node i has its table at `tables[table_at[i]:]`, or its counts at `counts[count_at[i]:]`; -1 where it has
    none. `ones[u]` is the number of set bits in all masks below u, so that the slots of mask u are
    `bits[ones[u]:ones[u + 1]]`. `weights[a, b]` is (a-1)! b! / (a+b)!.
    """

    tables: Numbers
    table_at: Ints
    counts: NDArray[np.uint32]
    count_at: Ints
    ones: Ints
    bits: NDArray[np.uint8]
    weights: Reals
    rows: int


class Listed(NamedTuple):
    """Leaves with too many slots for a state: their path's steps, slots and reference patterns.

    Tree t has leaves `offsets[t]` to `offsets[t + 1] - 1`. Leaf l takes steps `step_at[l]:step_at[l + 1]`
    (node, side, slot), has slot features from `slot_at[l]` on and patterns `pattern_at[l]:pattern_at[l + 1]`,
    each of `words` 64-bit words of violated slots with its count and number of set bits.
    """

    offsets: Ints
    value: Reals
    step_at: Ints
    step_node: Small
    step_right: NDArray[np.bool_]
    step_slot: Small
    slot_at: Ints
    slot_feature: Small
    pattern_at: Ints
    pattern_words: NDArray[np.uint64]
    pattern_ones: Ints
    pattern_count: Ints


def narrowed(rows: Reals, float_width: int) -> Reals:
    """Round rows to the model's own number width, as its library does before comparing."""
    return np.array(rows, dtype=np.float32 if float_width == 32 else np.float64).astype(np.float64)
