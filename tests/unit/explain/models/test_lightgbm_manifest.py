"""What the artifact says about its own features rules over the manifest."""

from __future__ import annotations

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest

from explain.errors import ManifestContradiction
from explain.features import Feature, FeatureSpace
from explain.models import load_model
from tests.oracles.lightgbm_models import Trained, train

GENERATOR = np.random.default_rng(0)
KINDS = ("single", "two_to_four", "condo")
CODES = GENERATOR.integers(0, 3, size=200)
SETTINGS = {"objective": "binary", "min_data_in_leaf": 5, "min_data_per_group": 5, "num_threads": 1}
FRAME = pd.DataFrame(
    {
        "annual income": GENERATOR.normal(size=200),
        "kind": pd.Categorical.from_codes(CODES, categories=list(KINDS)),
        "married": GENERATOR.random(200) < 0.5,
    }
)
INCOME, MARRIED = Feature("annual income", "number"), Feature("married", "boolean")
KIND = Feature("kind", "category", categories=KINDS, nullable=True)


@pytest.fixture(scope="module")
def artifact() -> bytes:
    labels = (FRAME["annual income"] + 2 * (CODES == 2) + FRAME["married"] > 0.8).astype(int)
    booster = lgb.train({**SETTINGS, "verbosity": -1}, lgb.Dataset(FRAME, labels), 8)
    return booster.model_to_string().encode()


@pytest.fixture(scope="module")
def unnamed() -> Trained:
    return train(("q", "c", "q"))


@pytest.mark.parametrize("kind", [*KINDS, None])
def test_an_agreeing_manifest_is_loaded_and_scores_as_the_library_does(
    artifact: bytes, kind: str | None
) -> None:
    space = FeatureSpace((INCOME, KIND, MARRIED), float_width=64)
    model = load_model("lightgbm", artifact, space)
    read = space.read({"married": True, "kind": kind, "annual income": 0.25})
    frame = pd.DataFrame(
        {"annual_income": [0.25], "kind": pd.Categorical([kind], categories=KINDS[::-1]), "married": [True]}
    )
    expected = lgb.Booster(model_str=artifact.decode()).predict(frame, num_threads=1)
    assert model.predict(read.row[np.newaxis]).scores.tolist() == expected.tolist()


def test_the_models_own_space_has_the_width_of_its_numbers(artifact: bytes) -> None:
    assert load_model("lightgbm", artifact, FeatureSpace((INCOME, KIND, MARRIED))).space.float_width == 64


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ((INCOME, KIND), "3 features, the manifest 2"),
        ((KIND, INCOME, MARRIED), "feature 0 is 'annual_income' in the artifact and 'kind' in the manifest"),
        ((INCOME, KIND, Feature("wed", "boolean")), "feature 2 is 'married'"),
        ((INCOME, Feature("kind", "integer"), MARRIED), "lists the categories of 1 features, .* those of 0"),
        (
            (INCOME, KIND, Feature("married", "category", categories=("no", "yes"))),
            "lists the categories of 1 features, .* those of 2",
        ),
        (
            (INCOME, Feature("kind", "category", categories=("condo", "single", "two_to_four")), MARRIED),
            "category 0 is 'single' in the artifact, 'condo' in the manifest",
        ),
        ((INCOME, Feature("kind", "category", categories=(*KINDS, "farm")), MARRIED), "category 3 is None"),
        (
            (Feature("annual income", "number", minimum=1000.0), KIND, MARRIED),
            "'annual income' was trained on .*outside the range",
        ),
    ],
)
def test_contradictions_name_the_first_difference(
    artifact: bytes, features: tuple[Feature, ...], message: str
) -> None:
    with pytest.raises(ManifestContradiction, match=message):
        load_model("lightgbm", artifact, FeatureSpace(features))


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ((INCOME, Feature("k", "integer"), INCOME), "'k' is a category in the artifact, integer in"),
        ((INCOME, KIND, INCOME), r"'kind': the artifact knows category code 6, the manifest lists 3"),
        ((KIND, KIND, INCOME), "'kind' is a number in the artifact, a category in the manifest"),
        ((MARRIED, KIND, INCOME), "knows category code 6"),
    ],
)
def test_a_file_without_names_and_lists_is_held_to_its_codes(
    unnamed: Trained, features: tuple[Feature, ...], message: str
) -> None:
    renamed = tuple(
        Feature(
            f"{feature.name}{position}" if features.count(feature) > 1 else feature.name,
            feature.type,
            categories=feature.categories,
        )
        for position, feature in enumerate(features)
    )
    with pytest.raises(ManifestContradiction, match=message.replace("'kind' is", "'kind0' is")):
        load_model("lightgbm", unnamed.artifact, FeatureSpace(renamed))


def test_a_boolean_trained_on_other_numbers_is_a_contradiction() -> None:
    rows = np.random.default_rng(1).normal(loc=50.0, size=(200, 1))
    booster = lgb.train({**SETTINGS, "verbosity": -1}, lgb.Dataset(rows, rows[:, 0] > 50), 2)
    with pytest.raises(ManifestContradiction, match=r"'married' was trained on \[4\d"):
        load_model("lightgbm", booster.model_to_string().encode(), FeatureSpace((MARRIED,)))
