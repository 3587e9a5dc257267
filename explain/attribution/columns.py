"""Columns: what the rows' ranks are taken from, and each node's test as a column and a cut."""

from __future__ import annotations

import numpy as np

from explain.attribution.structures import Columns, Ints, Reals, Small
from explain.models.ensemble import LEAF, MISSING_NAN, MISSING_NONE, NUMERIC, TreeEnsemble


def columns_of(trees: TreeEnsemble) -> tuple[Columns, Small, Small]:
    """Return the columns, and for every node of the ensemble its column and cut (0 and 1 at a leaf)."""
    column = np.zeros(trees.node_count, dtype=np.int32)
    cut = np.ones(trees.node_count, dtype=np.int32)
    inner = trees.left != LEAF
    numeric = np.flatnonzero(inner & (trees.category_start == NUMERIC))
    categorical = np.flatnonzero(inner & (trees.category_start != NUMERIC))
    key = (trees.feature.astype(np.int64) * 8 + trees.missing * 2 + ~trees.default_left)[numeric]
    keys, number = np.unique(key, return_inverse=True)
    column[numeric] = number + 1
    cuts: list[Reals] = [np.zeros(0)]
    by_column = numeric[np.argsort(number, kind="stable")]
    for nodes in np.split(by_column, np.cumsum(np.bincount(number, minlength=len(keys)))[:-1]):
        distinct, place = np.unique(trees.threshold[nodes], return_inverse=True)
        cut[nodes] = place + 1
        if len(nodes):
            cuts.append(distinct)
    sets, of_set = _category_sets(trees, categorical)
    column[categorical] = of_set + 1 + len(keys)
    first = categorical[np.unique(of_set, return_index=True)[1]]  # one node for each set
    columns = Columns(
        feature=np.concatenate([[0], keys // 8, trees.feature[first]]).astype(np.int32),
        missing=np.concatenate([[MISSING_NONE], keys % 8 // 2, np.full(len(sets), MISSING_NAN)]).astype(
            np.uint8
        ),
        default_right=np.concatenate([[0], keys % 2, ~trees.default_left[first]]).astype(np.bool_),
        categorical=np.arange(1 + len(keys) + len(sets)) > len(keys),
        cut_at=_starts([len(one) for one in cuts] + [0] * len(sets)),
        cuts=np.concatenate(cuts),
        word_at=_starts([0] * (1 + len(keys)) + [len(one) // 4 for one in sets]),
        words=np.frombuffer(b"".join(sets), dtype=np.uint32).copy(),
        inclusive=trees.comparison == "<=",
        listed_right=trees.listed_goes == "right",
        narrow=trees.input_width == 32,
    )
    return columns, column, cut


def _category_sets(trees: TreeEnsemble, nodes: Ints) -> tuple[list[bytes], Ints]:
    """Return the distinct bit sets of categorical splits and for each split the number of its own.

    Two splits share one where feature, default side and categories are the same.
    """
    number: dict[tuple[int, bool, bytes], int] = {}
    of_node = np.zeros(len(nodes), dtype=np.int64)
    for at, node in enumerate(nodes.tolist()):
        start, size = int(trees.category_start[node]), int(trees.category_size[node])
        words = trees.category_words[start : start + size].astype(np.uint32).tobytes()
        key = (int(trees.feature[node]), bool(trees.default_left[node]), words)
        of_node[at] = number.setdefault(key, len(number))
    return [words for _, _, words in number], of_node


def _starts(lengths: list[int]) -> Ints:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
