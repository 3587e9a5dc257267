"""The single changes open to one applicant: per mutable feature one value in each cell of the model.

Inside a cell the model cannot tell values apart, so the permitted grid value nearest to the applicant's own
stands for the whole cell: nothing is lost by looking at no other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explain.counterfactual.cells.offered import offered_values
from explain.counterfactual.cells.tables import IntArray, SplitTables
from explain.counterfactual.constraints.checker import Constraints, differing
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


def medians_of(reference: Reference) -> FloatArray:
    """Return each feature's median in the reference, where it is not missing; 0 where it nowhere is known."""
    medians = np.zeros(reference.rows.shape[1])
    for at in range(len(medians)):
        column = reference.rows[:, at]
        present = column[~np.isnan(column)]
        if len(present):
            medians[at] = float(np.median(present))
    return medians


def cost_of(constraints: Constraints, scales: FloatArray, before: FloatArray, after: FloatArray) -> float:
    """Return the cost of a whole set of changes, as `row_costs` does of many."""
    return float(row_costs(constraints, scales, before, after[None, :])[0])


def row_costs(
    constraints: Constraints, scales: FloatArray, before: FloatArray, rows: FloatArray
) -> FloatArray:
    """Return the costs of rows (n, features): their changes' costs summed, 1 a change beside its distance.

    The move of a group costs as much as one of a category. What is derived costs nothing.
    """
    changed = differing(before, rows)
    total = np.zeros(len(rows))
    moved = np.zeros(len(before), dtype=np.bool_)
    for group in constraints.members:
        moved[group] = True
        total += changed[:, group].any(axis=1) * (1.0 + SPARSITY)
    for at in np.flatnonzero(changed.any(axis=0) & ~moved).tolist():
        costs = costs_of(constraints, scales, at, float(before[at]), rows[:, at])
        total += np.where(changed[:, at], costs, 0.0)
    return total


def costs_of(
    constraints: Constraints, scales: FloatArray, at: int, before: float, after: FloatArray
) -> FloatArray:
    """Return what it costs to change one feature to each of these values.

    A number costs its distance in units of the scale, a category and a missing value that is filled 1, and
    each of them SPARSITY beside. Of a group's member it is the whole move.
    """
    if constraints.derived(at):
        return np.zeros(len(after))
    kind = constraints.space.features[at].type
    if kind in ("boolean", "category") or math.isnan(before) or constraints.grouped(at):
        return np.full(len(after), 1.0 + SPARSITY)
    return np.asarray(np.abs(after - before) / scales[at] + SPARSITY)


def options_of(
    tables: SplitTables,
    constraints: Constraints,
    scales: FloatArray,
    row: FloatArray,
    medians: FloatArray | None = None,
) -> Options:
    """List the single changes that the constraints permit from this row.

    A missing value is filled with those nearest to its median; without `medians`, to 0.
    """
    features, values, cells, costs = [], [], [], []
    for at in constraints.changeable(row):
        before = float(row[at])
        middle = 0.0 if medians is None else float(medians[at])
        offered = offered_values(tables.axes, constraints, at, before, float(scales[at]), middle=middle)
        offered = offered[constraints.allowed(at, before, offered)]
        features.append(np.full(len(offered), at, dtype=np.int64))
        values.append(offered)
        cells.append(tables.cell(at, offered))
        costs.append(costs_of(constraints, scales, at, before, offered))
    if not features:
        nothing = np.empty(0, dtype=np.int64)
        return Options(nothing, np.empty(0), nothing, np.empty(0))
    return Options(
        np.concatenate(features), np.concatenate(values), np.concatenate(cells), np.concatenate(costs)
    )
