"""Real XGBoost boosters for tests, and the truth about them: native leaves, summed in float64."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xgboost as xgb
from numpy.typing import NDArray

from explain.features import Feature, FeatureSpace
from explain.models import load_model
from explain.models.base import Model

Reals = NDArray[np.float64]


@dataclass(frozen=True)
class Trained:
    """A booster, the rows it was trained on, and how to ask the native library about rows."""

    booster: xgb.Booster
    rows: Reals
    types: tuple[str, ...]

    @property
    def space(self) -> FeatureSpace:
        return space_of(self.types, self.rows)

    def artifact(self, spelling: str = "ubj") -> bytes:
        return bytes(self.booster.save_raw(spelling))

    def document(self) -> dict:
        return json.loads(self.artifact("json"))

    def model(self, spelling: str = "ubj") -> Model:
        return load_model("xgboost", self.artifact(spelling), self.space)

    def matrix(self, rows: Reals) -> xgb.DMatrix:
        return xgb.DMatrix(
            rows, feature_types=list(self.types), enable_categorical="c" in self.types, nthread=1
        )

    def margins64(self, rows: Reals, rounds: int = 0) -> Reals:
        """Sum the leaves that the native library picks, in float64, over the base margin."""
        leaves = self.booster.predict(self.matrix(rows), pred_leaf=True, iteration_range=(0, rounds))
        leaves = leaves.reshape(len(rows), -1).astype(np.int64)
        trees = self.document()["learner"]["gradient_booster"]["model"]["trees"]
        total = np.full(len(rows), self.base_margin())
        for number in range(leaves.shape[1]):
            values = np.array(trees[number]["split_conditions"], dtype=np.float32).astype(np.float64)
            total += values[leaves[:, number]]
        return total

    def base_margin(self) -> float:
        """Turn the stored base score into a margin, in 32-bit steps."""
        learner = self.document()["learner"]
        score = float(json.loads(learner["learner_model_param"]["base_score"])[0])
        if learner["objective"]["name"] in ("binary:logistic", "reg:logistic"):
            score = float(np.float32(-np.log(np.float32(1) / np.float32(score) - np.float32(1))))
        return float(np.float32(score))


def space_of(types: Sequence[str], rows: Reals) -> FeatureSpace:
    """Declare the features f0, f1, ... with as many categories as the rows show."""
    features = []
    for position, kind in enumerate(types):
        if kind == "c":
            count = int(np.nanmax(rows[:, position])) + 1
            names = tuple(f"c{code}" for code in range(count))
            features.append(Feature(f"f{position}", "category", categories=names, nullable=True))
        else:
            features.append(Feature(f"f{position}", "number", nullable=True))
    return FeatureSpace(tuple(features))


def draw_rows(seed: int, count: int, types: Sequence[str], missing: float = 0.1) -> Reals:
    """Draw rows with repeated values (so that thresholds are hit exactly), gaps and categories."""
    generator = np.random.default_rng(seed)
    rows = np.round(generator.normal(size=(count, len(types))), 1).astype(np.float32).astype(np.float64)
    for position, kind in enumerate(types):
        if kind == "c":
            rows[:, position] = generator.integers(0, 7 + position, size=count)
    rows[generator.random(rows.shape) < missing] = np.nan
    return rows


def train(
    types: Sequence[str],
    *,
    seed: int = 0,
    rounds: int = 12,
    count: int = 400,
    missing: float = 0.1,
    **parameters,
) -> Trained:
    """Train a booster on noisy interactions of the features."""
    rows = draw_rows(seed, count, types, missing)
    filled = np.nan_to_num(rows, nan=0.4)
    signal = filled[:, 0] + np.sin(3 * filled[:, -1]) * filled[:, len(types) // 2] + (filled[:, 0] % 3 == 1)
    noise = np.random.default_rng(seed + 1).normal(size=count)
    target = signal + 0.3 * noise
    settings = {
        "objective": "binary:logistic",
        "max_depth": 4,
        "min_child_weight": 0,
        "nthread": 1,
        "seed": seed,
    }
    settings.update(parameters)
    if settings["objective"] != "reg:squarederror":
        target = (target > np.median(target)).astype(float)
    matrix = xgb.DMatrix(
        rows, label=target, feature_types=list(types), enable_categorical="c" in types, nthread=1
    )
    return Trained(xgb.train(settings, matrix, rounds), rows, tuple(types))


def brute_force(trained: Trained, row: Reals, reference: Reals, rounds: int = 0) -> tuple[float, Reals]:
    """Enumerate all 2^d coalitions of the interventional game (Shapley 1953); return base value and phi."""
    d = len(row)
    coalitions = np.arange(2**d)
    inside = (coalitions[:, None] >> np.arange(d) & 1) == 1
    hybrids = np.where(inside[:, None, :], row, reference[None, :, :])
    margins = trained.margins64(hybrids.reshape(-1, d), rounds)
    value = margins.reshape(2**d, len(reference)).mean(axis=1)
    phi = np.zeros(d)
    for feature in range(d):
        for coalition in coalitions[~inside[:, feature]].tolist():
            size = coalition.bit_count()
            weight = math.factorial(size) * math.factorial(d - size - 1) / math.factorial(d)
            phi[feature] += weight * (value[coalition | 1 << feature] - value[coalition])
    return float(value[0]), phi
