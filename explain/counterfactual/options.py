"""The single changes open to one applicant: per mutable feature one value in each cell of the model.

Inside a cell the model cannot tell values apart, so the permitted grid value nearest to the applicant's own
stands for the whole cell: nothing is lost by looking at no other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explain.counterfactual.cells import offered_values
from explain.counterfactual.constraints import Constraints
from explain.counterfactual.tables import IntArray, SplitTables
from explain.reference import Reference

FloatArray = NDArray[np.float64]

SPARSITY = 1.0
"""What each changed feature costs beside its distance."""


@dataclass(frozen=True, slots=True, eq=False)
class Options:
    """Single changes, ordered by feature and value: the feature, its new value and cell, and the cost."""

    feature: IntArray
    value: FloatArray
    cell: IntArray
    cost: FloatArray

    def __len__(self) -> int:
        return len(self.feature)


def scales_of(reference: Reference) -> FloatArray:
    """Return each feature's spread in the reference: the median absolute deviation from the median.

    Where it is 0 the mean absolute deviation takes its place, then the size of the median, then 1.
    """
    scales = np.ones(reference.rows.shape[1])
    for at in range(len(scales)):
        column = reference.rows[:, at]
        present = column[~np.isnan(column)]
        if len(present):
            middle = float(np.median(present))
            off = np.abs(present - middle)
            scales[at] = float(np.median(off)) or float(off.mean()) or abs(middle) or 1.0
    return scales


def cost_of(constraints: Constraints, scales: FloatArray, before: FloatArray, after: FloatArray) -> float:
    """Return the cost of a whole set of changes: scaled distances, 1 for a category, 1 per feature."""
    changed = np.flatnonzero((before != after) & ~(np.isnan(before) & np.isnan(after)))
    return sum(
        float(_costs(constraints, scales, at, float(before[at]), after[at : at + 1])[0])
        for at in changed.tolist()
    )


def options_of(tables: SplitTables, constraints: Constraints, scales: FloatArray, row: FloatArray) -> Options:
    """List the single changes that the constraints permit from this row."""
    features, values, cells, costs = [], [], [], []
    for at in constraints.changeable(row):
        before = float(row[at])
        offered = offered_values(tables.axes, constraints, at, before, float(scales[at]))
        offered = offered[constraints.allowed(at, before, offered)]
        features.append(np.full(len(offered), at, dtype=np.int64))
        values.append(offered)
        cells.append(tables.cell(at, offered))
        costs.append(_costs(constraints, scales, at, before, offered))
    if not features:
        nothing = np.empty(0, dtype=np.int64)
        return Options(nothing, np.empty(0), nothing, np.empty(0))
    return Options(
        np.concatenate(features), np.concatenate(values), np.concatenate(cells), np.concatenate(costs)
    )


def _costs(
    constraints: Constraints, scales: FloatArray, at: int, before: float, after: FloatArray
) -> FloatArray:
    if constraints.space.features[at].type in ("boolean", "category"):
        return np.full(len(after), 1.0 + SPARSITY)
    return np.asarray(np.abs(after - before) / scales[at] + SPARSITY)
