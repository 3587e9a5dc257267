"""Small forests whose every answer can be enumerated, behind the same protocol as the real models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from explain.features import Feature, FeatureSpace, FloatWidth
from explain.models.base import Prediction
from explain.models.ensemble import LEAF, MISSING_NAN, MISSING_NONE, MISSING_ZERO, NUMERIC, TreeEnsemble

FloatArray = NDArray[np.float64]
ZERO = float(np.float32(1e-35))


@dataclass(frozen=True)
class Split:
    """One test of a tree, or with `value` a leaf; `codes` are the categories that go right."""

    value: float = 0.0
    feature: int = -1
    threshold: float = 0.0
    codes: tuple[int, ...] | None = None
    default_left: bool = True
    missing: int = MISSING_NAN
    left: Split | None = None
    right: Split | None = None


class Forest:
    """A model made by hand; it predicts by walking its trees one row at a time, as a reader would."""

    family = "by_hand"
    digest = "sha256:" + "0" * 64

    def __init__(
        self,
        space: FeatureSpace,
        trees: list[Split],
        base_margin: float = 0.0,
        comparison: str = "<",
        float_width: FloatWidth | None = None,
    ) -> None:
        self.space = space
        self.float_width: FloatWidth = space.float_width if float_width is None else float_width
        self.rows_scored = 0
        self._trees = trees
        self._base = base_margin
        self._comparison = comparison

    def margins(self, rows: FloatArray) -> FloatArray:
        self.rows_scored += len(rows)
        return np.array([self._base + sum(self._walk(tree, row) for tree in self._trees) for row in rows])

    def predict(self, rows: FloatArray) -> Prediction:
        margins = self.margins(rows)
        return Prediction(margins, 1.0 / (1.0 + np.exp(-margins)))

    def _walk(self, node: Split, row: FloatArray) -> float:
        while node.left is not None and node.right is not None:
            node = node.left if self._goes_left(node, float(row[node.feature])) else node.right
        return node.value

    def _goes_left(self, node: Split, x: float) -> bool:
        if node.codes is not None:
            return node.default_left if np.isnan(x) else int(x) not in node.codes
        seen = float(np.float32(x)) if self.space.float_width == 32 else x
        if np.isnan(seen) and node.missing == MISSING_NONE:
            seen = 0.0
        nothing = node.missing == MISSING_ZERO and -ZERO <= seen <= ZERO
        if np.isnan(seen) or nothing:
            return node.default_left
        return seen < node.threshold if self._comparison == "<" else seen <= node.threshold

    def form(self) -> TreeEnsemble:
        nodes: list[Split] = []
        lefts: list[int] = []
        rights: list[int] = []
        offsets = [0]
        words: list[int] = []
        starts: list[int] = []

        def add(node: Split) -> int:
            number = len(nodes)
            nodes.append(node)
            lefts.append(LEAF)
            rights.append(LEAF)
            starts.append(NUMERIC)
            if node.codes is not None:
                starts[number] = len(words)
                words.append(sum(1 << code for code in node.codes))
            if node.left is not None and node.right is not None:
                lefts[number] = add(node.left)
                rights[number] = add(node.right)
            return number

        for tree in self._trees:
            add(tree)
            offsets.append(len(nodes))
        return TreeEnsemble(
            offsets=np.array(offsets, dtype=np.int64),
            left=np.array(lefts, dtype=np.int32),
            right=np.array(rights, dtype=np.int32),
            feature=np.array([max(node.feature, 0) for node in nodes], dtype=np.int32),
            threshold=np.array([node.threshold for node in nodes]),
            missing=np.array([node.missing for node in nodes], dtype=np.uint8),
            default_left=np.array([node.default_left for node in nodes]),
            value=np.array([node.value for node in nodes]),
            cover=np.zeros(0),
            category_start=np.array(starts, dtype=np.int64),
            category_size=np.array([int(start != NUMERIC) for start in starts], dtype=np.int64),
            category_words=np.array(words, dtype=np.uint32),
            n_features=len(self.space.features),
            tree_output=np.zeros(len(self._trees), dtype=np.int32),
            base_margins=np.array([self._base]),
            comparison="<" if self._comparison == "<" else "<=",
            listed_goes="right",
            input_width=self.space.float_width,
            float_width=self.float_width,
        )


def _grow(rng: np.random.Generator, space: FeatureSpace, depth: int) -> Split:
    if depth == 0 or rng.random() < 0.1:
        return Split(value=float(rng.normal()))
    at = int(rng.integers(len(space.features)))
    feature = space.features[at]
    codes = None
    threshold = float(np.float32(rng.choice([0.5, 1.0, 1.7, 2.25, 3.0, 4.1])))
    if feature.type == "category":
        size = int(rng.integers(1, len(feature.categories)))
        codes = tuple(sorted(rng.choice(len(feature.categories), size=size, replace=False).tolist()))
    if feature.type == "boolean":
        threshold = 0.5
    return Split(
        feature=at,
        threshold=threshold,
        codes=codes,
        default_left=bool(rng.random() < 0.5),
        left=_grow(rng, space, depth - 1),
        right=_grow(rng, space, depth - 1),
    )


GrowForest = Callable[..., Forest]


@pytest.fixture
def mixed_space() -> FeatureSpace:
    return FeatureSpace(
        (
            Feature("rate", "number", minimum=0.0, maximum=5.0, nullable=True),
            Feature("years", "integer", minimum=0.0, maximum=5.0),
            Feature("owner", "boolean"),
            Feature("kind", "category", categories=("a", "b", "c"), nullable=True),
            Feature("age", "integer", sensitive=True),
        )
    )


@pytest.fixture
def grow_forest(mixed_space: FeatureSpace) -> GrowForest:
    """Grow a random forest over the mixed features from a seed."""

    def grow(seed: int, trees: int = 6, depth: int = 3, comparison: str = "<", width: int = 32) -> Forest:
        rng = np.random.default_rng(seed)
        space = FeatureSpace(mixed_space.features, 64 if width == 64 else 32)
        grown = [_grow(rng, space, depth) for _ in range(trees)]
        return Forest(space, grown, float(rng.normal()), comparison)

    return grow


@pytest.fixture
def make_forest() -> type[Forest]:
    return Forest


@pytest.fixture
def split() -> type[Split]:
    return Split
