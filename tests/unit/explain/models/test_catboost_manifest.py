"""A CatBoost artifact and its manifest must say the same of every feature."""

from __future__ import annotations

from dataclasses import replace

import catboost
import pytest

from explain.errors import ManifestContradiction
from explain.features import Feature, FeatureSpace
from explain.models import load_model
from explain.models.catboost_hash import category_hash
from tests.oracles.catboost_models import (
    SETTINGS,
    TEXTS,
    CatBoosted,
    draw_rows,
    saved,
    signal_of,
    spelled,
    train_catboost,
)


@pytest.fixture(scope="module")
def trained() -> CatBoosted:
    return train_catboost(features=4, categorical=(1, 3))


def changed(space: FeatureSpace, position: int, **members: object) -> FeatureSpace:
    features = list(space.features)
    features[position] = replace(features[position], **members)
    return FeatureSpace(tuple(features))


def test_names_are_compared_where_the_file_has_them() -> None:
    rows = draw_rows(0, 200, 2)
    model = catboost.CatBoost({**SETTINGS, "loss_function": "RMSE"})
    model.fit(catboost.Pool(rows, signal_of(rows), feature_names=["income", "ratio"]))
    artifact = saved(model)
    load_model("catboost", artifact, FeatureSpace((Feature("income", "number"), Feature("ratio", "number"))))
    swapped = FeatureSpace((Feature("ratio", "number"), Feature("income", "number")))
    with pytest.raises(ManifestContradiction, match="feature 0 is 'income' in the artifact and 'ratio'"):
        load_model("catboost", artifact, swapped)


def test_the_number_of_features_must_agree(trained: CatBoosted) -> None:
    fewer = FeatureSpace(trained.space.features[:3])
    with pytest.raises(ManifestContradiction, match="the artifact has 4 features, the manifest 3"):
        load_model("catboost", trained.artifact, fewer)


def test_a_category_must_be_one_on_both_sides(trained: CatBoosted) -> None:
    as_number = changed(trained.space, 1, type="number", categories=())
    with pytest.raises(
        ManifestContradiction, match="'f1' is a category in the artifact, number in the manifest"
    ):
        load_model("catboost", trained.artifact, as_number)
    as_category = changed(trained.space, 0, type="category", categories=("a",), nullable=False)
    with pytest.raises(ManifestContradiction, match="'f0' is a number in the artifact, category"):
        load_model("catboost", trained.artifact, as_category)


def test_a_category_may_not_be_missing(trained: CatBoosted) -> None:
    with pytest.raises(ManifestContradiction, match="'f1' may be missing in the manifest"):
        load_model("catboost", trained.artifact, changed(trained.space, 1, nullable=True))


def test_a_category_that_is_spelled_otherwise_is_found(trained: CatBoosted) -> None:
    split_on = next(
        category
        for category in TEXTS
        for feature in trained.document["features_info"]["categorical_features"]
        if feature["feature_index"] == 0 and category_hash(category) in feature["values"]
    )
    other = tuple(text.upper() + "!" if text == split_on else text for text in TEXTS)
    with pytest.raises(
        ManifestContradiction, match=r"'f1': the artifact splits on category -?[0-9]+ \(the hash"
    ):
        load_model("catboost", trained.artifact, changed(trained.space, 1, categories=other))


def test_a_file_saved_with_its_rows_names_the_category() -> None:
    rows = draw_rows(0, 200, 2, (1,))
    rows[:, 1] %= 2
    pool = catboost.Pool(spelled(rows, (1,)), rows[:, 1], cat_features=[1])
    model = catboost.CatBoost({**SETTINGS, "loss_function": "RMSE", "iterations": 1, "depth": 1})
    model.fit(pool)
    space = FeatureSpace((Feature("f0", "number"), Feature("f1", "category", categories=("Own", "Rent"))))
    with pytest.raises(ManifestContradiction, match=r"on category '(own|rent)', which the manifest"):
        load_model("catboost", saved(model, pool), space)


def test_the_order_of_the_categories_is_free(trained: CatBoosted) -> None:
    rows = draw_rows(3, 50, 4, (1, 3))
    turned = changed(trained.space, 1, categories=trained.space.features[1].categories[::-1])
    other = rows.copy()
    other[:, 1] = len(TEXTS) - rows[:, 1]
    model = load_model("catboost", trained.artifact, turned)
    assert model.margins(other).tolist() == trained.native(rows).tolist()


def test_numbers_are_read_in_32_bits_and_summed_in_64(trained: CatBoosted) -> None:
    model = load_model("catboost", trained.artifact, replace(trained.space, float_width=64))
    assert (model.space.float_width, model.float_width) == (32, 64)
    assert model.space.features == trained.space.features
