"""Decision trees of any family as plain arrays: the one intermediate form that explanations read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from explain.features import FloatWidth

LEAF = -1
NUMERIC = -1


@dataclass(frozen=True, slots=True, eq=False)
class TreeEnsemble:
    """A sum of trees over `base_margin`, all nodes of all trees in one set of arrays.

    Tree t owns nodes `offsets[t]` to `offsets[t + 1] - 1`; its root comes first. `left` and `right` hold
    node numbers of the whole ensemble, or LEAF (-1) at a leaf, where `value` is the leaf's margin.

    An inner node tests `feature`. NaN follows `default_left`. A numeric split (`category_start` is
    NUMERIC, -1) goes left when `x < threshold` or `x <= threshold`, as `comparison` says, after x has been
    rounded to `float_width` bits. A categorical split looks code x up in a bit set: 32-bit words
    `category_words[category_start : category_start + category_size]`, bit x % 32 of word x // 32. A set
    bit goes to the side named by `listed_goes`, a code that is not in the set to the other one.
    """

    offsets: NDArray[np.int64]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    feature: NDArray[np.int32]
    threshold: NDArray[np.float64]
    default_left: NDArray[np.bool_]
    value: NDArray[np.float64]
    category_start: NDArray[np.int64]
    category_size: NDArray[np.int64]
    category_words: NDArray[np.uint32]
    n_features: int
    base_margin: float
    comparison: Literal["<", "<="]
    listed_goes: Literal["left", "right"]
    float_width: FloatWidth

    @property
    def tree_count(self) -> int:
        """How many trees are summed."""
        return len(self.offsets) - 1

    @property
    def node_count(self) -> int:
        """How many nodes all trees have together, leaves included."""
        return len(self.left)

    @property
    def leaf_count(self) -> int:
        """How many leaves all trees have together."""
        return int(np.count_nonzero(self.left == LEAF))

    @property
    def categorical_features(self) -> tuple[int, ...]:
        """The features that some categorical split tests."""
        return tuple(np.unique(self.feature[self.category_start != NUMERIC]).tolist())

    def thresholds_of(self, feature: int) -> NDArray[np.float64]:
        """Return the distinct thresholds of the numeric splits on one feature, ascending."""
        splits = (self.feature == feature) & (self.category_start == NUMERIC)
        return np.unique(self.threshold[splits])
