"""The leaves of an ensemble as boxes: for each feature on a leaf's path, the cells that lead to the leaf."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from explain.counterfactual.cells.axes import Axes
from explain.models.ensemble import LEAF, MISSING_NONE, MISSING_ZERO, NUMERIC, TreeEnsemble

IntArray = NDArray[np.int64]
Mask = NDArray[np.bool_]

MISSING = -1


@dataclass(frozen=True, slots=True, eq=False)
class Boxes:
    """Conditions of leaves, sorted by leaf: the feature's cell must lie in [low, high), numbered over all.

    Where the tests contradict each other, low equals high. `window` (conditions, 2) is a second such range,
    over the cells of the zero window, of length 0 where no feature has one. `missing` says whether a missing
    value meets the condition. A condition on a category is no interval: `coded` is its row in `codes`,
    elsewhere -1.
    """

    leaf: IntArray
    feature: IntArray
    low: IntArray
    high: IntArray
    window: IntArray
    missing: Mask
    coded: IntArray
    codes: Mask

    def met(self, cells: IntArray, first_cell: IntArray) -> Mask:
        """Tell which conditions a row meets; `cells` (features,) holds its cell numbers or MISSING."""
        own = cells[self.feature]
        met = (own >= self.low) & (own < self.high)
        if len(self.window):
            met |= (own >= self.window[:, 0]) & (own < self.window[:, 1])
        absent = own == MISSING
        if absent.any():
            met[absent] = self.missing[absent]
        if len(self.codes):
            at = np.flatnonzero((self.coded >= 0) & ~absent)
            met[at] = self.codes[self.coded[at], own[at] - first_cell[self.feature[at]]]
        return np.asarray(met)

    def impossible(self) -> Mask:
        """Tell which conditions no value can meet."""
        empty = (self.low >= self.high) & ~self.missing
        if len(self.window):
            empty &= self.window[:, 0] >= self.window[:, 1]
        at = np.flatnonzero(self.coded >= 0)
        some_code = np.asarray(self.codes.any(axis=1))
        empty[at] = ~(some_code[self.coded[at]] | self.missing[at])
        return np.asarray(empty)

    def picked(self, wanted: Mask | IntArray) -> Boxes:
        """Return the wanted conditions, by mask or by position."""
        return Boxes(
            leaf=self.leaf[wanted],
            feature=self.feature[wanted],
            low=self.low[wanted],
            high=self.high[wanted],
            window=self.window[wanted] if len(self.window) else self.window,
            missing=self.missing[wanted],
            coded=self.coded[wanted],
            codes=self.codes,
        )

    def renumbered(self, numbers: IntArray) -> Boxes:
        """Return the same conditions with new leaf numbers."""
        return replace(self, leaf=numbers[self.leaf])


def read_boxes(trees: TreeEnsemble, axes: Axes) -> tuple[Boxes, IntArray]:
    """Return the boxes of all leaves, in node order, and each leaf's tree (-1 where no root reaches it)."""
    leaves, tested, is_left, tree = _paths(trees)
    order = np.lexsort((trees.feature[tested], leaves))
    return _merge(trees, (leaves[order], tested[order], is_left[order]), axes), tree


def _paths(trees: TreeEnsemble) -> tuple[IntArray, IntArray, Mask, IntArray]:
    """Walk from every leaf to its root.

    Returns, per tested node on a path, the leaf's number, the node and whether the path goes left there; and
    per leaf its tree, -1 for a leaf that no root reaches (some libraries leave deleted nodes behind).
    """
    inner = np.flatnonzero(trees.left != LEAF)
    parent = np.full(trees.node_count, -1, dtype=np.int64)
    parent[trees.left[inner]] = inner
    parent[trees.right[inner]] = inner
    goes_left = np.zeros(trees.node_count, dtype=np.bool_)
    goes_left[trees.left[inner]] = True
    now = np.flatnonzero(trees.left == LEAF)
    number = np.arange(len(now))
    top = now.copy()
    leaves, tested, sides = [], [], []
    while len(now):
        above = parent[now]
        on = above >= 0
        top[number] = now
        leaves.append(number[on])
        tested.append(above[on])
        sides.append(goes_left[now[on]])
        now, number = above[on], number[on]
    owner = np.searchsorted(trees.offsets, top, side="right") - 1
    owner[trees.offsets[owner] != top] = -1
    if not leaves:
        nothing = np.empty(0, dtype=np.int64)
        return nothing, nothing, nothing.astype(np.bool_), owner
    return np.concatenate(leaves), np.concatenate(tested), np.concatenate(sides), owner


def _merge(trees: TreeEnsemble, paths: tuple[IntArray, IntArray, Mask], axes: Axes) -> Boxes:
    """Intersect the tests of each path on the same feature; `paths` is sorted by leaf, then feature."""
    leaves, tested, is_left = paths
    feature = trees.feature[tested].astype(np.int64)
    low, high = _ranges(trees, tested, is_left, axes)
    window = _windows(trees, tested, is_left, axes, (low, high))
    missing = _missing(trees, tested, is_left)
    is_coded = np.array(axes.coded, dtype=np.bool_)[feature]
    new = np.ones(len(leaves), dtype=np.bool_)
    new[1:] = (leaves[1:] != leaves[:-1]) | (feature[1:] != feature[:-1])
    starts = np.flatnonzero(new)
    codes = _codes(trees, tested[is_coded], is_left[is_coded], axes)
    row = np.full(len(starts), -1, dtype=np.int64)
    row[is_coded[starts]] = np.arange(int(is_coded[starts].sum()))
    if not len(starts):
        return Boxes(leaves, feature, low, high, window, missing, row, codes)
    coded_starts = np.flatnonzero(new[is_coded])  # a group is coded as a whole or not at all
    if len(window):
        latest = np.maximum.reduceat(window[:, 0], starts)
        window = np.stack([latest, np.maximum(np.minimum.reduceat(window[:, 1], starts), latest)], axis=1)
    lowest = np.maximum.reduceat(low, starts)
    return Boxes(
        leaf=leaves[starts],
        feature=feature[starts],
        low=lowest,
        high=np.maximum(np.minimum.reduceat(high, starts), lowest),
        window=window,
        missing=np.logical_and.reduceat(missing, starts),
        coded=row,
        codes=np.logical_and.reduceat(codes, coded_starts, axis=0) if len(coded_starts) else codes,
    )


def _ranges(trees: TreeEnsemble, tested: IntArray, is_left: Mask, axes: Axes) -> tuple[IntArray, IntArray]:
    """Return the cells on the path's side of each test; of a category, all of its cells."""
    feature = trees.feature[tested].astype(np.int64)
    first, last = axes.first_cell[feature], axes.first_cell[feature + 1]
    cut = np.zeros(trees.node_count, dtype=np.int64)
    for at, cuts in enumerate(axes.cuts):
        nodes = np.flatnonzero((trees.feature == at) & (trees.left != LEAF))
        if not axes.coded[at]:
            cut[nodes] = np.searchsorted(cuts, trees.threshold[nodes]) + 1 + axes.first_cell[at]
    is_coded = np.array(axes.coded, dtype=np.bool_)[feature]
    low = np.where(is_left | is_coded, first, cut[tested])
    high = np.where(is_left & ~is_coded, cut[tested], last)
    return low, high


def _windows(
    trees: TreeEnsemble, tested: IntArray, is_left: Mask, axes: Axes, ranges: tuple[IntArray, IntArray]
) -> IntArray:
    """Return the cells of the zero window on the path's side of each test, shape (tests, 2) or (0, 2).

    Where zero is missing the window goes as a whole; any other test cuts it as it cuts all numbers.
    """
    if not axes.has_windows:
        return np.empty((0, 2), dtype=np.int64)
    feature = trees.feature[tested]
    begin, end = axes.window[feature, 0], axes.window[feature, 1]
    low, high = (np.clip(bound, begin, end) for bound in ranges)
    whole = (trees.missing[tested] == MISSING_ZERO) & (trees.category_start[tested] == NUMERIC)
    follows = trees.default_left[tested] == is_left
    low = np.where(whole, begin, low)
    high = np.where(whole, np.where(follows, end, begin), high)
    return np.asarray(np.stack([low, high], axis=1) + axes.window_shift[feature, None])


def _missing(trees: TreeEnsemble, tested: IntArray, is_left: Mask) -> Mask:
    """Tell whether a missing value takes the path's side of each test."""
    threshold = trees.threshold[tested]
    zero_left = threshold > 0.0 if trees.comparison == "<" else threshold >= 0.0
    as_zero = (trees.missing[tested] == MISSING_NONE) & (trees.category_start[tested] == NUMERIC)
    return np.asarray(np.where(as_zero, zero_left, trees.default_left[tested]) == is_left)


def _codes(trees: TreeEnsemble, tested: IntArray, is_left: Mask, axes: Axes) -> Mask:
    """Return, per test of a category, which of its codes take the path's side; shape (tests, most codes)."""
    nodes, which = np.unique(tested, return_inverse=True)
    width = axes.most_codes
    left = np.zeros((len(nodes), width), dtype=np.bool_)
    every = np.arange(width)
    for at, node in enumerate(nodes.tolist()):
        start = int(trees.category_start[node])
        if start == NUMERIC:
            threshold = trees.threshold[node]
            left[at] = every < threshold if trees.comparison == "<" else every <= threshold
            if trees.missing[node] == MISSING_ZERO:
                left[at, 0] = trees.default_left[node]
            continue
        words = trees.category_words[start : start + int(trees.category_size[node])]
        listed = np.zeros(width, dtype=np.bool_)
        inside = every[every // 32 < len(words)]
        listed[inside] = (words[inside // 32] >> (inside % 32).astype(np.uint32)) & 1 == 1
        left[at] = listed == (trees.listed_goes == "left")
    own = every < np.diff(axes.first_cell)[trees.feature[tested], None]
    return np.asarray((left[which] == is_left[:, None]) & own)
