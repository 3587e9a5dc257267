"""Our door to the native library gives what its own Python package gives, and our trees are its trees."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import xgboost as xgb

from explain.models.xgboost_native import library_version
from explain.models.xgboost_objectives import _numbers
from explain.models.xgboost_parse import parse_xgboost
from tests.oracles.boosters import Trained, draw_rows, train

KINDS: dict[str, dict] = {
    "numeric": {"types": ("q",) * 5},
    "categories": {"types": ("q", "c", "c"), "max_cat_to_onehot": 1},
    "forest": {"types": ("q",) * 5, "num_parallel_tree": 3, "subsample": 0.5},
    "regression": {"types": ("q",) * 5, "objective": "reg:squarederror"},
    "dart": {"types": ("q", "c", "q"), "booster": "dart", "rate_drop": 0.4},
    "gblinear": {"types": ("q",) * 5, "booster": "gblinear"},
    "gblinear, classes": {
        "types": ("q",) * 5,
        "booster": "gblinear",
        "objective": "multi:softprob",
        "outputs": 3,
    },
    "classes": {"types": ("q", "c", "q"), "objective": "multi:softprob", "outputs": 3},
    "targets": {"types": ("q",) * 5, "outputs": 2},
    "vectors": {
        "types": ("q",) * 5,
        "outputs": 2,
        "objective": "reg:squarederror",
        "multi_strategy": "multi_output_tree",
    },
    "quantiles": {
        "types": ("q",) * 5,
        "objective": "reg:quantileerror",
        "quantile_alpha": [0.4, 0.5, 0.6],
        "outputs": 3,
    },
    **{
        objective: {"types": ("q",) * 5, "objective": objective}
        for objective in ("count:poisson", "survival:cox", "survival:aft", "binary:hinge", "rank:ndcg")
    },
}


@pytest.fixture(params=KINDS)
def trained(request: pytest.FixtureRequest) -> Trained:
    return train(**KINDS[request.param])


def test_the_library_is_the_installed_one() -> None:
    assert library_version() == xgb.__version__


@pytest.mark.parametrize("spelling", ["json", "ubj"])
def test_margins_and_scores_are_the_packages_own(trained: Trained, spelling: str) -> None:
    rows = draw_rows(3, 300, trained.types, 0.2)
    prediction = trained.model(spelling).predict(rows)
    assert prediction.margins.tolist() == trained.native(rows).tolist()
    assert prediction.scores.tolist() == trained.native(rows, margin=False).tolist()


def test_a_row_alone_scores_as_in_a_batch(trained: Trained) -> None:
    model = trained.model()
    batch = model.predict(trained.rows)
    for number in range(0, len(trained.rows), 37):
        alone = model.predict(trained.rows[number : number + 1])
        assert alone.margins[0].tolist() == batch.margins[number].tolist()
        assert alone.scores[0].tolist() == batch.scores[number].tolist()


def test_no_rows_have_no_predictions(trained: Trained) -> None:
    model = trained.model()
    outputs = model.form().outputs
    prediction = model.predict(np.zeros((0, len(trained.types))))
    expected = (0,) if outputs == 1 else (0, outputs)
    assert prediction.margins.shape == prediction.scores.shape == expected


def test_many_threads_ask_one_booster(trained: Trained) -> None:
    model = trained.model()
    expected = model.margins(trained.rows)

    def one(number: int) -> bool:
        position = number % len(expected)
        return bool(
            np.array_equal(model.margins(trained.rows[position : position + 1])[0], expected[position])
        )

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(one, range(1000)))


def test_both_spellings_are_the_same_trees(trained: Trained) -> None:
    one, other = trained.model("json").form(), trained.model("ubj").form()
    for name in type(one).__slots__:
        assert np.array_equal(getattr(one, name), getattr(other, name), equal_nan=name == "threshold")


def test_multi_softmax_has_no_other_score_than_its_margins() -> None:
    trained = train(("q",) * 3, objective="multi:softmax", outputs=3)
    prediction = trained.model().predict(trained.rows)
    assert prediction.scores.tolist() == prediction.margins.tolist() == trained.native(trained.rows).tolist()
    classes = trained.native(trained.rows, margin=False)
    assert prediction.margins.argmax(axis=1).tolist() == classes.tolist()


@pytest.mark.parametrize("spelling", ["3E-1", "[3E-1]", 0.3, "0.3"])
def test_every_spelling_of_the_base_score_is_read(spelling: object) -> None:
    assert _numbers(spelling, "base_score") == [0.3]


def test_a_file_without_what_older_versions_did_not_write_is_read() -> None:
    trained = train(("q", "q"))
    document = trained.document()
    model = document["learner"]["gradient_booster"]["model"]
    model.pop("cats", None)
    model.pop("iteration_indptr", None)
    for tree in model["trees"]:
        tree["default_left"] = [bool(one) for one in tree["default_left"]]
        for name in (
            "split_type",
            "categories",
            "categories_nodes",
            "categories_segments",
            "categories_sizes",
        ):
            tree.pop(name)
    document["learner"].pop("feature_types")
    document["learner"]["learner_model_param"]["base_score"] = "5E-1"
    parsed = parse_xgboost(json.dumps(document).encode())
    trees = trained.model().form()
    assert np.array_equal(parsed.form.left, trees.left)
    assert np.array_equal(parsed.form.threshold, trees.threshold, equal_nan=True)
    assert parsed.form.base_margin == 0.0
