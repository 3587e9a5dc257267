"""Data on which scikit-learn is commonly read wrongly: categories, and numbers that 32 bits confuse."""

from __future__ import annotations

import numpy as np
import pandas as pd

from explain.features import Feature, FeatureSpace
from tests.oracles.sklearn_models import Trained, fit, space_of


def on_close_numbers(estimator: object) -> Trained:
    """Numbers that 32 bits cannot tell apart."""
    generator = np.random.default_rng(6)
    rows = generator.random((300, 3))
    rows[:, 0] = 1.0 + generator.integers(0, 40, 300) * 2.0**-28
    target = (rows[:, 0] > 1.0 + 20 * 2.0**-28) + 0.5 * rows[:, 2]
    fit(estimator, rows, target)
    return Trained(estimator, rows, space_of(3, nullable=False))


def categorical_frame(
    count: int = 300, *, missing: float = 0.1, dtype: str = "category"
) -> tuple[pd.DataFrame, FeatureSpace]:
    """Categories between numbers, declared in another order than the sorted one that the library encodes."""
    generator = np.random.default_rng(9)
    purposes = generator.choice(["study", "car", "rent", "boat"], count).astype(object)
    regions = generator.choice(["north", "south", "east"], count).astype(object)
    purposes[generator.random(count) < missing] = np.nan
    frame = pd.DataFrame(
        {
            "income": np.round(generator.normal(size=count), 1),
            "purpose": pd.Categorical(purposes, categories=["car", "study", "boat", "rent", "never seen"]),
            "age": np.round(generator.normal(size=count), 1),
            "region": pd.Categorical(regions, categories=["south", "north", "east"]),
        }
    )
    if dtype != "category":
        frame = frame.astype({"purpose": dtype, "region": dtype})
    space = FeatureSpace(
        (
            Feature("income", "number", nullable=True),
            Feature(
                "purpose",
                "category",
                categories=("boat", "car", "rent", "study", "never seen"),
                nullable=True,
            ),
            Feature("age", "number", nullable=True),
            Feature("region", "category", categories=("east", "north", "south", "west"), nullable=True),
        )
    )
    return frame, space


def on_frame(
    estimator: object, *, outputs: int = 2, missing: float = 0.1, dtype: str = "category"
) -> Trained:
    """Fit on a frame with categories; rows hold positions in the manifest's lists."""
    frame, space = categorical_frame(missing=missing, dtype=dtype)
    rows = np.full(frame.shape, np.nan)
    for position, feature in enumerate(space.features):
        column = frame[feature.name]
        if feature.categories:
            rows[:, position] = [
                np.nan if pd.isna(value) else feature.categories.index(value) for value in column
            ]
        else:
            rows[:, position] = column
    filled = np.nan_to_num(rows, nan=2.5)
    target = (
        filled[:, 0]
        + 2 * (filled[:, 1] % 3 == 1)
        - (filled[:, 3] == 1)
        + 0.2 * np.random.default_rng(1).normal(size=300)
    )
    if hasattr(estimator, "predict_proba"):
        target = np.digitize(target, np.quantile(target, np.arange(1, outputs) / outputs))
    fit(estimator, frame, target)
    labels = {
        position: list(feature.categories)
        for position, feature in enumerate(space.features)
        if feature.categories
    }
    return Trained(estimator, rows, space, labels)


def on_numbered_categories(estimator: object) -> Trained:
    """Categories that are numbers, with gaps between them; the manifest names them in decimal spelling."""
    generator = np.random.default_rng(11)
    values = [3.0, 7.0, 10.0, 20.0, 99.0]
    codes = generator.integers(0, 4, 300)
    rows = np.column_stack([np.round(generator.normal(size=300), 1), codes])
    rows[::9, 1] = np.nan
    given = np.column_stack(
        [rows[:, 0], np.append(values, np.nan)[np.nan_to_num(rows[:, 1], nan=5).astype(int)]]
    )
    target = rows[:, 0] + 2 * (np.nan_to_num(rows[:, 1], nan=1) % 2) + 0.1 * generator.normal(size=300)
    fit(estimator, given, target)
    space = FeatureSpace(
        (
            Feature("income", "number"),
            Feature("code", "category", categories=("3", "7", "10", "20", "99"), nullable=True),
        )
    )
    return Trained(estimator, rows, space, {1: values})
