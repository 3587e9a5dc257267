"""The trees of an XGBoost file, read array by array.

The native loader follows child indexes without looking (an index out of range or a cycle crashes the
process), so lengths are compared here, and `xgboost_forest` checks the shape of what was read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from explain.errors import ModelCorrupt, ModelUnsupported
from explain.models.document import integer_member, integers, list_member, object_member, reals
from explain.models.ensemble import LEAF

CATEGORY_LIMIT = 2**24  # beyond it a 32-bit number cannot tell codes apart
DECLARED_LIMIT = 2**31 - 1

Ints = NDArray[np.int64]
Reals = NDArray[np.float64]
Column = TypeVar("Column", Ints, Reals)


@dataclass(frozen=True, slots=True, eq=False)
class CategorySets:
    """Which nodes split by category, and where in `codes` each one's listed categories lie."""

    node: Ints
    start: Ints
    size: Ints
    codes: Ints


@dataclass(frozen=True, slots=True, eq=False)
class RawForest:
    """All trees of a file, one after the other; child and parent numbers are still those of the tree.

    Where leaves are vectors, leaf node i has row `leaf_row[i]` of `vectors`, shape (leaves, outputs);
    otherwise `vectors` has no columns and a leaf's value stands in `condition`.
    """

    offsets: Ints
    deleted: Ints
    left: Ints
    right: Ints
    parent: Ints
    feature: Ints
    default_left: Ints
    split_type: Ints
    condition: Reals
    cover: Reals
    leaf_row: Ints
    vectors: Reals
    sets: CategorySets


def read_trees(model: dict[str, object], n_features: int, outputs: int) -> RawForest:
    """Read every tree of the model; arrays of one tree must have one length."""
    trees = [
        Tree(tree, number, n_features, outputs)
        for number, tree in enumerate(list_member(model, "trees", "gradient_booster.model"))
    ]
    if len({tree.width for tree in trees}) > 1:
        raise ModelCorrupt("some trees have vectors in their leaves, others have not")
    offsets = np.cumsum([0, *(tree.count for tree in trees)], dtype=np.int64)
    leaf_row, vectors = _joined_vectors(trees)
    return RawForest(
        offsets=offsets,
        deleted=np.array([tree.deleted for tree in trees], dtype=np.int64),
        left=_joined([tree.integers("left_children") for tree in trees]),
        right=_joined([tree.right_children() for tree in trees]),
        parent=_joined([tree.integers("parents") for tree in trees]),
        feature=_joined([tree.integers("split_indices") for tree in trees]),
        default_left=_joined([tree.integers("default_left") for tree in trees]),
        split_type=_joined([tree.integers("split_type", optional=True) for tree in trees]),
        condition=np.concatenate([np.zeros(0), *(tree.conditions() for tree in trees)]),
        cover=np.concatenate([np.zeros(0), *(tree.cover() for tree in trees)]),
        leaf_row=leaf_row,
        vectors=vectors,
        sets=_joined_sets([tree.category_sets() for tree in trees], offsets),
    )


class Tree:
    """One tree's members, with the length each must have.

    `width` is how many numbers a leaf that is a vector has, 0 where leaves are single numbers.
    """

    def __init__(self, members: object, number: int, n_features: int, outputs: int) -> None:
        self.where = f"tree {number}"
        if not isinstance(members, dict):
            raise ModelCorrupt(f"{self.where} is not an object")
        self.members: dict[str, object] = members
        if integer_member(members, "id", self.where) != number:  # the library crashes on it
            raise ModelCorrupt(f"{self.where} has the id of another tree")
        parameters = object_member(self.members, "tree_param", self.where)
        self.width = self._vector_width(
            integer_member(parameters, "size_leaf_vector", self.where, 0), outputs
        )
        if integer_member(parameters, "num_feature", self.where) != n_features:
            raise ModelCorrupt(f"{self.where} is about another number of features")
        self.count = integer_member(parameters, "num_nodes", self.where)
        self.deleted = integer_member(parameters, "num_deleted", self.where, 0)
        if not 1 <= self.count <= DECLARED_LIMIT:
            raise ModelCorrupt(f"{self.where} declares {self.count} nodes")
        if self.deleted >= self.count:
            raise ModelCorrupt(f"{self.where} declares more deleted nodes than nodes")

    def _vector_width(self, size: int, outputs: int) -> int:
        """Check the declared leaf size; 0 or 1 is a single number."""
        if size <= 1:
            if "leaf_weights" in self.members:
                raise ModelCorrupt(f"{self.where} has leaf_weights but leaves of one number")
            return 0
        if size != outputs:
            raise ModelCorrupt(f"{self.where} has leaves of {size} numbers in a model of {outputs} outputs")
        if "leaf_weights" not in self.members:
            raise ModelUnsupported("multi_strategy multi_output_tree as written before XGBoost 3.2")
        return size

    def integers(self, name: str, *, optional: bool = False) -> Ints:
        """Return one array of integers per node; files before 1.5 have no split_type."""
        if optional and name not in self.members:
            return np.zeros(len(self.conditions()), dtype=np.int64)
        return self.sized(integers(self.members, name, self.where), name)

    def conditions(self) -> Reals:
        """Return thresholds and leaf values; the statistics beside them must only have the right length.

        The library reads those too, and not always with a look whether they are there.
        """
        self.sized(reals(self.members, "loss_changes", self.where), "loss_changes")
        weights = reals(self.members, "base_weights", self.where)
        split_targets, rest = divmod(len(weights), self.count)
        if rest or not 1 <= split_targets <= max(1, self.width):
            self.sized(weights, "base_weights")
        return self.sized(reals(self.members, "split_conditions", self.where), "split_conditions")

    def sized(self, column: Column, name: str) -> Column:
        """Return the column if it has one entry per node."""
        if len(column) != self.count:
            raise ModelCorrupt(f"{self.where}: {name} has {len(column)} entries for {self.count} nodes")
        return column

    def cover(self) -> Reals:
        """Return the training weight (sum of hessians) of each node."""
        return self.sized(reals(self.members, "sum_hessian", self.where), "sum_hessian")

    def right_children(self) -> Ints:
        """Return the right children; where leaves are vectors the file keeps the leaf's number there."""
        right = self.integers("right_children")
        return np.where(self.integers("left_children") == LEAF, LEAF, right) if self.width else right

    def vectors(self) -> tuple[Ints, Reals]:
        """Return each leaf node's row, and the rows of shape (leaves, width); nothing for single numbers."""
        if not self.width:
            return np.zeros(0, dtype=np.int64), np.zeros((0, 0))
        flat = reals(self.members, "leaf_weights", self.where)
        leaves = self.integers("left_children") == LEAF
        row = np.where(leaves, self.integers("right_children"), LEAF)
        count = int(np.count_nonzero(leaves))
        if len(flat) != count * self.width:
            raise ModelCorrupt(f"{self.where}: leaf_weights has {len(flat)} entries for {count} leaves")
        if not np.array_equal(np.sort(row[leaves]), np.arange(count)):
            raise ModelCorrupt(f"{self.where}: the leaves are not numbered 0 to {count - 1}")
        if not np.all(np.isfinite(flat)):
            raise ModelCorrupt(f"{self.where}: leaf_weights holds a leaf value that is not finite")
        return row, flat.reshape(count, self.width)

    def category_sets(self) -> CategorySets:
        """Return the categorical splits, every range inside the tree's own list of codes."""
        if "categories" not in self.members:  # files before 1.5
            nothing = np.zeros(0, dtype=np.int64)
            return CategorySets(nothing, nothing, nothing, nothing)
        node, start, size, codes = (
            integers(self.members, name, self.where)
            for name in ("categories_nodes", "categories_segments", "categories_sizes", "categories")
        )
        if not len(node) == len(start) == len(size):
            raise ModelCorrupt(f"{self.where}: the category arrays differ in length")
        if np.any(np.diff(node) <= 0) or np.any((node < 0) | (node >= self.count)):
            raise ModelCorrupt(f"{self.where}: categories_nodes are not ascending nodes of the tree")
        outside = (size < 1) | (size > len(codes)) | (start < 0) | (start > len(codes) - size)
        if np.any(outside):
            raise ModelCorrupt(f"{self.where}: a category segment lies outside the list of categories")
        if np.any((codes < 0) | (codes >= CATEGORY_LIMIT)):
            raise ModelCorrupt(f"{self.where}: a category code is out of range")
        return CategorySets(node, start, size, codes)


def _joined_vectors(trees: list[Tree]) -> tuple[Ints, Reals]:
    """Join the vectors of all trees, each leaf node with its row among all of them."""
    pairs = [tree.vectors() for tree in trees]
    starts = np.cumsum([0, *(len(rows) for _, rows in pairs)], dtype=np.int64)
    rows = [np.where(row == LEAF, LEAF, row + start) for (row, _), start in zip(pairs, starts, strict=False)]
    width = trees[0].width if trees else 0
    return _joined(rows), np.concatenate([np.zeros((0, width)), *(one for _, one in pairs)])


def _joined(columns: list[Ints]) -> Ints:
    return np.concatenate([np.zeros(0, dtype=np.int64), *columns])


def _joined_sets(sets: list[CategorySets], offsets: Ints) -> CategorySets:
    """Join the sets of all trees, with node numbers of the whole file."""
    shifts = np.cumsum([0, *(len(one.codes) for one in sets)], dtype=np.int64)
    return CategorySets(
        node=_joined([one.node + offset for one, offset in zip(sets, offsets[:-1], strict=True)]),
        start=_joined([one.start + shift for one, shift in zip(sets, shifts[:-1], strict=True)]),
        size=_joined([one.size for one in sets]),
        codes=_joined([one.codes for one in sets]),
    )
