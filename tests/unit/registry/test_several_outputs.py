"""A model with several outputs is loaded and could be explained, but a version has one decision margin."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xgboost as xgb

from explain.errors import ModelUnsupported
from registry.loaded_version import understand
from registry.manifests import parse_manifest

MANIFEST = Path(__file__).resolve().parents[3] / "docs" / "manifest.example.yaml"
KINDS = ["single", "two_to_four", "condo"]


def artifact(labels: np.ndarray, **parameters: object) -> bytes:
    generator = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "income": generator.normal(size=90),
            "debt_ratio": generator.normal(size=90),
            "property_type": pd.Categorical.from_codes(generator.integers(0, 3, 90), categories=KINDS),
            "age": generator.integers(20, 75, 90),
        }
    )
    data = xgb.DMatrix(table, label=labels, enable_categorical=True, nthread=1)
    return bytes(xgb.train({"nthread": 1, "max_depth": 2, **parameters}, data, 2).save_raw("ubj"))


@pytest.mark.parametrize(
    ("labels", "parameters"),
    [
        (np.arange(90) % 3, {"objective": "multi:softprob", "num_class": 3}),
        (np.random.default_rng(1).normal(size=(90, 3)), {"objective": "reg:squarederror"}),
    ],
)
def test_classes_and_targets_are_refused_by_name(labels: np.ndarray, parameters: dict) -> None:
    with pytest.raises(ModelUnsupported, match=r"several outputs \(3 classes or targets\)"):
        understand(parse_manifest(MANIFEST.read_bytes()), artifact(labels, **parameters))


def test_one_output_is_understood() -> None:
    given = artifact(np.arange(90) % 2, objective="binary:logistic")
    understood = understand(parse_manifest(MANIFEST.read_bytes()), given)
    assert understood.model.form().outputs == 1
