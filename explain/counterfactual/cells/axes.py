"""The axis of each feature, cut into cells inside which the model cannot tell two values apart.

Between two neighbouring thresholds all numbers are alike, and so is each category. Where some split takes
zero for missing, the numbers it takes for zero (the window) are cells of their own: those splits send them
where they send what is missing, on whichever side of their threshold that lies.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from explain.errors import ModelUnsupported
from explain.features import FeatureSpace, FloatWidth
from explain.models.ensemble import BELOW_ZERO, LEAF, MISSING_ZERO, NUMERIC, ZERO_WINDOW, TreeEnsemble

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Axes:
    """The cells of all features, numbered on: feature j owns first_cell[j] to first_cell[j + 1] - 1.

    `cuts[j]` are the numbers between its cells and `edges[j]` the float64 numbers at which the model's
    rounded comparison with them turns; a category has one cell per code. `upper_side` says that a cut belongs
    to the cell above it. The cells `window[j, 0]` to `window[j, 1] - 1` are the zero window, equal where
    there is none; their numbers are moved by `window_shift[j]` beyond all others, so that what lies on both
    sides of the window is one range without it. `count` is how many numbers there are.
    """

    first_cell: IntArray
    cuts: tuple[FloatArray, ...]
    edges: tuple[FloatArray, ...]
    coded: tuple[bool, ...]
    window: IntArray
    window_shift: IntArray
    count: int
    upper_side: bool
    input_width: FloatWidth

    @property
    def has_windows(self) -> bool:
        """Whether some feature has a zero window."""
        return bool((self.window[:, 0] < self.window[:, 1]).any())

    @property
    def most_codes(self) -> int:
        """How many codes the category with the most of them has."""
        return int(np.diff(self.first_cell)[list(self.coded)].max(initial=0))

    def place(self, feature: int, values: FloatArray) -> IntArray:
        """Return where values of one feature lie among its cells, counted from 0 up; NaN gives any place."""
        if self.coded[feature]:
            return np.where(np.isnan(values), 0, values).astype(np.int64)
        seen = values
        if self.input_width == 32:
            with np.errstate(over="ignore"):
                seen = values.astype(np.float32).astype(np.float64)
        side: Literal["left", "right"] = "right" if self.upper_side else "left"
        return np.asarray(np.searchsorted(self.cuts[feature], seen, side=side), dtype=np.int64)

    def number(self, feature: int, places: IntArray) -> IntArray:
        """Return the cell numbers of places on one feature's axis."""
        cells: IntArray = places + self.first_cell[feature]
        begin, end = self.window[feature].tolist()
        if begin == end:
            return cells
        inside = (cells >= begin) & (cells < end)
        return np.asarray(np.where(inside, cells + self.window_shift[feature], cells))


def read_axes(trees: TreeEnsemble, space: FeatureSpace) -> Axes:
    """Cut the axes at the thresholds of all numeric splits; ModelUnsupported for undeclared categories."""
    coded = tuple(feature.type == "category" for feature in space.features)
    for at in trees.categorical_features:
        if not coded[at]:
            raise ModelUnsupported(f"a categorical split on {space.features[at].name!r}, which is none")
    zero = _zero_features(trees)
    edge_of_window = _window_cuts(trees)
    cuts = []
    for at, is_coded in enumerate(coded):
        thresholds = np.empty(0) if is_coded else trees.thresholds_of(at)
        has_window = zero[at] and not is_coded
        cuts.append(np.union1d(thresholds, edge_of_window) if has_window else thresholds)
    counts = [len(feature.categories) or len(cuts[at]) + 1 for at, feature in enumerate(space.features)]
    first = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    window = np.zeros((len(cuts), 2), dtype=np.int64)
    for at in np.flatnonzero(zero & ~np.array(coded, dtype=np.bool_)).tolist():
        window[at] = np.searchsorted(cuts[at], edge_of_window) + 1 + first[at]
    sizes = window[:, 1] - window[:, 0]
    moved_to = first[-1] + np.cumsum(sizes) - sizes
    return Axes(
        first_cell=first,
        cuts=tuple(cuts),
        edges=tuple(_edges(trees, own) for own in cuts),
        coded=coded,
        window=window,
        window_shift=np.where(sizes > 0, moved_to - window[:, 0], 0),
        count=int(first[-1] + sizes.sum()),
        upper_side=trees.comparison == "<",
        input_width=trees.input_width,
    )


def _zero_features(trees: TreeEnsemble) -> NDArray[np.bool_]:
    """Tell which features have a numeric split that takes zero for missing."""
    splits = (trees.missing == MISSING_ZERO) & (trees.category_start == NUMERIC) & (trees.left != LEAF)
    found = np.zeros(trees.n_features, dtype=np.bool_)
    found[trees.feature[splits]] = True
    return found


def _window_cuts(trees: TreeEnsemble) -> FloatArray:
    """Return the cuts that bound (BELOW_ZERO, ZERO_WINDOW] under the ensemble's comparison."""
    bounds = np.array([BELOW_ZERO, ZERO_WINDOW])
    return np.nextafter(bounds, np.inf) if trees.comparison == "<" else bounds


def _edges(trees: TreeEnsemble, cuts: FloatArray) -> FloatArray:
    """Return the float64 numbers at which rounding changes sides of each cut.

    They lie halfway between the last rounded number on the cut's one side and the first on its other; the
    cut itself need not be a number of the input's width.
    """
    if trees.input_width == 64:
        return cuts
    with np.errstate(over="ignore"):
        near = cuts.astype(np.float32).astype(np.float64)
    if trees.comparison == "<":  # the smallest rounded number not below the cut, and the one below it
        inside = np.where(near < cuts, _next(near, np.inf), near)
        return np.asarray(inside / 2.0 + _next(inside, -np.inf) / 2.0)
    inside = np.where(near > cuts, _next(near, -np.inf), near)
    return np.asarray(inside / 2.0 + _next(inside, np.inf) / 2.0)


def _next(values: FloatArray, toward: float) -> FloatArray:
    """Return the neighbours of 32-bit numbers among their like."""
    with np.errstate(over="ignore"):
        return np.nextafter(values.astype(np.float32), np.float32(toward)).astype(np.float64)
