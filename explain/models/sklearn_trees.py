"""The trees of a scikit-learn file: node records checked, then in the common form.

scikit-learn follows child and feature numbers without looking. Its builders write parents before their
children, so a child number that is larger than its parent's and claimed once excludes every cycle.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explain.errors import ModelCorrupt, ModelUnsupported
from explain.features import FloatWidth
from explain.models.ensemble import LEAF, MISSING_NAN, NUMERIC, TreeEnsemble

Ints = NDArray[np.int64]
Reals = NDArray[np.float64]
Mask = NDArray[np.bool_]
Record = NDArray[np.void]

DEPTH_LIMIT = 1024
NODE_LIMIT = 1 << 25  # nodes times outputs: 2.3 GiB in the common form
BITS = 256  # what scikit-learn keeps for the categories of one split


@dataclass(frozen=True, slots=True, eq=False)
class Trees:
    """All trees of a file, node numbers counted over the whole file.

    `value` has shape (nodes, outputs) and holds what each leaf adds to the margins. `tree_output` names the
    one output of each tree; where it is None every tree adds to all outputs. `bitset` is the row of
    `bitsets` (m, 8 words) that lists the categories a split sends left, NUMERIC at other nodes.
    """

    offsets: Ints
    left: Ints
    right: Ints
    feature: Ints
    threshold: Reals
    missing_left: Mask
    value: Reals
    cover: Reals
    tree_output: Ints | None
    bitset: Ints
    bitsets: NDArray[np.uint32]

    @property
    def tree_count(self) -> int:
        """How many trees the file holds."""
        return len(self.offsets) - 1

    def ensemble(
        self, base_margins: Reals, n_features: int, input_width: FloatWidth, codes: dict[int, tuple[int, int]]
    ) -> TreeEnsemble:
        """Give the trees in the common form.

        `codes` says for each categorical feature how many categories the artifact knows and how many the
        manifest lists: what the artifact does not know goes where a missing value goes.
        """
        picked, offsets, output = self._spread(len(base_margins))
        shift = np.repeat(offsets[:-1] - picked[offsets[:-1]], np.diff(offsets))
        inner = self.left[picked] != LEAF
        start, size, words = self._categories(codes)
        if self.value.shape[1] == 1:
            value = self.value[picked, 0]
        else:
            value = self.value[picked, np.repeat(output, np.diff(offsets))]
        return TreeEnsemble(
            offsets=offsets,
            left=np.where(inner, self.left[picked] + shift, LEAF).astype(np.int32),
            right=np.where(inner, self.right[picked] + shift, LEAF).astype(np.int32),
            feature=np.where(inner, self.feature[picked], LEAF).astype(np.int32),
            threshold=np.where(inner & (start[picked] == NUMERIC), self.threshold[picked], np.nan),
            missing=np.full(len(picked), MISSING_NAN, dtype=np.uint8),
            default_left=inner & self.missing_left[picked],
            value=np.where(inner, 0.0, value),
            cover=self.cover[picked],
            category_start=start[picked],
            category_size=size[picked],
            category_words=words,
            tree_output=output.astype(np.int32),
            base_margins=base_margins,
            n_features=n_features,
            comparison="<=",
            listed_goes="left",
            input_width=input_width,
            float_width=64,
        )

    def _spread(self, outputs: int) -> tuple[Ints, Ints, Ints]:
        """Return the nodes to take, where their trees begin, and each tree's output; a vector is several."""
        copies = 1 if self.tree_output is not None else outputs
        trees = np.repeat(np.arange(self.tree_count), copies)
        sizes = np.diff(self.offsets)[trees]
        offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        if offsets[-1] > NODE_LIMIT:
            raise ModelUnsupported(f"more than {NODE_LIMIT} nodes over all outputs")
        picked = np.arange(offsets[-1]) + np.repeat(self.offsets[:-1][trees] - offsets[:-1], sizes)
        output = (
            np.tile(np.arange(outputs), self.tree_count) if self.tree_output is None else self.tree_output
        )
        return picked, offsets, output

    def _categories(self, codes: dict[int, tuple[int, int]]) -> tuple[Ints, Ints, NDArray[np.uint32]]:
        """Return where each node's words start, how many there are, and the words."""
        start = np.full(len(self.left), NUMERIC, dtype=np.int64)
        size = np.zeros(len(self.left), dtype=np.int64)
        nodes = np.flatnonzero(self.bitset != NUMERIC)
        width = max([BITS // 32, *(-(-listed // 32) for _, listed in codes.values())])
        words = np.zeros((len(nodes), width), dtype=np.uint32)
        words[:, : BITS // 32] = self.bitsets[self.bitset[nodes]]
        for feature, (known, listed) in codes.items():
            unknown = np.zeros(32 * width, dtype=np.uint8)
            unknown[known:listed] = 1
            as_words = np.packbits(unknown, bitorder="little").view("<u4")
            words[(self.feature[nodes] == feature) & self.missing_left[nodes]] |= as_words
        start[nodes] = np.arange(len(nodes)) * width
        size[nodes] = width
        return start, size, words.ravel()


def read_forest(records: list[Record], values: Reals, n_features: int, tree_output: Ints | None) -> Trees:
    """Read the node records of plain trees; `values` (nodes, outputs) belongs to all of them in a row."""
    nodes, offsets = _joined(records)
    inner = nodes["left_child"] != LEAF
    _check(offsets, inner != (nodes["right_child"] != LEAF), "has one child only")
    _check_values(offsets, inner, values)
    return _checked(
        Trees(
            offsets=offsets,
            left=_numbered(nodes["left_child"], inner, offsets),
            right=_numbered(nodes["right_child"], inner, offsets),
            feature=nodes["feature"],
            threshold=nodes["threshold"],
            missing_left=_flags(nodes, "missing_go_to_left", offsets),
            value=values,
            cover=nodes["weighted_n_node_samples"],
            tree_output=tree_output,
            bitset=np.full(len(nodes), NUMERIC, dtype=np.int64),
            bitsets=np.zeros((0, BITS // 32), dtype=np.uint32),
        ),
        inner,
        n_features,
    )


def read_histogram(
    records: list[Record], bitsets: list[NDArray[np.uint32]], columns: Ints, tree_output: Ints
) -> Trees:
    """Read the node records of histogram boosting.

    `bitsets` has each tree's own categorical splits; `columns` names the feature that each of the trees'
    columns is.
    """
    nodes, offsets = _joined(records)
    inner = ~_flags(nodes, "is_leaf", offsets)
    column = nodes["feature_idx"]
    _check(offsets, inner & ((column < 0) | (column >= len(columns))), "splits on a feature out of range")
    categorical = _flags(nodes, "is_categorical", offsets) & inner
    rows = np.array([len(one) for one in bitsets], dtype=np.int64)
    own = nodes["bitset_idx"].astype(np.int64)
    sizes = np.diff(offsets)
    _check(offsets, categorical & (own >= np.repeat(rows, sizes)), "has no set of categories")
    before = np.repeat(np.concatenate([[0], np.cumsum(rows)[:-1]]).astype(np.int64), sizes)
    values = np.ascontiguousarray(nodes["value"])[:, np.newaxis]
    _check_values(offsets, inner, values)
    return _checked(
        Trees(
            offsets=offsets,
            left=_numbered(nodes["left"].astype(np.int64), inner, offsets),
            right=_numbered(nodes["right"].astype(np.int64), inner, offsets),
            feature=np.where(inner, columns[np.where(inner, column, 0)], LEAF),
            threshold=nodes["num_threshold"],
            missing_left=_flags(nodes, "missing_go_to_left", offsets),
            value=values,
            cover=nodes["count"].astype(np.float64),
            tree_output=tree_output,
            bitset=np.where(categorical, own + before, NUMERIC),
            bitsets=np.concatenate([np.zeros((0, BITS // 32), dtype=np.uint32), *bitsets]),
        ),
        inner,
        len(columns),
    )


def _joined(records: list[Record]) -> tuple[Record, Ints]:
    """Put all trees into one array; return where each begins."""
    if not records:
        raise ModelCorrupt("the model has no trees")
    for number, record in enumerate(records):
        if record.ndim != 1 or len(record) == 0:
            raise ModelCorrupt(f"tree {number} has no nodes")
    offsets = np.cumsum([0, *(len(record) for record in records)], dtype=np.int64)
    if offsets[-1] > NODE_LIMIT:
        raise ModelUnsupported(f"more than {NODE_LIMIT} nodes")
    return np.concatenate(records), offsets


def _numbered(child: Ints, inner: Mask, offsets: Ints) -> Ints:
    """Check that children lie after their parents in the same tree; count them over the whole file."""
    sizes = np.diff(offsets)
    own = np.arange(len(child)) - np.repeat(offsets[:-1], sizes)
    _check(offsets, inner & ((child <= own) | (child >= np.repeat(sizes, sizes))), "has a child out of range")
    return np.where(inner, child + np.repeat(offsets[:-1], sizes), LEAF)


def _checked(trees: Trees, inner: Mask, n_features: int) -> Trees:
    """Check what both kinds of trees have in common."""
    children = np.concatenate([trees.left[inner], trees.right[inner]])
    claims = np.bincount(children, minlength=len(trees.left))
    roots = np.zeros(len(trees.left), dtype=np.bool_)
    roots[trees.offsets[:-1]] = True
    _check(trees.offsets, claims > 1, "is the child of several nodes")
    _check(trees.offsets, (claims == 0) & ~roots, "is never reached from the root")
    outside = (trees.feature < 0) | (trees.feature >= n_features)
    _check(trees.offsets, inner & outside, "splits on a feature out of range")
    numeric = inner & (trees.bitset == NUMERIC)
    _check(trees.offsets, numeric & np.isnan(trees.threshold), "has a threshold that is not a number")
    weightless = ~np.isfinite(trees.cover) | (trees.cover < 0)
    _check(trees.offsets, weightless, "has a training weight that is not a number")
    level = trees.offsets[:-1]
    for _ in range(DEPTH_LIMIT + 1):
        parents = level[inner[level]]
        if not len(parents):
            return trees
        level = np.concatenate([trees.left[parents], trees.right[parents]])
    raise ModelUnsupported(f"trees deeper than {DEPTH_LIMIT} levels")


def _check_values(offsets: Ints, inner: Mask, values: Reals) -> None:
    _check(offsets, ~inner & ~np.isfinite(values).all(axis=1), "has a leaf value that is not finite")


def _flags(nodes: Record, name: str, offsets: Ints) -> Mask:
    """Return a field of zeros and ones."""
    flags = nodes[name]
    _check(offsets, flags > 1, f"has a {name} that is not 0 or 1")
    return np.asarray(flags == 1)


def _check(offsets: Ints, broken: Mask, what: str) -> None:
    """Raise for the first broken node, named by its tree and its number there."""
    if broken.any():
        node = int(np.argmax(broken))
        tree = int(np.searchsorted(offsets, node, side="right")) - 1
        raise ModelCorrupt(f"tree {tree}: node {node - int(offsets[tree])} {what}")
