"""What a scikit-learn file says about its own features rules over the manifest."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import (
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)

from explain.errors import ManifestContradiction, ModelUnsupported
from explain.features import Feature, FeatureSpace
from explain.models import load_model
from explain.models.sklearn_parse_histogram import _spelled
from tests.oracles.sklearn_frames import on_frame, on_numbered_categories
from tests.oracles.sklearn_models import Trained, space_of, train

PURPOSES = ("boat", "car", "rent", "study")
REGIONS = ("east", "north", "south")
INCOME, AGE = Feature("income", "number"), Feature("age", "number")


def purpose(*categories: str) -> Feature:
    return Feature("purpose", "category", categories=categories or PURPOSES)


def region(*categories: str) -> Feature:
    return Feature("region", "category", categories=categories or REGIONS)


@pytest.fixture(scope="module")
def framed() -> Trained:
    return on_frame(HistGradientBoostingClassifier(max_iter=3, random_state=0))


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ((INCOME, purpose(), AGE), "4 features, the manifest 3"),
        ((purpose(), INCOME, AGE, region()), "feature 0 is 'income' in the artifact and 'purpose' in"),
        ((INCOME, Feature("purpose", "integer"), AGE, region()), "a category in the artifact, integer in"),
        (
            (INCOME, purpose(), Feature("age", "category", categories=("a",)), region()),
            "is a number in the artifact, a category in the manifest",
        ),
        ((INCOME, purpose("study", "car", "rent", "boat"), AGE, region()), "category 0 is 'boat' in the"),
        ((INCOME, purpose("boat", "car", "rent"), AGE, region()), "category 3 is 'study' .* None in"),
    ],
)
def test_contradictions_name_the_first_difference(
    framed: Trained, features: tuple[Feature, ...], message: str
) -> None:
    with pytest.raises(ManifestContradiction, match=message):
        load_model("sklearn", framed.artifact, FeatureSpace(features))


def test_categories_that_training_never_saw_follow_the_artifacts_own(framed: Trained) -> None:
    features = (INCOME, purpose(*PURPOSES, "plane", "train"), AGE, region())
    model = load_model("sklearn", framed.artifact, FeatureSpace(features))
    row = np.array([[0.3, np.nan, 0.1, 1.0]])
    gap = model.margins(row)
    for code in (4.0, 5.0):
        row[0, 1] = code
        assert model.margins(row) == gap  # the library takes what it does not know for missing


def test_numbered_categories_go_by_their_decimal_spelling() -> None:
    trained = on_numbered_categories(
        HistGradientBoostingRegressor(max_iter=3, categorical_features=[1], random_state=0)
    )
    wrong = FeatureSpace((INCOME, Feature("code", "category", categories=("0", "1", "2", "3"))))
    with pytest.raises(ManifestContradiction, match="category 0 is '3' in the artifact, '0' in"):
        load_model("sklearn", trained.artifact, wrong)


def test_spelling() -> None:
    assert _spelled((1.0, 2.5, float("nan"))) == ("1", "2.5")
    assert _spelled((False, True)) == ("False", "True")
    assert _spelled(("a", "b")) == ("a", "b")
    with pytest.raises(ModelUnsupported, match="a category None"):
        _spelled(("a", None))


def test_gaps_where_the_estimator_accepts_none() -> None:
    trained = train(GradientBoostingRegressor(n_estimators=2, random_state=0), missing=0.0)
    with pytest.raises(ManifestContradiction, match="'f0' may be missing in the manifest, GradientBoosting"):
        load_model("sklearn", trained.artifact, space_of(5, nullable=True))


def test_the_width_in_which_features_are_read_is_the_estimators() -> None:
    forest = train(RandomForestClassifier(n_estimators=2, random_state=0)).model()
    histogram = train(HistGradientBoostingClassifier(max_iter=2, random_state=0)).model()
    assert (forest.space.float_width, forest.form().input_width, forest.float_width) == (32, 32, 64)
    assert (histogram.space.float_width, histogram.form().input_width, histogram.float_width) == (64, 64, 64)


def test_constructs_say_what_the_margin_is() -> None:
    forest = train(RandomForestClassifier(n_estimators=2, random_state=0)).model()
    assert "margin: mean probability of class 'paid'" in forest.constructs()
    histogram = train(HistGradientBoostingClassifier(max_iter=2, random_state=0), outputs=3).model()
    assert "margin: decision function of each class" in histogram.constructs()
    assert "loss log_loss" in histogram.constructs()
