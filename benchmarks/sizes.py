"""The model sizes of the house, trained by each library on the same data."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xgboost as xgb
from numpy.typing import NDArray

REFERENCE_ROWS = 1_000
BATCH_ROWS = 10_000


@dataclass(frozen=True)
class Size:
    """A model size."""

    name: str
    trees: int
    depth: int
    features: int
    training_rows: int


SIZES = (
    Size("S", 100, 4, 20, 5_000),
    Size("M", 500, 6, 50, 10_000),
    Size("L", 1_000, 8, 100, 20_000),
)


@dataclass(frozen=True, eq=False)
class Data:
    """Training rows with labels, the reference, and unseen rows to explain."""

    training: NDArray[np.float32]
    labels: NDArray[np.int64]
    reference: NDArray[np.float64]
    unseen: NDArray[np.float64]


def draw(size: Size) -> Data:
    """Draw noisy interactions of normal features."""
    generator = np.random.default_rng(1)
    rows = generator.normal(size=(size.training_rows, size.features)).astype(np.float32)
    weights = generator.normal(size=size.features) / np.sqrt(size.features)
    signal = rows @ weights + 0.6 * np.sin(2 * rows[:, 0]) * rows[:, 1] + 0.5 * rows[:, 2] * rows[:, 3]
    labels = (signal + 0.7 * generator.normal(size=size.training_rows) > 0).astype(np.int64)
    others = generator.normal(size=(REFERENCE_ROWS + BATCH_ROWS, size.features))
    return Data(rows, labels, others[:REFERENCE_ROWS], others[REFERENCE_ROWS:])


def xgboost_model(size: Size, data: Data) -> bytes:
    """Train with XGBoost; return its file."""
    matrix = xgb.DMatrix(data.training, label=data.labels, nthread=1)
    settings = {"objective": "binary:logistic", "max_depth": size.depth, "eta": 0.05, "nthread": 1}
    return bytes(xgb.train(settings, matrix, size.trees).save_raw("ubj"))


def lightgbm_model(size: Size, data: Data) -> bytes:
    """Train with LightGBM, leaves and depth as in the other libraries; return its file."""
    import lightgbm as lgb  # noqa: PLC0415

    settings = {
        "objective": "binary",
        "max_depth": size.depth,
        "num_leaves": 2**size.depth,
        "learning_rate": 0.05,
        "min_data_in_leaf": 5,
        "num_threads": 1,
        "verbose": -1,
    }
    booster = lgb.train(settings, lgb.Dataset(data.training, label=data.labels), size.trees)
    return booster.model_to_string().encode()


def catboost_model(size: Size, data: Data) -> bytes:
    """Train with CatBoost, whose trees are symmetric; return its file."""
    import catboost  # noqa: PLC0415

    model = catboost.CatBoostClassifier(
        iterations=size.trees,
        depth=size.depth,
        learning_rate=0.05,
        thread_count=1,
        verbose=False,
        allow_writing_files=False,
    )
    model.fit(data.training, data.labels)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.json"
        model.save_model(str(path), format="json")
        return path.read_bytes()
