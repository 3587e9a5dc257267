"""A tree ensemble as boxes over cells: prepared once per model, it tells what any few changes would do.

The thresholds of a feature cut its axis into cells inside which the model cannot tell two values apart.
Each leaf is a box: per feature on its path, the cells that lead to it. A leaf whose box a row misses in one
feature only is one change away.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explain.counterfactual.cells.axes import Axes, read_axes
from explain.counterfactual.cells.boxes import MISSING, Boxes, read_boxes
from explain.counterfactual.rounding import sum_rounding
from explain.errors import ModelUnsupported
from explain.features import FeatureSpace
from explain.models.ensemble import LEAF, TreeEnsemble

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class SplitTables:
    """The leaves that a row can reach as boxes, their values and trees, and the cells of each feature.

    `rounding` bounds how far sums of the values may lie from the native margins.
    """

    axes: Axes
    boxes: Boxes
    value: FloatArray
    tree: IntArray
    base_margin: float
    rounding: float

    @classmethod
    def prepare(cls, trees: TreeEnsemble, space: FeatureSpace) -> SplitTables:
        """Turn the trees into boxes; costs tens of milliseconds on hundreds of trees, so do it once."""
        if trees.outputs != 1:
            raise ModelUnsupported(f"counterfactuals of a model with {trees.outputs} outputs")
        axes = read_axes(trees, space)
        boxes, tree = read_boxes(trees, axes)
        possible = tree >= 0
        possible[boxes.leaf[boxes.impossible()]] = False
        nodes = np.flatnonzero(trees.left == LEAF)
        numbers = np.cumsum(possible) - 1
        return cls(
            axes=axes,
            boxes=boxes.picked(possible[boxes.leaf]).renumbered(numbers),
            value=trees.value[nodes[possible]],
            tree=tree[possible],
            base_margin=trees.base_margin,
            rounding=float(sum_rounding(trees)[0]),
        )

    def cell(self, feature: int, values: FloatArray) -> IntArray:
        """Return the cell numbers of values of one feature, as the model itself would compare them."""
        cells = self.axes.number(feature, self.axes.place(feature, values))
        return np.where(np.isnan(values), MISSING, cells)

    def cells(self, row: FloatArray) -> IntArray:
        """Return the cell numbers of a row, shape (features,)."""
        return np.concatenate([self.cell(at, row[at : at + 1]) for at in range(len(row))])
