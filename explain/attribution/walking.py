"""Which way rows take through the trees of an ensemble, node by node, exactly as `TreeEnsemble` says.

The plain walker: no ranks, no tables. Rows are already rounded to the ensemble's `input_width`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from explain.attribution.compiling import compiled
from explain.models.ensemble import (
    BELOW_ZERO,
    LEAF,
    MISSING_NONE,
    MISSING_ZERO,
    ZERO_WINDOW,
    TreeEnsemble,
)

Ints = NDArray[np.int64]
Reals = NDArray[np.float64]


class Walked(NamedTuple):
    """The trees of one output as compiled functions read them, under the names that `TreeEnsemble` has."""

    offsets: Ints
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    feature: NDArray[np.int32]
    threshold: Reals
    missing: NDArray[np.uint8]
    default_left: NDArray[np.bool_]
    value: Reals
    category_start: Ints
    category_size: Ints
    category_words: NDArray[np.uint32]
    equal_goes_left: bool
    listed_goes_left: bool


def walked(trees: TreeEnsemble) -> Walked:
    """Copy an ensemble's arrays: of one layout whatever file they came from, so that all compile once."""
    return Walked(
        offsets=np.array(trees.offsets, dtype=np.int64),
        left=np.array(trees.left, dtype=np.int32),
        right=np.array(trees.right, dtype=np.int32),
        feature=np.array(trees.feature, dtype=np.int32),
        threshold=np.array(trees.threshold, dtype=np.float64),
        missing=np.array(trees.missing, dtype=np.uint8),
        default_left=np.array(trees.default_left, dtype=np.bool_),
        value=np.array(trees.value, dtype=np.float64),
        category_start=np.array(trees.category_start, dtype=np.int64),
        category_size=np.array(trees.category_size, dtype=np.int64),
        category_words=np.array(trees.category_words, dtype=np.uint32),
        equal_goes_left=trees.comparison == "<=",
        listed_goes_left=trees.listed_goes == "left",
    )


@compiled
def goes_right(trees: Walked, node: int, given: float) -> bool:
    """Tell which child of an inner node a value of its feature goes to."""
    x = given
    missing = x != x  # noqa: PLR0124  NaN alone differs from itself
    if trees.category_start[node] >= 0:
        if missing:
            return bool(not trees.default_left[node])
        listed = False
        if -1.0 < x < 32.0 * trees.category_size[node]:
            code = np.int64(x)
            word = trees.category_words[trees.category_start[node] + (code >> 5)]
            listed = word & (np.uint32(1) << np.uint32(code & 31)) != 0
        return bool(listed != trees.listed_goes_left)
    kind = trees.missing[node]
    if missing and kind == MISSING_NONE:
        x = 0.0
    elif missing or (kind == MISSING_ZERO and BELOW_ZERO < x <= ZERO_WINDOW):
        return bool(not trees.default_left[node])
    if trees.equal_goes_left:
        return bool(x > trees.threshold[node])
    return bool(x >= trees.threshold[node])


@compiled
def add_leaves(trees: Walked, rows: Reals, margins: Reals) -> None:
    """Add to `margins`, shape (n,), the leaves that rows of shape (n, features) reach."""
    for r in range(len(rows)):
        for t in range(len(trees.offsets) - 1):
            node = trees.offsets[t]
            while trees.left[node] != LEAF:
                right = goes_right(trees, node, rows[r, trees.feature[node]])
                node = np.int64(trees.right[node] if right else trees.left[node])
            margins[r] += trees.value[node]


@compiled
def deepest(trees: Walked) -> int:
    """Return the number of splits on the longest path of any tree."""
    pending = np.empty(len(trees.left) + 1, np.int64)
    depths = np.empty(len(trees.left) + 1, np.int64)
    most = 0
    for t in range(len(trees.offsets) - 1):
        pending[0], depths[0] = trees.offsets[t], 0
        top = 1
        while top > 0:
            top -= 1
            node, depth = pending[top], depths[top]
            most = max(most, depth)
            if trees.left[node] != LEAF:
                pending[top], depths[top] = trees.left[node], depth + 1
                pending[top + 1], depths[top + 1] = trees.right[node], depth + 1
                top += 2
    return most
