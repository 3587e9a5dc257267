"""The trees of a LightGBM file, read block by block.

Nothing is allocated by a declared number: a tree has as many leaves as its rows of numbers, or is refused.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from explain.errors import ModelCorrupt, ModelUnsupported
from explain.models.lightgbm_text import Ints, Reals, count_member, integers, members, reals

CATEGORICAL, DEFAULT_LEFT, MISSING_SHIFT = 1, 2, 2  # the bits of a decision_type
LARGEST_DECISION = 0b1011  # missing type NaN, default left, categorical
PER_NODE = ("split_feature", "threshold", "decision_type", "left_child", "right_child")
STATISTICS = {"split_gain": 1, "internal_value": 1, "internal_weight": 1, "leaf_weight": 0}
MEMBERS = frozenset(
    {
        "num_leaves",
        "num_cat",
        *PER_NODE,
        *STATISTICS,
        "leaf_value",
        "leaf_count",
        "internal_count",
        "cat_boundaries",
        "cat_threshold",
        "is_linear",
        "shrinkage",
    }
)


@dataclass(frozen=True, slots=True, eq=False)
class RawTree:
    """One tree as written: inner nodes apart from leaves, a child below zero being leaf `~child`.

    `threshold` of a categorical split is the number of its bit set: words `boundaries[i]` to
    `boundaries[i + 1] - 1` of `words`. The two counts are empty where the file does not keep them.
    """

    feature: Ints
    threshold: Reals
    decision: Ints
    left: Ints
    right: Ints
    value: Reals
    leaf_count: Ints
    internal_count: Ints
    boundaries: Ints
    words: Ints

    @property
    def leaves(self) -> int:
        """How many leaves the tree has; its inner nodes are one fewer."""
        return len(self.value)


def read_trees(text: bytes, sizes: list[int]) -> list[RawTree]:
    """Read the trees that fill `text`, one after the other, each as many bytes as its size says."""
    if sum(sizes) != len(text):
        raise ModelCorrupt(f"tree_sizes add up to {sum(sizes)} bytes, the trees have {len(text)}")
    trees, position = [], 0
    for number, size in enumerate(sizes):
        trees.append(_read_tree(text[position : position + size], number))
        position += size
    return trees


def _read_tree(block: bytes, number: int) -> RawTree:
    """Read one block: its number, its members line by line, an empty line."""
    where = f"tree {number}"
    lines = block.rstrip(b"\n").split(b"\n")
    if lines[0] != b"Tree=%d" % number or not block.endswith(b"\n\n") or b"" in lines:
        raise ModelCorrupt(f"{where} is not where tree_sizes says")
    given = members(lines[1:], where)
    if given.get("is_linear", b"0") != b"0":
        raise ModelUnsupported("linear_tree (leaves that are linear models)")
    for name in given:
        if name not in MEMBERS:
            raise ModelUnsupported(f"unknown field {where}.{name}")
    return _Members(given, where).tree()


class _Members:
    """One tree's members, with the length each must have."""

    def __init__(self, given: dict[str, bytes], where: str) -> None:
        self.given = given
        self.where = where
        self.leaves = count_member(given, "num_leaves", where)
        if self.leaves < 1:
            raise ModelCorrupt(f"{where} has no leaf")

    def tree(self) -> RawTree:
        """Read every member; the statistics beside them must only have the right length."""
        self.check_statistics()
        boundaries, words = self.category_words()
        splits = self.leaves - 1
        return RawTree(
            feature=integers(self.given, "split_feature", self.where, splits),
            threshold=reals(self.given, "threshold", self.where, splits),
            decision=integers(self.given, "decision_type", self.where, splits),
            left=integers(self.given, "left_child", self.where, splits),
            right=integers(self.given, "right_child", self.where, splits),
            value=reals(self.given, "leaf_value", self.where, self.leaves),
            leaf_count=self.counts("leaf_count", self.leaves),
            internal_count=self.counts("internal_count", splits),
            boundaries=boundaries,
            words=words,
        )

    def counts(self, name: str, length: int) -> Ints:
        """Return a row of counts that may be missing; a tree without splits may leave it empty."""
        if name not in self.given or (self.leaves == 1 and not self.given[name]):
            return np.zeros(0, dtype=np.int64)
        return integers(self.given, name, self.where, length)

    def check_statistics(self) -> None:
        """Gains, weights and inner values do not predict, but damage shows in them too."""
        if "shrinkage" in self.given:
            reals(self.given, "shrinkage", self.where, 1)
        for name, fewer in STATISTICS.items():
            if self.given.get(name) and self.leaves > 1:
                reals(self.given, name, self.where, self.leaves - fewer)

    def category_words(self) -> tuple[Ints, Ints]:
        """Return the bit sets' boundaries and their 32-bit words."""
        count = count_member(self.given, "num_cat", self.where)
        if count == 0:
            if "cat_boundaries" in self.given or "cat_threshold" in self.given:
                raise ModelCorrupt(f"{self.where} has category sets but declares none")
            return np.zeros(1, dtype=np.int64), np.zeros(0, dtype=np.int64)
        boundaries = integers(self.given, "cat_boundaries", self.where, count + 1)
        words = integers(self.given, "cat_threshold", self.where)
        if boundaries[0] != 0 or boundaries[-1] != len(words) or np.any(np.diff(boundaries) < 1):
            raise ModelCorrupt(f"{self.where}: cat_boundaries do not fit cat_threshold")
        if np.any((words < 0) | (words >= 2**32)):
            raise ModelCorrupt(f"{self.where}: a word of cat_threshold is out of range")
        return boundaries, words
