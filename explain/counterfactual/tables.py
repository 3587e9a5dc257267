"""A tree ensemble as boxes over cells: prepared once per model, it tells what any few changes would do.

The thresholds of a feature cut its axis into cells inside which the model cannot tell two values apart.
Each leaf is a box: per feature on its path, the cells that lead to it. A leaf whose box a row misses in one
feature only is one change away.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from explain.features import FeatureSpace
from explain.models.base import Model, tree_form
from explain.models.ensemble import LEAF, NUMERIC, TreeEnsemble

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Mask = NDArray[np.bool_]

MISSING = -1


@dataclass(frozen=True, slots=True, eq=False)
class Boxes:
    """Conditions of leaves, sorted by leaf: the feature's cell must lie in [low, high), numbered over all.

    Where the tests contradict each other, low equals high. `missing` says whether a missing value meets the
    condition. A condition on a category is no interval: `coded` is its row in `codes`, elsewhere -1.
    """

    leaf: IntArray
    feature: IntArray
    low: IntArray
    high: IntArray
    missing: Mask
    coded: IntArray
    codes: Mask

    def met(self, cells: IntArray, first_cell: IntArray) -> Mask:
        """Tell which conditions a row meets; `cells` (features,) holds its cell numbers or MISSING."""
        own = cells[self.feature]
        met = (own >= self.low) & (own < self.high)
        absent = own == MISSING
        if absent.any():
            met[absent] = self.missing[absent]
        if len(self.codes):
            at = np.flatnonzero((self.coded >= 0) & ~absent)
            met[at] = self.codes[self.coded[at], own[at] - first_cell[self.feature[at]]]
        return np.asarray(met)

    def picked(self, wanted: Mask | IntArray) -> Boxes:
        """Return the wanted conditions, by mask or by position."""
        return Boxes(
            leaf=self.leaf[wanted],
            feature=self.feature[wanted],
            low=self.low[wanted],
            high=self.high[wanted],
            missing=self.missing[wanted],
            coded=self.coded[wanted],
            codes=self.codes,
        )

    def renumbered(self, numbers: IntArray) -> Boxes:
        """Return the same conditions with new leaf numbers."""
        return replace(self, leaf=numbers[self.leaf])


@dataclass(frozen=True, slots=True, eq=False)
class SplitTables:
    """The leaves of an ensemble as boxes, their values and trees, and the cells of each feature.

    `first_cell` (features + 1,) numbers the cells of all features on: feature j owns first_cell[j] to
    first_cell[j + 1] - 1. `cuts[j]` are the thresholds between them and `edges[j]` the float64 numbers at
    which the model's rounded comparison with them turns; a category has one cell per code.
    """

    boxes: Boxes
    value: FloatArray
    tree: IntArray
    base_margin: float
    first_cell: IntArray
    cuts: tuple[FloatArray, ...]
    edges: tuple[FloatArray, ...]
    coded: tuple[bool, ...]
    upper_side: bool
    width32: bool

    @classmethod
    def prepare(cls, model: Model) -> SplitTables:
        """Read the model's trees; costs tens of milliseconds on hundreds of trees, so do it once."""
        return prepare_tables(tree_form(model), model.space)

    def cell(self, feature: int, values: FloatArray) -> IntArray:
        """Return the cell numbers of values of one feature, as the model itself would compare them."""
        if self.coded[feature]:
            cells = np.where(np.isnan(values), 0, values).astype(np.int64)
        else:
            seen = values.astype(np.float32).astype(np.float64) if self.width32 else values
            cells = np.searchsorted(self.cuts[feature], seen, side="right" if self.upper_side else "left")
        return np.where(np.isnan(values), MISSING, cells + self.first_cell[feature])

    def cells(self, row: FloatArray) -> IntArray:
        """Return the cell numbers of a row, shape (features,)."""
        return np.concatenate([self.cell(at, row[at : at + 1]) for at in range(len(row))])


def prepare_tables(trees: TreeEnsemble, space: FeatureSpace) -> SplitTables:
    """Turn the trees into boxes over cells."""
    coded = tuple(feature.type == "category" for feature in space.features)
    cuts = tuple(np.empty(0) if coded[at] else trees.thresholds_of(at) for at in range(len(space.features)))
    counts = [
        len(feature.categories) if coded[at] else len(cuts[at]) + 1
        for at, feature in enumerate(space.features)
    ]
    first = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    leaves, tested, is_left, tree = _paths(trees)
    order = np.lexsort((trees.feature[tested], leaves))
    boxes = _merge(trees, (leaves[order], tested[order], is_left[order]), cuts, first, coded)
    nodes = np.flatnonzero(trees.left == LEAF)
    possible = np.ones(len(nodes), dtype=np.bool_)
    possible[tree < 0] = False
    empty = (boxes.low >= boxes.high) & ~boxes.missing
    is_coded = boxes.coded >= 0
    some_code = np.asarray(boxes.codes.any(axis=1))
    empty[is_coded] = ~(some_code[boxes.coded[is_coded]] | boxes.missing[is_coded])
    possible[boxes.leaf[empty]] = False
    numbers = np.cumsum(possible) - 1
    return SplitTables(
        boxes=boxes.picked(possible[boxes.leaf]).renumbered(numbers),
        value=trees.value[nodes[possible]],
        tree=tree[possible],
        base_margin=trees.base_margin,
        first_cell=first,
        cuts=cuts,
        edges=tuple(_edges(trees, thresholds) for thresholds in cuts),
        coded=coded,
        upper_side=trees.comparison == "<",
        width32=trees.input_width == 32,
    )


def _edges(trees: TreeEnsemble, cuts: FloatArray) -> FloatArray:
    """Return the numbers halfway between each threshold and the float32 on its other side."""
    if trees.input_width == 64:
        return cuts
    toward = np.float32(-np.inf if trees.comparison == "<" else np.inf)
    beside = np.nextafter(cuts.astype(np.float32), toward).astype(np.float64)
    return np.asarray((cuts + beside) / 2.0)


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


def _merge(
    trees: TreeEnsemble,
    paths: tuple[IntArray, IntArray, Mask],
    cuts: tuple[FloatArray, ...],
    first: IntArray,
    coded: tuple[bool, ...],
) -> Boxes:
    """Intersect the tests of each path on the same feature; `paths` is sorted by leaf, then feature."""
    leaves, tested, is_left = paths
    feature = trees.feature[tested].astype(np.int64)
    cut = np.zeros(trees.node_count, dtype=np.int64)
    for at, thresholds in enumerate(cuts):
        nodes = np.flatnonzero((trees.feature == at) & (trees.left != LEAF))
        if not coded[at]:
            cut[nodes] = np.searchsorted(thresholds, trees.threshold[nodes]) + 1 + first[at]
    low = np.where(is_left, first[feature], cut[tested])
    high = np.where(is_left, cut[tested], first[feature + 1])
    missing = trees.default_left[tested] == is_left
    is_coded = np.array(coded, dtype=np.bool_)[feature]
    low[is_coded], high[is_coded] = first[feature[is_coded]], first[feature[is_coded] + 1]
    new = np.ones(len(leaves), dtype=np.bool_)
    new[1:] = (leaves[1:] != leaves[:-1]) | (feature[1:] != feature[:-1])
    starts = np.flatnonzero(new)
    codes = _codes(trees, tested[is_coded], is_left[is_coded], _widest(first, coded))
    row = np.full(len(starts), -1, dtype=np.int64)
    row[is_coded[starts]] = np.arange(int(is_coded[starts].sum()))
    if not len(starts):
        return Boxes(leaves, feature, low, high, missing, row, codes)
    coded_starts = np.flatnonzero(new[is_coded])  # a group is coded as a whole or not at all
    lowest = np.maximum.reduceat(low, starts)
    return Boxes(
        leaf=leaves[starts],
        feature=feature[starts],
        low=lowest,
        high=np.maximum(np.minimum.reduceat(high, starts), lowest),
        missing=np.logical_and.reduceat(missing, starts),
        coded=row,
        codes=np.logical_and.reduceat(codes, coded_starts, axis=0) if len(coded_starts) else codes,
    )


def _widest(first: IntArray, coded: tuple[bool, ...]) -> int:
    return max((int(first[at + 1] - first[at]) for at, is_coded in enumerate(coded) if is_coded), default=0)


def _codes(trees: TreeEnsemble, tested: IntArray, is_left: Mask, width: int) -> Mask:
    """Return, per test of a category, which codes take the path's side; shape (tests, width)."""
    nodes, which = np.unique(tested, return_inverse=True)
    left = np.zeros((len(nodes), width), dtype=np.bool_)
    every = np.arange(width)
    for at, node in enumerate(nodes.tolist()):
        start = int(trees.category_start[node])
        if start == NUMERIC:
            threshold = trees.threshold[node]
            left[at] = every < threshold if trees.comparison == "<" else every <= threshold
            continue
        words = trees.category_words[start : start + int(trees.category_size[node])]
        listed = np.zeros(width, dtype=np.bool_)
        inside = every[every // 32 < len(words)]
        listed[inside] = (words[inside // 32] >> (inside % 32).astype(np.uint32)) & 1 == 1
        left[at] = listed == (trees.listed_goes == "left")
    return np.asarray(left[which] == is_left[:, None])
