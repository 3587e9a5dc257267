"""A CatBoost file's trees in the common form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from explain.models.catboost_parse import CatBoostArtifact
from explain.models.catboost_trees import RawTree
from explain.models.ensemble import LEAF, MISSING_NAN, NUMERIC, TreeEnsemble

Number = TypeVar("Number", bool, int, float)


def common_form(parsed: CatBoostArtifact, categories: Sequence[Sequence[int]]) -> TreeEnsemble:
    """Give the trees in the common form, a tree once per output.

    `categories[f]` are the numbers of feature f's categories by code, empty where f is numeric. The library
    answers yes to `x > border`, after rounding x to 32 bits: so `x <= border` goes left. A category that a
    split does not list, and a missing one, goes left as well.
    """
    trees = [tree for tree in parsed.trees for _ in range(parsed.outputs)]
    offsets = np.cumsum([0, *(len(tree.left) for tree in trees)], dtype=np.int64)
    split = np.concatenate([tree.split for tree in trees])
    splits = parsed.features.splits
    start, size, words = _category_sets(parsed, categories)
    return TreeEnsemble(
        offsets=offsets,
        left=_children([tree.left for tree in trees], offsets),
        right=_children([tree.right for tree in trees], offsets),
        feature=_of_split([one.feature for one in splits], split, LEAF).astype(np.int32),
        threshold=_of_split([one.border for one in splits], split, np.nan),
        missing=np.full(len(split), MISSING_NAN, dtype=np.uint8),
        default_left=~_of_split([one.missing_is_above for one in splits], split, at_leaf=True),
        value=np.concatenate([tree.value.ravel(order="F") for tree in parsed.trees]) * parsed.scale,
        cover=_covers(trees),
        category_start=_of_split(start, split, NUMERIC),
        category_size=_of_split(size, split, 0),
        category_words=words,
        tree_output=np.tile(np.arange(parsed.outputs, dtype=np.int32), len(parsed.trees)),
        base_margins=parsed.bias,
        n_features=len(parsed.features.names),
        comparison="<=",
        listed_goes="right",
        input_width=32,
        float_width=64,
    )


def _children(columns: list[NDArray[np.int64]], offsets: NDArray[np.int64]) -> NDArray[np.int32]:
    """Number children through the whole ensemble."""
    joined = np.concatenate(columns)
    base = np.repeat(offsets[:-1], np.diff(offsets))
    return np.where(joined == LEAF, LEAF, joined + base).astype(np.int32)


def _of_split(column: Sequence[Number], split: NDArray[np.int64], at_leaf: Number) -> NDArray[Any]:
    """Look a property of each node's split up; LEAF (-1) finds the last entry."""
    return np.array([*column, at_leaf])[split]


def _covers(trees: list[RawTree]) -> NDArray[np.float64]:
    """All trees' covers, or nothing at all where one tree has none."""
    covers = [tree.cover for tree in trees if tree.cover is not None]
    return np.concatenate(covers) if len(covers) == len(trees) else np.zeros(0)


def _category_sets(
    parsed: CatBoostArtifact, categories: Sequence[Sequence[int]]
) -> tuple[list[int], list[int], NDArray[np.uint32]]:
    """Return each split's bit set: where it starts, how many words it has, and all words."""
    starts, sizes, words = [], [], [np.zeros(0, dtype=np.uint32)]
    position = 0
    for split in parsed.features.splits:
        if split.category is None:
            starts.append(NUMERIC)
            sizes.append(0)
            continue
        codes = [code for code, number in enumerate(categories[split.feature]) if number == split.category]
        bits = np.zeros(max(codes, default=0) // 32 + 1, dtype=np.uint32)
        for code in codes:
            bits[code // 32] |= np.uint32(1 << code % 32)
        starts.append(position)
        sizes.append(len(bits))
        words.append(bits)
        position += len(bits)
    return starts, sizes, np.concatenate(words)
