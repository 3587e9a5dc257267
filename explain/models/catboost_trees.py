"""The trees of a CatBoost file, checked split by split, and their common form.

A symmetric (oblivious) tree asks the same question on a whole level: its leaf number holds one bit per split,
the first split's lowest. It becomes an ordinary tree with the last split at the root, the order in which the
library's own Shapley values walk it. The native loader believes every index it finds (a split out of range
reads foreign memory), so all of them are checked here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explain.errors import ModelCorrupt, ModelUnsupported
from explain.models.catboost_members import known_members, listed, numbers
from explain.models.document import member
from explain.models.ensemble import LEAF

DEPTH_LIMIT = 16  # the library grows no deeper trees
NODE_LIMIT = 2**16  # the library keeps the distance to a child in 16 bits
OBLIVIOUS_MEMBERS = frozenset({"leaf_values", "leaf_weights", "splits"})
SPLIT_MEMBERS = frozenset({"left", "right", "split"})
LEAF_MEMBERS = frozenset({"value", "weight"})

Ints = NDArray[np.int64]
Reals = NDArray[np.float64]
ReadSplit = Callable[[object, str], int]


@dataclass(frozen=True, slots=True, eq=False)
class RawTree:
    """One tree: children by number inside the tree (LEAF at leaves), the split each inner node asks.

    `value` has shape (nodes, outputs), zero at inner nodes; `cover` is None where the file keeps no weights.
    """

    left: Ints
    right: Ints
    split: Ints
    value: Reals
    cover: Reals | None

    @property
    def outputs(self) -> int:
        """How many numbers each leaf holds."""
        return int(self.value.shape[1])


def read_symmetric(tree: object, where: str, read_split: ReadSplit) -> RawTree:
    """Read one tree of `oblivious_trees`."""
    members = known_members(tree, OBLIVIOUS_MEMBERS, where)
    given = listed(members, "splits", where)
    depth = len(given)
    if depth > DEPTH_LIMIT:
        raise ModelCorrupt(f"{where} has {depth} splits, the library grows {DEPTH_LIMIT} at most")
    splits = [read_split(split, where) for split in given]
    leaves = 2**depth
    values = numbers(member(members, "leaf_values", where), f"{where}.leaf_values")
    if len(values) == 0 or len(values) % leaves:
        raise ModelCorrupt(f"{where} has {len(values)} leaf values for {leaves} leaves")
    nodes = np.arange(2 * leaves - 1)
    inner = nodes < leaves - 1
    value = np.zeros((len(nodes), len(values) // leaves))
    value[leaves - 1 :] = values.reshape(leaves, -1)
    levels = np.repeat(np.array(splits[::-1], dtype=np.int64), 2 ** np.arange(depth))
    return RawTree(
        left=np.where(inner, 2 * nodes + 1, LEAF),
        right=np.where(inner, 2 * nodes + 2, LEAF),
        split=np.concatenate([levels, np.full(leaves, LEAF, dtype=np.int64)]),
        value=value,
        cover=_symmetric_cover(members, leaves, where),
    )


def _symmetric_cover(members: dict[str, object], leaves: int, where: str) -> Reals | None:
    """Sum the leaves' weights level by level up to the root."""
    if "leaf_weights" not in members:
        return None
    level = _weights(numbers(members["leaf_weights"], f"{where}.leaf_weights"), where)
    if len(level) != leaves:
        raise ModelCorrupt(f"{where} has {len(level)} leaf weights for {leaves} leaves")
    levels = [level]
    while len(level) > 1:
        level = level.reshape(-1, 2).sum(axis=1)
        levels.append(level)
    return np.concatenate(levels[::-1])


def _weights(weights: Reals, where: str) -> Reals:
    if np.any(weights < 0):
        raise ModelCorrupt(f"{where} has a negative leaf weight")
    return weights


@dataclass(slots=True)
class _Growing:
    """A tree while its nodes are numbered, parents first."""

    left: list[int]
    right: list[int]
    split: list[int]
    value: list[Reals | None]
    weight: list[float | None]

    def add(self, split: int, value: Reals | None, weight: float | None) -> int:
        """Append one node and return its number."""
        self.left.append(LEAF)
        self.right.append(LEAF)
        self.split.append(split)
        self.value.append(value)
        self.weight.append(weight)
        return len(self.left) - 1


def read_nested(tree: object, where: str, read_split: ReadSplit) -> RawTree:
    """Read one tree of `trees`: objects inside objects, without recursion."""
    growing = _Growing([], [], [], [], [])
    waiting: list[tuple[object, int, list[int] | None, int]] = [(tree, 0, None, 0)]
    while waiting:
        node, depth, side, parent = waiting.pop()
        if depth > DEPTH_LIMIT:
            raise ModelCorrupt(f"{where} is deeper than the {DEPTH_LIMIT} levels the library grows")
        if len(growing.left) == NODE_LIMIT:
            raise ModelUnsupported(f"a tree of more than {NODE_LIMIT} nodes")
        if isinstance(node, dict) and "value" in node:
            number = growing.add(LEAF, *_leaf(node, where))
        else:
            members = known_members(node, SPLIT_MEMBERS, where)
            number = growing.add(read_split(member(members, "split", where), where), None, None)
            waiting.append((member(members, "right", where), depth + 1, growing.right, number))
            waiting.append((member(members, "left", where), depth + 1, growing.left, number))
        if side is not None:
            side[parent] = number
    return _grown(growing, where)


def _leaf(node: dict[str, object], where: str) -> tuple[Reals, float | None]:
    """Return the numbers of one leaf, and its weight if it has one."""
    members = known_members(node, LEAF_MEMBERS, where)
    given = members["value"]
    value = numbers(given if isinstance(given, list) else [given], f"{where}: a leaf")
    if "weight" not in members:
        return value, None
    return value, float(_weights(numbers([members["weight"]], f"{where}: a leaf weight"), where)[0])


def _grown(growing: _Growing, where: str) -> RawTree:
    leaves = [value for value in growing.value if value is not None]
    if len({len(value) for value in leaves}) != 1 or len(leaves[0]) == 0:
        raise ModelCorrupt(f"{where} has leaves of different lengths")
    nothing = np.zeros(len(leaves[0]))
    left, right = (np.array(side, dtype=np.int64) for side in (growing.left, growing.right))
    return RawTree(
        left=left,
        right=right,
        split=np.array(growing.split, dtype=np.int64),
        value=np.array([nothing if value is None else value for value in growing.value]),
        cover=_nested_cover(growing),
    )


def _nested_cover(growing: _Growing) -> Reals | None:
    """Sum the leaves' weights up to the root; children are numbered after their parents."""
    cover = [0.0 if weight is None else weight for weight in growing.weight]
    for node in range(len(cover) - 1, -1, -1):
        if growing.left[node] != LEAF:
            cover[node] = cover[growing.left[node]] + cover[growing.right[node]]
        elif growing.weight[node] is None:
            return None
    return np.array(cover)


def read_trees(document: dict[str, object], read_split: ReadSplit) -> tuple[RawTree, ...]:
    """Read every tree of the file; all of them must have equally many outputs."""
    symmetric = "oblivious_trees" in document
    if symmetric and "trees" in document:
        raise ModelCorrupt("the document has symmetric and other trees")
    name = "oblivious_trees" if symmetric else "trees"
    read = read_symmetric if symmetric else read_nested
    given = listed(document, name, "the document")
    if not given:
        raise ModelCorrupt("the document has no trees")
    trees = tuple(read(tree, f"tree {number}", read_split) for number, tree in enumerate(given))
    if len({tree.outputs for tree in trees}) != 1:
        raise ModelCorrupt("the trees have different numbers of outputs")
    return trees
