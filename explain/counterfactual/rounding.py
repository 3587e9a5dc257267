"""How far a library's own rounding may move the margins that it sums over its trees."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from explain.models.ensemble import LEAF, TreeEnsemble

FloatArray = NDArray[np.float64]


def sum_rounding(trees: TreeEnsemble) -> FloatArray:
    """Bound, for each output, how far the native margin may lie from the exact sum, shape (outputs,).

    Summed in any order, n numbers are off by at most n - 1 roundings of the sum of their sizes (Higham 2002,
    Accuracy and Stability of Numerical Algorithms, section 4.2). Of a tree that is its largest leaf: where
    large leaves cancel, the sum is much less exact than it is large. Weighting a tree and reading its leaf
    round too, as do our own sums in float64.
    """
    size = np.where(trees.left == LEAF, np.abs(trees.value), 0.0)
    largest = np.maximum.reduceat(size, trees.offsets[:-1]) if trees.tree_count else np.empty(0)
    sums = np.abs(trees.base_margins) + np.bincount(trees.tree_output, largest, trees.outputs)
    summed = np.bincount(trees.tree_output, minlength=trees.outputs)
    unit = 2.0**-24 if trees.float_width == 32 else 2.0**-51
    return np.asarray(unit * (summed + 3) * sums)
