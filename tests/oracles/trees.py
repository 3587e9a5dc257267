"""Reading trees one node at a time, as the docstring of `TreeEnsemble` says; and growing some at random."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from explain.models.ensemble import (
    BELOW_ZERO,
    LEAF,
    MISSING_NAN,
    MISSING_NONE,
    MISSING_ZERO,
    NUMERIC,
    ZERO_WINDOW,
    TreeEnsemble,
)

Reals = NDArray[np.float64]


def rounded(trees: TreeEnsemble, rows: Reals) -> Reals:
    """Round numbers to the width in which the library compares."""
    return rows.astype(np.float32).astype(np.float64) if trees.input_width == 32 else rows


def goes_left(trees: TreeEnsemble, node: int, x: float) -> bool:
    """Which child a rounded number goes to."""
    default = bool(trees.default_left[node])
    start = int(trees.category_start[node])
    if start != NUMERIC:
        if math.isnan(x):
            return default
        word, bit = divmod(int(x), 32)
        inside = int(x) >= 0 and word < int(trees.category_size[node])
        listed = inside and bool(int(trees.category_words[start + word]) >> bit & 1)
        return listed == (trees.listed_goes == "left")
    kind = int(trees.missing[node])
    if kind == MISSING_NONE and math.isnan(x):
        x = 0.0
    if math.isnan(x) or (kind == MISSING_ZERO and BELOW_ZERO < x <= ZERO_WINDOW):
        return default
    threshold = float(trees.threshold[node])
    return x < threshold if trees.comparison == "<" else x <= threshold


def margins(trees: TreeEnsemble, rows: Reals) -> Reals:
    """The margins of rows, shape (n, outputs), as float64 sums over the base margins."""
    total = np.tile(trees.base_margins, (len(rows), 1))
    for number, row in enumerate(rounded(trees, rows)):
        for tree, output in enumerate(trees.tree_output.tolist()):
            node = int(trees.offsets[tree])
            while trees.left[node] != LEAF:
                x = float(row[trees.feature[node]])
                node = int(trees.left[node] if goes_left(trees, node, x) else trees.right[node])
            total[number, output] += trees.value[node]
    return total


class Growing:
    """A tree ensemble under construction: columns of nodes, one tree after the other."""

    def __init__(self, generator: np.random.Generator, features: int, missing: tuple[int, ...]) -> None:
        self.generator, self.features, self.missing = generator, features, missing
        self.offsets, self.words = [0], []
        self.nodes: list[dict[str, float]] = []

    def grow(self, depth: int) -> None:
        """Add one tree: thresholds on a coarse grid, a third of them by category, some leaves uncovered."""
        root = self._leaf(cover=float(self.generator.integers(20, 60)))
        pending = [(root, 0)]
        for node, level in pending:
            if level < depth and self.nodes[node]["cover"] > 0.0 and self.generator.random() < 0.8:
                pending += [(child, level + 1) for child in self._split(node)]
        self.offsets.append(len(self.nodes))

    def _leaf(self, cover: float) -> int:
        self.nodes.append(
            {"left": LEAF, "right": LEAF, "feature": LEAF, "threshold": math.nan, "default": 0}
            | {
                "value": float(self.generator.normal()),
                "cover": cover,
                "start": NUMERIC,
                "size": 0,
                "missing": 0,
            }
        )
        return len(self.nodes) - 1

    def _split(self, node: int) -> tuple[int, int]:
        generator, old = self.generator, self.nodes[node]
        share = generator.choice([0.0, 0.25, 0.5, generator.random()]) if old["cover"] else 0.0
        share = float(generator.choice([0.0, 0.25, 0.5, generator.random()]))
        left, right = self._leaf(old["cover"] * share), self._leaf(old["cover"] * (1.0 - share))
        old |= {"left": left, "right": right, "feature": int(generator.integers(self.features)), "value": 0.0}
        old |= {"default": int(generator.integers(2)), "missing": int(generator.choice(self.missing))}
        if generator.random() < 0.3:
            old |= {"start": len(self.words), "size": 1}
            self.words.append(int(generator.integers(1, 31)))
        else:
            old["threshold"] = float(generator.integers(-1, 5))
        return left, right

    def column(self, name: str, kind: type) -> NDArray:
        """One column of all nodes."""
        return np.array([node[name] for node in self.nodes], dtype=kind)


def random_trees(
    seed: int,
    *,
    features: int = 4,
    trees: int = 3,
    depth: int = 5,
    outputs: int = 1,
    comparison: str = "<",
    listed_goes: str = "right",
    missing: tuple[int, ...] = (MISSING_NAN,),
) -> TreeEnsemble:
    """Grow random trees with covers, in turn for each output; nodes draw their `missing` from those given."""
    growing = Growing(np.random.default_rng(seed), features, missing)
    for _ in range(trees):
        growing.grow(depth)
    return TreeEnsemble(
        offsets=np.array(growing.offsets, dtype=np.int64),
        left=growing.column("left", np.int32),
        right=growing.column("right", np.int32),
        feature=growing.column("feature", np.int32),
        threshold=growing.column("threshold", np.float64),
        missing=growing.column("missing", np.uint8),
        default_left=growing.column("default", np.bool_),
        value=growing.column("value", np.float64),
        cover=growing.column("cover", np.float64),
        category_start=growing.column("start", np.int64),
        category_size=growing.column("size", np.int64),
        category_words=np.array(growing.words, dtype=np.uint32),
        tree_output=(np.arange(trees) % outputs).astype(np.int32),
        base_margins=np.linspace(0.5, 1.5, outputs),
        n_features=features,
        comparison=comparison,
        listed_goes=listed_goes,
        input_width=64,
        float_width=64,
    )


def random_rows(seed: int, count: int, features: int = 4) -> Reals:
    """Draw rows over the grid of thresholds and codes, with gaps, zeros and numbers close to zero."""
    generator = np.random.default_rng(seed)
    rows = generator.integers(-1, 6, size=(count, features)).astype(np.float64)
    rows[generator.random(rows.shape) < 0.1] = np.nan
    near = generator.random(rows.shape) < 0.1
    rows[near] = generator.choice([1e-36, -1e-36, ZERO_WINDOW, -ZERO_WINDOW, 1e-34], size=int(near.sum()))
    return rows
