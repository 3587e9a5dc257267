"""A model with several outputs needs a manifest that names its classes; then it is searched too."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xgboost as xgb
import yaml

from explain.counterfactual.search import CounterfactualSearch
from explain.errors import ModelUnsupported
from explain.reference import Reference
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


def test_several_classes_may_change_what_their_manifest_allows() -> None:
    document = yaml.safe_load(MANIFEST.read_bytes())
    document["outcome"] |= {"score": "margin", "classes": ["a", "b", "c"], "adverse_classes": ["c"]}
    del document["outcome"]["threshold"]
    given = artifact(np.arange(90) % 3, objective="multi:softprob", num_class=3)
    understood = understand(parse_manifest(json.dumps(document).encode()), given)
    rows = np.column_stack([np.arange(40.0), np.arange(40.0), np.arange(40) % 3, np.full(40, 30.0)])
    reference = Reference.of("given", rows)
    search = CounterfactualSearch.prepare(
        understood.model, understood.rule, understood.constraints, reference
    )
    assert search.tables is None
    assert [search.constraints.of(at).mutable for at in range(4)] == [True, False, False, False]


def test_one_output_is_understood() -> None:
    given = artifact(np.arange(90) % 2, objective="binary:logistic")
    understood = understand(parse_manifest(MANIFEST.read_bytes()), given)
    assert understood.model.form().outputs == 1
