"""Decision trees of any family as plain arrays: the one intermediate form that explanations read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from explain.features import FloatWidth

LEAF = -1
NUMERIC = -1
MISSING_NAN, MISSING_ZERO, MISSING_NONE = 0, 1, 2
ZERO_WINDOW = float(np.float32(1e-35))  # LightGBM's kZeroThreshold: what it takes for zero
BELOW_ZERO = float(np.nextafter(-ZERO_WINDOW, -np.inf))  # the largest number below that window


@dataclass(frozen=True, slots=True, eq=False)
class TreeEnsemble:
    """Sums of trees over `base_margins`, one sum per output, all nodes of all trees in one set of arrays.

    Tree t owns nodes `offsets[t]` to `offsets[t + 1] - 1`, its root first, and adds to output
    `tree_output[t]`. `left` and `right` hold node numbers of the whole ensemble, or LEAF (-1) at a leaf,
    where `value` is the leaf's margin (weights of trees and shares of averages are already in it). A tree
    whose leaves are vectors stands here once per output.

    An inner node tests `feature`, after x has been rounded to `input_width` bits. What counts as missing is
    the node's own: MISSING_NAN, a NaN; MISSING_ZERO, a NaN or a number in (BELOW_ZERO, ZERO_WINDOW];
    MISSING_NONE, nothing, a NaN being the number 0. What is missing follows `default_left`; at a categorical
    split that is always a NaN. A numeric split (`category_start` is NUMERIC, -1) goes left when
    `x < threshold` or `x <= threshold`, as `comparison` says. A categorical split looks code x up in a bit
    set: 32-bit words `category_words[category_start : category_start + category_size]`, bit x % 32 of word
    x // 32. A set bit goes to the side named by `listed_goes`, any other code to the other side.

    `cover` is the training weight that reached each node, of length 0 where the file does not keep it.
    `float_width` is the width of the library's own sums, from which follows how exact they are.
    """

    offsets: NDArray[np.int64]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    feature: NDArray[np.int32]
    threshold: NDArray[np.float64]
    missing: NDArray[np.uint8]
    default_left: NDArray[np.bool_]
    value: NDArray[np.float64]
    cover: NDArray[np.float64]
    category_start: NDArray[np.int64]
    category_size: NDArray[np.int64]
    category_words: NDArray[np.uint32]
    tree_output: NDArray[np.int32]
    base_margins: NDArray[np.float64]
    n_features: int
    comparison: Literal["<", "<="]
    listed_goes: Literal["left", "right"]
    input_width: FloatWidth
    float_width: FloatWidth

    @property
    def outputs(self) -> int:
        """How many margins the model has: 1, or one per class or target."""
        return len(self.base_margins)

    @property
    def base_margin(self) -> float:
        """The constant of a model with one output."""
        (constant,) = self.base_margins.tolist()
        return float(constant)

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

    def of_output(self, output: int) -> TreeEnsemble:
        """Return the trees of one output as an ensemble of their own."""
        if self.outputs == 1:
            return self
        chosen = np.flatnonzero(self.tree_output == output)
        sizes = np.diff(self.offsets)
        nodes = np.flatnonzero(np.repeat(self.tree_output == output, sizes))
        shift = np.full(self.node_count + 1, LEAF, dtype=np.int32)  # the last entry catches LEAF
        shift[nodes] = np.arange(len(nodes), dtype=np.int32)
        return replace(
            self,
            offsets=np.concatenate([[0], np.cumsum(sizes[chosen])]).astype(np.int64),
            left=shift[self.left[nodes]],
            right=shift[self.right[nodes]],
            feature=self.feature[nodes],
            threshold=self.threshold[nodes],
            missing=self.missing[nodes],
            default_left=self.default_left[nodes],
            value=self.value[nodes],
            cover=self.cover[nodes] if len(self.cover) else self.cover,
            category_start=self.category_start[nodes],
            category_size=self.category_size[nodes],
            tree_output=np.zeros(len(chosen), dtype=np.int32),
            base_margins=self.base_margins[output : output + 1],
        )
