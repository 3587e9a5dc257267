"""What the artifact says about its own features rules over the manifest."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xgboost as xgb

from explain.errors import ManifestContradiction
from explain.features import Feature, FeatureSpace
from explain.models import load_model

GENERATOR = np.random.default_rng(0)
KINDS = ("single", "two_to_four", "condo")
CODES = GENERATOR.integers(0, 3, size=200)
FRAME = pd.DataFrame(
    {
        "income": GENERATOR.normal(size=200),
        "kind": pd.Categorical.from_codes(CODES, categories=list(KINDS)),
        "married": GENERATOR.random(200) < 0.5,
    }
)
INCOME, MARRIED = Feature("income", "number"), Feature("married", "boolean")
KIND = Feature("kind", "category", categories=KINDS)


@pytest.fixture(scope="module")
def artifact() -> bytes:
    labels = (FRAME["income"] + (CODES == 2) > 0.3).astype(int)
    matrix = xgb.DMatrix(FRAME, label=labels, enable_categorical=True, nthread=1)
    return bytes(xgb.train({"objective": "binary:logistic", "nthread": 1}, matrix, 5).save_raw("json"))


def test_an_agreeing_manifest_is_loaded_and_scores_as_the_library_does(artifact: bytes) -> None:
    space = FeatureSpace((INCOME, KIND, MARRIED))
    model = load_model("xgboost", artifact, space)
    read = space.read({"married": True, "kind": "condo", "income": 0.25})
    booster = xgb.Booster(model_file=bytearray(artifact))
    frame = pd.DataFrame(
        {"income": [0.25], "kind": pd.Categorical(["condo"], categories=list(KINDS)), "married": [True]}
    )
    expected = booster.predict(xgb.DMatrix(frame, enable_categorical=True, nthread=1))
    assert model.predict(read.row[np.newaxis]).scores.tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ((INCOME, KIND), "3 features, the manifest 2"),
        ((KIND, INCOME, MARRIED), "feature 0 is 'income' in the artifact and 'kind' in the manifest"),
        ((INCOME, KIND, Feature("wed", "boolean")), "feature 2 is 'married'"),
        ((INCOME, Feature("kind", "integer"), MARRIED), "is a category in the artifact, integer in"),
        (
            (INCOME, KIND, Feature("married", "category", categories=("no", "yes"))),
            "is a number in the artifact",
        ),
        (
            (INCOME, Feature("kind", "category", categories=("condo", "single", "two_to_four")), MARRIED),
            "category 0 is 'single' in the artifact, 'condo' in the manifest",
        ),
        ((INCOME, Feature("kind", "category", categories=KINDS[:2]), MARRIED), "category 2 is 'condo'"),
        ((INCOME, Feature("kind", "category", categories=(*KINDS, "farm")), MARRIED), "category 3 is None"),
    ],
)
def test_contradictions_name_the_first_difference(
    artifact: bytes, features: tuple[Feature, ...], message: str
) -> None:
    with pytest.raises(ManifestContradiction, match=message):
        load_model("xgboost", artifact, FeatureSpace(features))
