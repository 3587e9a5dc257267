"""The shape of an XGBoost file's trees, checked node by node, and their common form.

Children lie inside their own tree, every live node is reached exactly once from its root (so there is no
cycle), features inside the model, leaves are finite, category sets belong to nodes that split by category.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from explain.errors import ModelCorrupt, ModelUnsupported
from explain.models.ensemble import LEAF, MISSING_NAN, NUMERIC, TreeEnsemble
from explain.models.xgboost_trees import CategorySets, Ints, RawForest, Reals, read_trees

DEPTH_LIMIT = 1024
DELETED = 2**31 - 1  # the split index by which pruning marks a node it has removed
ROOT_PARENTS = (2**31 - 1, -1)


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """How the trees that predict are summed: each one's output and weight, and each output's constant."""

    tree_output: NDArray[np.int32]
    weights: Reals
    base_margins: Reals


@dataclass(frozen=True, slots=True, eq=False)
class Forest:
    """All trees with node numbers of the whole file; `order` lists the live nodes, parents first."""

    offsets: Ints
    left: Ints
    right: Ints
    feature: Ints
    default_left: Ints
    condition: Reals
    cover: Reals
    leaf_row: Ints
    vectors: Reals
    sets: CategorySets
    order: Ints

    @property
    def tree_count(self) -> int:
        """How many trees the file holds."""
        return len(self.offsets) - 1

    @property
    def has_vectors(self) -> bool:
        """Whether each leaf is a vector, with a number for every output."""
        return bool(self.vectors.shape[1])

    def largest_codes(self) -> dict[int, int]:
        """Return the largest category code that any split on each feature lists."""
        largest: dict[int, int] = {}
        for node, start, size in zip(self.sets.node, self.sets.start, self.sets.size, strict=True):
            feature = int(self.feature[node])
            largest[feature] = max(largest.get(feature, 0), int(self.sets.codes[start : start + size].max()))
        return largest

    def ensemble(self, sums: Sums, n_features: int) -> TreeEnsemble:
        """Give the trees that predict in the common form: live nodes only, numbered parents first.

        Trees whose leaves are vectors are written out once per output.
        """
        count = len(sums.tree_output)
        live = self.order[self.order < self.offsets[count]]
        renumbered = np.full(len(self.left) + 1, LEAF, dtype=np.int64)  # the last entry catches LEAF
        renumbered[live] = np.arange(len(live))
        inner = self.left[live] != LEAF
        starts, sizes, words = _bit_sets(self.sets, renumbered, len(live))
        starts[~inner] = NUMERIC
        trees = np.searchsorted(self.offsets, live, side="right") - 1
        one = TreeEnsemble(
            offsets=np.searchsorted(trees, np.arange(count + 1)).astype(np.int64),
            left=renumbered[self.left[live]].astype(np.int32),
            right=renumbered[self.right[live]].astype(np.int32),
            feature=np.where(inner, self.feature[live], LEAF).astype(np.int32),
            threshold=np.where(inner & (starts == NUMERIC), self.condition[live], np.nan),
            missing=np.full(len(live), MISSING_NAN, dtype=np.uint8),
            default_left=inner & (self.default_left[live] == 1),
            value=np.where(inner, 0.0, self.condition[live] * sums.weights[trees]),
            cover=self.cover[live] if len(self.cover) else self.cover,
            category_start=starts,
            category_size=sizes,
            category_words=words,
            n_features=n_features,
            tree_output=sums.tree_output,
            base_margins=sums.base_margins,
            comparison="<",
            listed_goes="right",
            input_width=32,
            float_width=32,
        )
        if not self.has_vectors:
            return one
        rows = np.where(inner, 0, self.leaf_row[live])
        values = np.where(inner[:, np.newaxis], 0.0, self.vectors[rows] * sums.weights[trees, np.newaxis])
        return repeated(one, values)


def read_forest(model: dict[str, object], n_features: int, outputs: int) -> Forest:
    """Read and check every tree of the model."""
    raw = read_trees(model, n_features, outputs)
    tree_of = np.repeat(np.arange(len(raw.offsets) - 1), np.diff(raw.offsets))
    inner = _check_nodes(raw, tree_of, n_features)
    base = raw.offsets[tree_of] if len(tree_of) else np.zeros(0, dtype=np.int64)
    left = np.where(inner, raw.left + base, LEAF)
    right = np.where(inner, raw.right + base, LEAF)
    _check_parents(raw, inner, left, right, tree_of)
    order = _walk(raw.offsets, left, right)
    _check_reached(raw, order, tree_of)
    _check_sets(raw, inner, tree_of)
    return Forest(
        offsets=raw.offsets,
        left=left,
        right=right,
        feature=raw.feature,
        default_left=raw.default_left,
        condition=raw.condition,
        cover=raw.cover,
        leaf_row=raw.leaf_row,
        vectors=raw.vectors,
        sets=raw.sets,
        order=order,
    )


def _fault(broken: NDArray[np.bool_], tree_of: Ints, offsets: Ints, what: str) -> None:
    """Raise for the first broken node, named by its tree and its number there."""
    if np.any(broken):
        node = int(np.argmax(broken))
        tree = int(tree_of[node])
        raise ModelCorrupt(f"tree {tree}: node {node - int(offsets[tree])} {what}")


def _check_nodes(raw: RawForest, tree_of: Ints, n_features: int) -> NDArray[np.bool_]:
    """Check each node by itself; return which ones are inner nodes."""
    size = np.diff(raw.offsets)[tree_of] if len(tree_of) else np.zeros(0, dtype=np.int64)
    inner: NDArray[np.bool_] = raw.left != LEAF
    categorical = raw.split_type == 1

    def refuse(broken: NDArray[np.bool_], what: str) -> None:
        _fault(broken, tree_of, raw.offsets, what)

    refuse(inner != (raw.right != LEAF), "has one child only")
    for child in (raw.left, raw.right):
        refuse(inner & ((child < 1) | (child >= size)), "has a child out of range")
    # The library finds the right child beside the left one and never reads its number.
    refuse(inner & (raw.right != raw.left + 1), "has a right child that does not follow its left one")
    refuse(inner & ((raw.feature < 0) | (raw.feature >= n_features)), "splits on a feature out of range")
    refuse((raw.default_left < 0) | (raw.default_left > 1), "has a default direction that is not 0 or 1")
    refuse((raw.split_type < 0) | (raw.split_type > 1), "has an unknown split type")
    refuse(inner & ~categorical & np.isnan(raw.condition), "has a threshold that is not a number")
    if not raw.vectors.shape[1]:
        refuse(~inner & ~np.isfinite(raw.condition), "has a leaf value that is not finite")
    return inner


def _check_parents(raw: RawForest, inner: NDArray[np.bool_], left: Ints, right: Ints, tree_of: Ints) -> None:
    """Each child is claimed by one parent, and says so itself; the roots have none."""
    parents = np.flatnonzero(inner)
    children = np.concatenate([left[parents], right[parents]])
    claims = np.bincount(children, minlength=len(left))
    _fault(claims > 1, tree_of, raw.offsets, "is the child of several nodes")
    stated = raw.parent[children] + raw.offsets[tree_of[children]]
    wrong = np.zeros(len(left), dtype=np.bool_)
    wrong[children[stated != np.concatenate([parents, parents])]] = True
    _fault(wrong, tree_of, raw.offsets, "names another parent than the one it hangs from")
    roots = raw.offsets[:-1]
    wrong[roots] = ~np.isin(raw.parent[roots], ROOT_PARENTS)
    _fault(wrong, tree_of, raw.offsets, "is a root with a parent")


def _walk(offsets: Ints, left: Ints, right: Ints) -> Ints:
    """Return the nodes reached from the roots, grouped by tree, parents first and siblings together.

    Every node is claimed at most once and no root at all, so the walk cannot run in a circle.
    """
    levels = [np.zeros(0, dtype=np.int64)]
    level = offsets[:-1]
    while len(level):
        levels.append(level)
        if len(levels) > DEPTH_LIMIT + 2:
            raise ModelUnsupported(f"trees deeper than {DEPTH_LIMIT} levels")
        parents = level[left[level] != LEAF]
        level = np.stack([left[parents], right[parents]], axis=1).ravel()
    reached = np.concatenate(levels)
    return reached[np.argsort(np.searchsorted(offsets, reached, side="right"), kind="stable")]


def _check_reached(raw: RawForest, order: Ints, tree_of: Ints) -> None:
    """What the walk did not reach must be exactly the nodes that pruning declared deleted."""
    lost = np.ones(len(raw.left), dtype=np.bool_)
    lost[order] = False
    _fault(lost & (raw.feature != DELETED), tree_of, raw.offsets, "is never reached from the root")
    counted = np.bincount(tree_of[lost], minlength=len(raw.deleted))
    if np.any(counted != raw.deleted):
        tree = int(np.argmax(counted != raw.deleted))
        raise ModelCorrupt(
            f"tree {tree}: {counted[tree]} nodes are deleted, {raw.deleted[tree]} are declared"
        )


def _check_sets(raw: RawForest, inner: NDArray[np.bool_], tree_of: Ints) -> None:
    """Inner nodes that split by category, and they alone, have a category set."""
    listed = np.zeros(len(raw.left), dtype=np.bool_)
    listed[raw.sets.node] = True
    categorical = inner & (raw.split_type == 1)
    _fault(categorical & ~listed, tree_of, raw.offsets, "splits by category without categories")
    _fault(listed & ~categorical, tree_of, raw.offsets, "has categories but splits by number")


def repeated(one: TreeEnsemble, values: Reals) -> TreeEnsemble:
    """Write every tree out once per output, with that output's column of `values` (nodes, outputs)."""
    nodes, outputs = values.shape
    shifts = np.repeat(np.arange(outputs, dtype=np.int32) * nodes, nodes)

    def shifted(children: NDArray[np.int32]) -> NDArray[np.int32]:
        copies = np.tile(children, outputs)
        return np.where(copies == LEAF, LEAF, copies + shifts).astype(np.int32)

    starts = one.offsets[:-1] + nodes * np.arange(outputs)[:, np.newaxis]
    return replace(
        one,
        offsets=np.append(starts.ravel(), nodes * outputs).astype(np.int64),
        left=shifted(one.left),
        right=shifted(one.right),
        feature=np.tile(one.feature, outputs),
        threshold=np.tile(one.threshold, outputs),
        missing=np.tile(one.missing, outputs),
        default_left=np.tile(one.default_left, outputs),
        value=values.T.ravel(),
        cover=np.tile(one.cover, outputs),
        category_start=np.tile(one.category_start, outputs),
        category_size=np.tile(one.category_size, outputs),
        tree_output=np.repeat(np.arange(outputs, dtype=np.int32), one.tree_count),
    )


def _bit_sets(sets: CategorySets, renumbered: Ints, count: int) -> tuple[Ints, Ints, NDArray[np.uint32]]:
    """Turn each node's listed codes into 32-bit words: where they start, how many, and the words."""
    starts = np.full(count, NUMERIC, dtype=np.int64)
    sizes = np.zeros(count, dtype=np.int64)
    words: list[NDArray[np.uint32]] = [np.zeros(0, dtype=np.uint32)]
    position = 0
    for node, start, size in zip(renumbered[sets.node], sets.start, sets.size, strict=True):
        if node == LEAF:
            continue  # a tree beyond those that predict
        codes = sets.codes[start : start + size]
        bits = np.zeros(int(codes.max()) // 32 + 1, dtype=np.uint32)
        np.bitwise_or.at(bits, codes // 32, np.uint32(1) << (codes % 32).astype(np.uint32))
        starts[node], sizes[node] = position, len(bits)
        words.append(bits)
        position += len(bits)
    return starts, sizes, np.concatenate(words)
