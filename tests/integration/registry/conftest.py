"""The specification's own example: its manifest, a model trained for it, and the version they make."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from examples.bundle import csv_of
from registry.manifests import parse_manifest
from registry.preparing import PreparedVersion, prepare_version

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def applications() -> tuple[Any, Any]:
    """Synthetic applications in the columns of the specification's example, and who was declined."""
    import pandas as pd  # noqa: PLC0415

    random = np.random.default_rng(7)
    rows = 900
    kinds = ["single", "two_to_four", "condo"]
    table = pd.DataFrame(
        {
            "income": random.gamma(4.0, 1.5, rows).round(2),
            "debt_ratio": random.normal(33, 9, rows).clip(0, 90).round(1),
            "property_type": pd.Categorical(random.choice([*kinds, None], rows), categories=kinds),
            "age": random.integers(20, 75, rows),
        }
    )
    risk = (
        0.08 * table["debt_ratio"] - 0.4 * table["income"] + (table["property_type"] == "two_to_four") - 1.2
    )
    declined = (random.random(rows) < 1 / (1 + np.exp(-risk))).astype(float)
    return table, declined


@pytest.fixture(scope="session")
def example_manifest() -> bytes:
    """The manifest of the specification."""
    return (ROOT / "docs" / "manifest.example.yaml").read_bytes()


@pytest.fixture(scope="session")
def example_upload() -> tuple[bytes, bytes]:
    """An XGBoost model with native categories for that manifest and its reference rows."""
    import xgboost  # noqa: PLC0415

    table, declined = applications()
    data = xgboost.DMatrix(table.iloc[:300], label=declined[:300], enable_categorical=True, nthread=1)
    settings = {
        "objective": "binary:logistic",
        "max_depth": 3,
        "eta": 0.2,
        "nthread": 1,
        "tree_method": "hist",
    }
    booster = xgboost.train(settings, data, 30)
    plain = table.assign(property_type=table["property_type"].astype(object))
    return bytes(booster.save_raw("json")), csv_of(plain, range(300, 900))


@pytest.fixture(scope="session")
def prepared(
    example_manifest: bytes, example_upload: tuple[bytes, bytes], cache_folder: Path
) -> PreparedVersion:
    artifact, reference = example_upload
    return prepare_version(
        parse_manifest(example_manifest), artifact, reference, "text/csv", cache_dir=cache_folder
    )
