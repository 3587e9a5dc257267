"""The compiled part of `reach`: what a state of a few changes sums up to, and each single change from there.

From a state a leaf that misses no condition is left by changing any feature on its path; one that misses one
condition is entered through that alone. So a state's sums are those of the start, less what the leaves that
its changes touch had there, plus what they have now.

Compiled functions take positional arguments only.
"""

# ruff: noqa: PLR0913, PLR0917

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from explain.attribution.compiling import compiled, inlined
from explain.counterfactual.boxes import MISSING

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Mask = NDArray[np.bool_]


class Leaves(NamedTuple):
    """Leaves as boxes (see `boxes.Boxes`), with where their conditions begin, and each feature's conditions.

    Leaf i owns the conditions begin[i] to begin[i + 1] - 1, feature j those that `of_feature` lists from
    feature_begin[j] to feature_begin[j + 1] - 1.
    """

    value: FloatArray
    begin: IntArray
    leaf: IntArray
    feature: IntArray
    low: IntArray
    high: IntArray
    window: IntArray
    missing: Mask
    coded: IntArray
    codes: Mask
    feature_begin: IntArray
    of_feature: IntArray
    first_cell: IntArray


class Standing(NamedTuple):
    """Which conditions a row meets, how many each leaf misses, and scratch: leaves and conditions touched."""

    met: Mask
    missed: IntArray
    marked: Mask
    touched: IntArray
    flipped: IntArray


class Sums(NamedTuple):
    """Leaf values summed: [0] of the leaves a state is in, of those that it leaves with each feature.

    What is gained in each cell: `steps` are the differences from cell to cell, `singly` comes on top of that.
    """

    inside: FloatArray
    held: FloatArray
    steps: FloatArray
    singly: FloatArray


@inlined
def _meets(leaves: Leaves, at: int, own: int) -> bool:
    if own == MISSING:
        return bool(leaves.missing[at])
    if leaves.coded[at] >= 0:
        return bool(leaves.codes[leaves.coded[at], own - leaves.first_cell[leaves.feature[at]]])
    if leaves.low[at] <= own < leaves.high[at]:
        return True
    return len(leaves.window) > 0 and leaves.window[at, 0] <= own < leaves.window[at, 1]


@inlined
def _add(leaves: Leaves, standing: Standing, leaf: int, sign: float, sums: Sums) -> None:
    """Add, or with -1 take away, what one leaf gives."""
    missed = standing.missed[leaf]
    if missed > 1:
        return
    value = sign * leaves.value[leaf]
    if missed == 0:
        sums.inside[0] += value
    for at in range(leaves.begin[leaf], leaves.begin[leaf + 1]):
        if missed == 1 and standing.met[at]:
            continue
        if missed == 0:
            sums.held[leaves.feature[at]] += value
        if leaves.coded[at] >= 0:
            first = leaves.first_cell[leaves.feature[at]]
            for code in range(leaves.codes.shape[1]):
                if leaves.codes[leaves.coded[at], code]:
                    sums.singly[first + code] += value
            continue
        sums.steps[leaves.low[at]] += value
        sums.steps[leaves.high[at]] -= value
        if len(leaves.window):
            sums.steps[leaves.window[at, 0]] += value
            sums.steps[leaves.window[at, 1]] -= value


@compiled
def add_all(leaves: Leaves, standing: Standing, sums: Sums) -> None:
    """Add up what all leaves give."""
    for leaf in range(len(leaves.value)):
        _add(leaves, standing, leaf, 1.0, sums)


@compiled
def margins_of(
    leaves: Leaves,
    standing: Standing,
    at_start: Sums,
    sums: Sums,
    start: IntArray,
    cells: IntArray,
    feature: IntArray,
    cell: IntArray,
    margins: FloatArray,
) -> float:
    """Sum up a state of cells (features,); fill in the margin of each option (feature, cell) from there.

    Returns the state's own margin, without the base. `standing` is as it was when this returns.
    """
    sums.inside[0] = at_start.inside[0]
    sums.held[:] = at_start.held
    sums.steps[:] = at_start.steps
    sums.singly[:] = at_start.singly
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
    for at in range(1, len(sums.steps)):
        sums.steps[at] += sums.steps[at - 1]
    margin = sums.inside[0]
    for option in range(len(feature)):
        gained = sums.steps[cell[option]] + sums.singly[cell[option]]
        margins[option] = margin - sums.held[feature[option]] + gained
    return float(margin)


@inlined
def _flip(leaves: Leaves, standing: Standing, count: int) -> None:
    """Turn conditions over: met to missed, missed to met."""
    for place in range(count):
        at = standing.flipped[place]
        standing.missed[leaves.leaf[at]] += 1 if standing.met[at] else -1
        standing.met[at] = not standing.met[at]
