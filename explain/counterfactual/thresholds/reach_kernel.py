"""The compiled part of `reach`: what a state of a few changes sums up to, and each single change from there.

From a state a leaf that misses no condition is left by changing any feature on its path; one that misses one
condition is entered through that alone. So a state's sums are those of the start, less what the leaves that
its changes touch had there, plus what they have now.

Compiled functions take positional arguments only.
"""

# ruff: noqa: PLR0917

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from explain.attribution.compiling import compiled, inlined
from explain.counterfactual.cells.boxes import MISSING

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Records = NDArray[np.int32]
Mask = NDArray[np.bool_]


FEATURE, CODED, LOW, HIGH, ENTERED, LEFT, WINDOW_LOW, WINDOW_HIGH, WINDOW_ENTERED, WINDOW_LEFT = range(10)


class Leaves(NamedTuple):
    """Leaves as boxes (see `boxes.Boxes`), one record for each condition, and each feature's conditions.

    Leaf i owns the conditions begin[i] to begin[i + 1] - 1, feature j those that `of_feature` lists from
    feature_begin[j] to feature_begin[j + 1] - 1. The cells that some option offers are counted from 0 on:
    those that meet a condition are ENTERED to LEFT - 1 (the last four fields are there with windows only).
    `offered` are these cells, feature j's from first_place[j] to first_place[j + 1] - 1.
    """

    value: FloatArray
    begin: IntArray
    leaf: Records
    conditions: Records
    missing: Mask
    codes: Mask
    feature_begin: IntArray
    of_feature: IntArray
    first_cell: IntArray
    offered: IntArray
    first_place: IntArray


class Standing(NamedTuple):
    """Which conditions a row meets, how many each leaf misses, and scratch: leaves and conditions touched."""

    met: Mask
    missed: IntArray
    marked: Mask
    touched: IntArray
    flipped: IntArray


@inlined
def _meets(leaves: Leaves, at: int, own: int) -> bool:
    condition = leaves.conditions[at]
    if own == MISSING:
        return bool(leaves.missing[at])
    if condition[CODED] >= 0:
        return bool(leaves.codes[condition[CODED], own - leaves.first_cell[condition[FEATURE]]])
    if condition[LOW] <= own < condition[HIGH]:
        return True
    return len(condition) > WINDOW_LOW and condition[WINDOW_LOW] <= own < condition[WINDOW_HIGH]


@inlined
def _add(leaves: Leaves, standing: Standing, leaf: int, sign: float, sums: FloatArray) -> None:
    """Add, or with -1 take away, what one leaf gives to the sums (see `margins_of`)."""
    missed = standing.missed[leaf]
    if missed > 1:
        return
    value = sign * leaves.value[leaf]
    features = len(leaves.first_cell) - 1
    cells = (len(sums) - 1 - features) // 2
    steps = 1 + features
    if missed == 0:
        sums[0] += value
    for at in range(leaves.begin[leaf], leaves.begin[leaf + 1]):
        if missed == 1 and standing.met[at]:
            continue
        condition = leaves.conditions[at]
        if missed == 0:
            sums[1 + condition[FEATURE]] += value
        if condition[CODED] >= 0:
            feature = condition[FEATURE]
            first = leaves.first_cell[feature]
            for place in range(leaves.first_place[feature], leaves.first_place[feature + 1]):
                if leaves.codes[condition[CODED], leaves.offered[place] - first]:
                    sums[steps + cells + place] += value
            continue
        sums[steps + condition[ENTERED]] += value
        sums[steps + condition[LEFT]] -= value
        if len(condition) > WINDOW_LOW:
            sums[steps + condition[WINDOW_ENTERED]] += value
            sums[steps + condition[WINDOW_LEFT]] -= value


@compiled
def add_all(leaves: Leaves, standing: Standing, sums: FloatArray) -> None:
    """Add up what all leaves give."""
    for leaf in range(len(leaves.value)):
        _add(leaves, standing, leaf, 1.0, sums)


@compiled
def margins_of(
    leaves: Leaves,
    standing: Standing,
    at_start: FloatArray,
    sums: FloatArray,
    start: IntArray,
    cells: IntArray,
    options: IntArray,
    margins: FloatArray,
) -> float:
    """Sum up a state of cells (features,); fill in the margin of each of the options from there.

    `options` (n, 2) are a feature and the place of its cell. Sums are of the leaves a state is in [0], then,
    by feature, of those that it leaves with it, then what is gained in each offered cell: first the
    differences from one to the next, then what comes on top cell by cell. Returns the state's own margin,
    without the base. `standing` is as it was when this returns.
    """
    sums[:] = at_start
    touched, flipped = 0, 0
    for changed in range(len(start)):
        if cells[changed] == start[changed]:
            continue
        for place in range(leaves.feature_begin[changed], leaves.feature_begin[changed + 1]):
            at = leaves.of_feature[place]
            if _meets(leaves, at, cells[changed]) == standing.met[at]:
                continue
            standing.flipped[flipped] = at
            flipped += 1
            leaf = leaves.leaf[at]
            if not standing.marked[leaf]:
                standing.marked[leaf] = True
                standing.touched[touched] = leaf
                touched += 1
    for place in range(touched):
        _add(leaves, standing, standing.touched[place], -1.0, sums)
    _flip(leaves, standing, flipped)
    for place in range(touched):
        standing.marked[standing.touched[place]] = False
        _add(leaves, standing, standing.touched[place], 1.0, sums)
    _flip(leaves, standing, flipped)
    steps = 1 + len(start)
    singly = steps + (len(sums) - steps) // 2
    for at in range(steps + 1, singly):
        sums[at] += sums[at - 1]
    margin = sums[0]
    for option in range(len(options)):
        place = options[option, 1]
        gained = sums[steps + place] + sums[singly + place]
        margins[option] = margin - sums[1 + options[option, 0]] + gained
    return float(margin)


@inlined
def _flip(leaves: Leaves, standing: Standing, count: int) -> None:
    """Turn conditions over: met to missed, missed to met."""
    for place in range(count):
        at = standing.flipped[place]
        standing.missed[leaves.leaf[at]] += 1 if standing.met[at] else -1
        standing.met[at] = not standing.met[at]
