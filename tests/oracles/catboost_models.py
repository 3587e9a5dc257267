"""Real CatBoost models for tests, and the truth about them: native leaves, summed in float64."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import catboost
import numpy as np
from numpy.typing import NDArray

from explain.features import Feature, FeatureSpace
from explain.models import load_model
from explain.models.base import Model
from explain.models.ensemble import LEAF, NUMERIC, TreeEnsemble

Reals = NDArray[np.float64]

SETTINGS = {"iterations": 12, "depth": 3, "thread_count": 1, "allow_writing_files": False, "verbose": False}
TEXTS = (
    "own",
    "rent",
    "mit Eltern",
    "a long description that needs more than sixty-four bytes of text, ä",
    "7",
)


@dataclass(frozen=True, eq=False)
class CatBoosted:
    """A trained model as its own package loads it from the JSON file, and the rows it was trained on."""

    artifact: bytes
    rows: Reals
    categorical: tuple[int, ...]

    @property
    def space(self) -> FeatureSpace:
        """Declare f0, f1, ...; the categories are TEXTS and one that no training row had."""
        return FeatureSpace(
            tuple(
                Feature(f"f{position}", "category", categories=(*TEXTS, "unseen"))
                if position in self.categorical
                else Feature(f"f{position}", "number", nullable=True)
                for position in range(self.rows.shape[1])
            )
        )

    @property
    def document(self) -> dict[str, Any]:
        return json.loads(self.artifact)

    def model(self) -> Model:
        return load_model("catboost", self.artifact, self.space)

    def native(self, rows: Reals, kind: str = "RawFormulaVal") -> Reals:
        """Ask the library's own Python package."""
        return np.asarray(
            package_model(self.artifact).predict(
                spelled(rows, self.categorical), prediction_type=kind, thread_count=1
            )
        )

    def margins64(self, rows: Reals) -> Reals:
        """Sum the leaves that the native library picks, in float64."""
        document = self.document
        scale, bias = document["scale_and_bias"]
        leaves = package_model(self.artifact).calc_leaf_indexes(spelled(rows, self.categorical))
        trees = document["oblivious_trees"] if "oblivious_trees" in document else document["trees"]
        total = np.zeros((len(rows), len(bias)))
        for number, tree in enumerate(trees):
            values = np.array(tree["leaf_values"] if "leaf_values" in tree else leaf_values(tree))
            total += values.reshape(-1, len(bias))[leaves[:, number]]
        total = scale * total + np.array(bias)
        return total[:, 0] if len(bias) == 1 else total


def leaf_values(node: dict[str, Any]) -> list[Any]:
    """Return the leaves of a nested tree from left to right, as the library numbers them."""
    if "value" in node:
        return [node["value"]]
    return leaf_values(node["left"]) + leaf_values(node["right"])


@lru_cache(maxsize=64)
def package_model(artifact: bytes) -> catboost.CatBoost:
    """Load the file with the package, through a descriptor in memory."""
    descriptor = os.memfd_create("model")
    try:
        os.write(descriptor, artifact)
        return catboost.CatBoost().load_model(f"/proc/self/fd/{descriptor}", format="json")
    finally:
        os.close(descriptor)


def saved(model: catboost.CatBoost, pool: catboost.Pool | None = None, *, kind: str = "json") -> bytes:
    """Return what `save_model(path, format=kind)` writes."""
    descriptor = os.memfd_create("model")
    try:
        model.save_model(f"/proc/self/fd/{descriptor}", format=kind, pool=pool)
        return os.pread(descriptor, os.fstat(descriptor).st_size, 0)
    finally:
        os.close(descriptor)


def spelled(rows: Reals, categorical: Sequence[int]) -> NDArray[Any]:
    """Spell category codes out, as a user of the package has them."""
    if not categorical:
        return rows
    texts = np.array([*TEXTS, "unseen"], dtype=object)
    table = rows.astype(object)
    for position in categorical:
        table[:, position] = texts[rows[:, position].astype(int)]
    return table


def draw_rows(seed: int, count: int, features: int, categorical: Sequence[int] = ()) -> Reals:
    """Draw rows with repeated values (thresholds are hit in the middle), gaps and categories."""
    generator = np.random.default_rng(seed)
    rows = np.round(generator.normal(size=(count, features)), 1)
    rows[generator.random(rows.shape) < 0.1] = np.nan
    for position in categorical:
        rows[:, position] = generator.integers(0, len(TEXTS), size=count)
    return rows


def signal_of(rows: Reals) -> Reals:
    """Return a target with interactions, gaps and categories in it."""
    filled = np.nan_to_num(rows, nan=0.7)
    noise = np.random.default_rng(1).normal(size=len(rows))
    return filled[:, 0] + np.sin(3 * filled[:, -1]) * filled[:, len(filled[0]) // 2] + 0.3 * noise


def train_catboost(
    target: Reals | None = None,
    *,
    features: int = 5,
    categorical: Sequence[int] = (),
    rows: Reals | None = None,
    groups: NDArray[np.int64] | None = None,
    **settings: Any,
) -> CatBoosted:
    """Train a small model; the target is a classification of the signal unless one is given."""
    rows = draw_rows(0, 200, features, categorical) if rows is None else rows
    signal = signal_of(rows)
    label = (signal > np.median(signal)).astype(int) if target is None else target
    model = catboost.CatBoost({**SETTINGS, "loss_function": "Logloss", "one_hot_max_size": 20, **settings})
    pool = catboost.Pool(spelled(rows, categorical), label, cat_features=list(categorical), group_id=groups)
    model.fit(pool)
    return CatBoosted(saved(model), rows, tuple(categorical))


def walk(form: TreeEnsemble, rows: Reals) -> Reals:
    """Walk every row through the common form, by its definition."""
    total = np.tile(form.base_margins, (len(rows), 1))
    for number, row in enumerate(rows):
        narrow = row.astype(np.float32 if form.input_width == 32 else np.float64).astype(np.float64)
        for tree in range(form.tree_count):
            node = int(form.offsets[tree])
            while form.left[node] != LEAF:
                node = int((form.left if goes_left(form, node, narrow) else form.right)[node])
            total[number, form.tree_output[tree]] += form.value[node]
    return total[:, 0] if form.outputs == 1 else total


def goes_left(form: TreeEnsemble, node: int, row: Reals) -> bool:
    x = row[form.feature[node]]
    if np.isnan(x):
        return bool(form.default_left[node])
    if form.category_start[node] == NUMERIC:
        return bool(x <= form.threshold[node] if form.comparison == "<=" else x < form.threshold[node])
    start, size = int(form.category_start[node]), int(form.category_size[node])
    code = int(x)
    listed = code // 32 < size and form.category_words[start + code // 32] >> np.uint32(code % 32) & 1
    return bool(listed) == (form.listed_goes == "left")
