"""Real LightGBM boosters for tests, and the truth about them: native leaves, summed in float64."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from explain.features import Feature, FeatureSpace
from explain.models import load_model
from explain.models.base import Model
from tests.oracles.cases import Example

Reals = NDArray[np.float64]

CODES = 7  # categories that training sees; one more is declared


@dataclass(frozen=True)
class Trained:
    """A booster as its file gives it back, the rows it was trained on, and how to ask it about rows."""

    booster: lgb.Booster
    text: str
    rows: Reals
    space: FeatureSpace

    @property
    def artifact(self) -> bytes:
        return self.text.encode()

    def model(self) -> Model:
        return load_model("lightgbm", self.artifact, self.space)

    @property
    def averaged(self) -> bool:
        return "\naverage_output\n" in self.text

    def native(self, rows: Reals) -> Reals:
        """The package's raw score; of a forest its mean, which the package takes for the score only."""
        raw = self.booster.predict(rows, raw_score=True, num_threads=1)
        return raw / self.booster.current_iteration() if self.averaged else raw

    def scores(self, rows: Reals) -> Reals:
        return self.booster.predict(rows, num_threads=1)

    def margins64(self, rows: Reals) -> Reals:
        """Sum the leaves that the native library picks, in float64, round by round."""
        leaves = self.booster.predict(rows, pred_leaf=True, num_threads=1).reshape(len(rows), -1)
        outputs = self.booster.num_model_per_iteration()
        total = np.zeros((len(rows), outputs))
        for tree in range(leaves.shape[1]):
            values = {
                leaf: self.booster.get_leaf_output(tree, leaf) for leaf in set(leaves[:, tree].tolist())
            }
            total[:, tree % outputs] += [values[leaf] for leaf in leaves[:, tree].tolist()]
        if self.averaged:
            total /= self.booster.current_iteration()
        return total[:, 0] if outputs == 1 else total

    def thresholds(self) -> list[tuple[int, float]]:
        """The feature and threshold of each numeric split, as the library itself dumps them."""
        trees = self.booster.dump_model()["tree_info"]
        splits = (split for tree in trees for split in _splits(tree["tree_structure"]))
        return [
            (split["split_feature"], split["threshold"])
            for split in splits
            if split["decision_type"] == "<=" and abs(split["threshold"]) < 1e299
        ]

    def example(self) -> Example:
        return Example(
            artifact=self.artifact,
            space=self.space,
            rows=self.telling_rows(),
            reference=self.rows[:16],
            margins64=self.margins64,
            native=self.native,
        )

    def telling_rows(self) -> Reals:
        """Rows with gaps, exact threshold hits, numbers close to zero and a category unseen in training."""
        rows = self.rows[20:32].copy()
        for number, (feature, threshold) in enumerate(self.thresholds()[: len(rows) - 4]):
            rows[number, feature] = threshold
        rows[-1] = np.nan
        for position, feature in enumerate(self.space.features):
            if feature.type == "category":
                rows[-2, position] = len(feature.categories) - 1
            else:
                rows[-2, position] = 0.0
                rows[-3, position] = float(np.float32(-1e-35))
                rows[-4, position] = 1e-36
        return rows


def _splits(node: dict) -> Iterator[dict]:
    pending = [node]
    for one in pending:
        if "split_feature" in one:
            yield one
            pending += [one["left_child"], one["right_child"]]


def trained(booster: lgb.Booster, rows: Reals, space: FeatureSpace) -> Trained:
    """Take a booster through its own file, which is all that a registry ever sees of it."""
    text = booster.model_to_string()
    return Trained(lgb.Booster(model_str=text), text, rows, space)


def resized(artifact: bytes) -> bytes:
    """Set tree_sizes right again after the trees were edited."""
    head, _, rest = artifact.partition(b"\n\n")
    trees, end, tail = rest.partition(b"end of trees\n")
    blocks = [b"Tree=" + block for block in trees.split(b"Tree=")[1:]]
    sizes = b" ".join(b"%d" % len(block) for block in blocks)
    head = re.sub(rb"tree_sizes=.*", b"tree_sizes=" + sizes, head)
    return head + b"\n\n" + trees + end + tail


def space_of(types: Sequence[str], codes: int = CODES) -> FeatureSpace:
    """Declare the features f0, f1, ..., each category with one code more than training sees."""
    categories = tuple(f"c{code}" for code in range(codes + 1))
    return FeatureSpace(
        tuple(
            Feature(f"f{position}", "category", categories=categories, nullable=True)
            if kind == "c"
            else Feature(f"f{position}", "number", nullable=True)
            for position, kind in enumerate(types)
        ),
        float_width=64,
    )


def draw_rows(seed: int, count: int, types: Sequence[str], missing: float = 0.1, codes: int = CODES) -> Reals:
    """Draw rows with repeated values, many zeros, gaps and categories."""
    generator = np.random.default_rng(seed)
    rows = np.round(generator.normal(size=(count, len(types))), 1)
    rows[generator.random(rows.shape) < 0.15] = 0.0
    for position, kind in enumerate(types):
        if kind == "c":
            rows[:, position] = generator.integers(0, codes, size=count)
    rows[generator.random(rows.shape) < missing] = np.nan
    return rows


def signal(rows: Reals, seed: int) -> Reals:
    """Noisy interactions of the features, in which zero, a gap and some categories matter."""
    filled = np.nan_to_num(rows, nan=0.4)
    clean = filled[:, 0] + np.sin(3 * filled[:, -1]) * filled[:, len(rows[0]) // 2]
    special = (rows[:, 0] == 0) * 1.5 - np.isnan(rows[:, -1]) + (filled[:, 0] % 3 == 1)
    return clean + special + 0.3 * np.random.default_rng(seed + 1).normal(size=len(rows))


def train(
    types: Sequence[str] = ("q",) * 5,
    *,
    seed: int = 0,
    rounds: int = 12,
    count: int = 400,
    missing: float = 0.1,
    codes: int = CODES,
    **parameters,
) -> Trained:
    """Train a booster; `parameters` are LightGBM's own."""
    rows = draw_rows(seed, count, types, missing, codes)
    target = signal(rows, seed)
    for position, kind in enumerate(types):
        if kind == "c":
            target += 2.0 * (rows[:, position] % 3 == 1)
    labels = labels_for(parameters.get("objective"), target)
    return train_on(rows, labels, types, rounds, codes=codes, **parameters)


def labels_for(objective: object, target: Reals) -> Reals:
    """Labels that an objective accepts."""
    ranks = np.argsort(np.argsort(target))
    if objective in ("multiclass", "multiclassova", "lambdarank", "rank_xendcg"):
        return ranks * 3 // len(target)
    if objective in ("poisson", "gamma", "tweedie"):
        return np.exp(target / 2) + 0.1
    if objective in (None, "binary", "cross_entropy", "cross_entropy_lambda"):
        return (target > np.median(target)).astype(float)
    return target


def train_on(
    rows: Reals, labels: Reals, types: Sequence[str], rounds: int, *, codes: int = CODES, **parameters
) -> Trained:
    """Train on given rows and labels; without a name the features are Column_0, Column_1, ... in the file."""
    settings = {
        "objective": "binary",
        "num_leaves": 8,
        "min_data_in_leaf": 5,
        "min_data_per_group": 5,
        "cat_smooth": 1.0,
        "num_threads": 1,
        "deterministic": True,
        "seed": 1,
        "verbosity": -1,
    } | parameters
    if settings["objective"] in ("multiclass", "multiclassova"):
        settings.setdefault("num_class", 3)
    ranking = settings["objective"] in ("lambdarank", "rank_xendcg")
    data = lgb.Dataset(
        rows,
        label=labels,
        group=[len(rows) // 4] * 4 if ranking else None,
        categorical_feature=[position for position, kind in enumerate(types) if kind == "c"],
        free_raw_data=False,
    )
    return trained(lgb.train(settings, data, rounds), rows, space_of(types, codes))


def written(features: int, trees: list[dict[str, list]]) -> Trained:
    """Write a file as the library would, which then reads it."""
    blocks = []
    for number, tree in enumerate(trees):
        lines = [f"Tree={number}", f"num_leaves={len(tree['leaf_value'])}", "num_cat=0"]
        lines += [f"{name}={' '.join(map(str, row))}" for name, row in tree.items()]
        blocks.append("\n".join([*lines, "is_linear=0", "shrinkage=1", "", "", ""]))
    names = [f"f{position}" for position in range(features)]
    head = ["tree", "version=v4", "num_class=1", "num_tree_per_iteration=1", "label_index=0"]
    head += [f"max_feature_idx={features - 1}", "objective=regression", f"feature_names={' '.join(names)}"]
    head += [f"feature_infos={' '.join(['none'] * features)}"]
    head += [f"tree_sizes={' '.join(str(len(block)) for block in blocks)}", "", ""]
    text = "\n".join(head) + "".join(blocks) + "end of trees\n"
    space = FeatureSpace(tuple(Feature(name, "number", nullable=True) for name in names), float_width=64)
    return Trained(lgb.Booster(model_str=text), text, np.zeros((0, features)), space)
