"""The trees of a model as one problem sees them: what cannot change is decided once and for all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from explain.counterfactual.exact.kernel import LEAF, Splits
from explain.models.ensemble import (
    BELOW_ZERO,
    MISSING_NONE,
    MISSING_ZERO,
    NUMERIC,
    ZERO_WINDOW,
    TreeEnsemble,
)

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Mask = NDArray[np.bool_]

_CHUNK = 8_000_000  # sides of positions worked out at once


def as_seen(trees: TreeEnsemble, values: FloatArray) -> FloatArray:
    """Round values as the model does before it compares them."""
    if trees.input_width == 64:
        return values
    with np.errstate(over="ignore"):
        return values.astype(np.float32).astype(np.float64)


def goes_left(trees: TreeEnsemble, nodes: IntArray, seen: FloatArray) -> Mask:
    """Tell which of these values of their feature, as seen by the model, each node sends left."""
    threshold = trees.threshold[nodes, None]
    kind = trees.missing[nodes, None]
    given = np.isnan(seen)[None, :]
    x = np.where(given & (kind == MISSING_NONE), 0.0, seen[None, :])
    left = x < threshold if trees.comparison == "<" else x <= threshold
    window = (kind == MISSING_ZERO) & (x > BELOW_ZERO) & (x <= ZERO_WINDOW)
    absent = (given & (kind != MISSING_NONE)) | window
    left = np.where(absent, trees.default_left[nodes, None], left)
    for at in np.flatnonzero(trees.category_start[nodes] != NUMERIC).tolist():
        left[at] = _listed(trees, int(nodes[at]), seen)
    return np.asarray(left)


def _listed(trees: TreeEnsemble, node: int, codes: FloatArray) -> Mask:
    """Tell which codes a categorical split sends left; a missing one follows its default."""
    start, size = int(trees.category_start[node]), int(trees.category_size[node])
    words = trees.category_words[start : start + size]
    code = np.where(np.isnan(codes), -1, codes).astype(np.int64)
    inside = (code >= 0) & (code < 32 * size)
    at = np.where(inside, code, 0)
    bits = np.zeros(len(codes), dtype=np.bool_)
    if size:
        bits = inside & ((words[at // 32] >> (at % 32).astype(np.uint32)) & 1 == 1)
    left = bits == (trees.listed_goes == "left")
    return np.where(np.isnan(codes), bool(trees.default_left[node]), left)


def split_by(
    trees: TreeEnsemble, columns: Sequence[tuple[int, FloatArray]], stay: IntArray, signs: FloatArray
) -> Splits:
    """Read the trees over the variables' positions.

    `columns` gives for each feature of the model its variable and what the model sees of it at each of that
    variable's positions; of a feature that cannot change, -1 and its only value. `stay` (variables,) is where
    each stays; `signs` (outputs,) says which way each output's leaves count, and 0 leaves its trees out.
    """
    count = trees.node_count
    forced = np.zeros(count, dtype=np.int64)  # 1: always left, 2: always right
    stays_left = np.zeros(count, dtype=np.bool_)
    variable = np.full(count, -1, dtype=np.int64)
    owners, runs = [np.empty(0, dtype=np.int64)], [np.empty((0, 2), dtype=np.int64)]
    for feature, (of_variable, seen) in enumerate(columns):
        own = np.flatnonzero((trees.feature == feature) & (trees.left != LEAF))
        here = int(stay[of_variable]) if of_variable >= 0 else 0
        size = max(1, _CHUNK // len(seen))
        for nodes in np.split(own, range(size, len(own), size)):
            left = goes_left(trees, nodes, seen)
            forced[nodes] = np.where(left.all(axis=1), 1, np.where(left.any(axis=1), 0, 2))
            stays_left[nodes] = left[:, here]
            owner, found = _runs(left)
            owners.append(nodes[owner])
            runs.append(found)
        variable[own] = of_variable
    owner, every = np.concatenate(owners), np.concatenate(runs)
    order = np.argsort(owner, kind="stable")
    kept = signs[trees.tree_output] != 0.0
    node_sign = np.repeat(signs[trees.tree_output], np.diff(trees.offsets))
    jump = _jumps(trees, forced)
    left_child, right_child = (np.where(side == LEAF, LEAF, jump[side]) for side in (trees.left, trees.right))
    return Splits(
        roots=jump[trees.offsets[:-1]][kept],
        left=left_child.astype(np.int64),
        right=right_child.astype(np.int64),
        variable=variable,
        run_start=np.searchsorted(owner[order], np.arange(count + 1)).astype(np.int64),
        runs=np.ascontiguousarray(every[order]),
        stay_left=stays_left,
        value=trees.value * node_sign,
        sums=trees.tree_output[kept].astype(np.int64),
    )


def _runs(left: Mask) -> tuple[IntArray, IntArray]:
    """Return the rows and the bounds of all runs of true along the second axis."""
    edge = np.zeros((len(left), left.shape[1] + 2), dtype=np.int8)
    edge[:, 1:-1] = left
    steps = np.diff(edge, axis=1)
    row, begin = np.nonzero(steps == 1)
    _, end = np.nonzero(steps == -1)
    return row.astype(np.int64), np.stack([begin, end], axis=1).astype(np.int64)


def _jumps(trees: TreeEnsemble, forced: IntArray) -> IntArray:
    """Return, for each node, the first node on its way down at which something is still to be decided."""
    to = np.arange(trees.node_count, dtype=np.int64)
    to[forced == 1] = trees.left[forced == 1]
    to[forced == 2] = trees.right[forced == 2]
    while True:
        further = to[to]
        if np.array_equal(further, to):
            return to
        to = further
