"""Constructs that are not explained exactly are refused by name: each one really trained."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator

import numpy as np
import pytest
import xgboost as xgb

from explain.errors import ModelUnsupported
from explain.features import Feature, FeatureSpace
from explain.models import load_model

GENERATOR = np.random.default_rng(0)
ROWS = GENERATOR.normal(size=(120, 3))
CLASSES = GENERATOR.integers(0, 3, size=120)
SPACE = FeatureSpace(tuple(Feature(f"f{i}", "number") for i in range(3)))

REFUSED: dict[str, tuple[dict, np.ndarray, str]] = {
    "dart": ({"booster": "dart", "rate_drop": 0.5, "skip_drop": 0.0}, CLASSES > 0, "booster dart"),
    "gblinear": ({"booster": "gblinear"}, CLASSES > 0, "booster gblinear"),
    "softprob": ({"objective": "multi:softprob", "num_class": 3}, CLASSES, "multi:softprob"),
    "softmax": ({"objective": "multi:softmax", "num_class": 3}, CLASSES, "multi:softmax"),
    "vector targets": ({}, np.c_[CLASSES, CLASSES + 1], "2 targets"),
    "vector leaves": ({"multi_strategy": "multi_output_tree"}, np.c_[CLASSES, CLASSES + 1], "targets"),
    "quantiles": ({"objective": "reg:quantileerror", "quantile_alpha": [0.2, 0.8]}, CLASSES, "quantileerror"),
    "ranking": ({"objective": "rank:ndcg"}, CLASSES, "rank:ndcg"),
    "poisson": ({"objective": "count:poisson"}, CLASSES, "count:poisson"),
    "gamma": ({"objective": "reg:gamma"}, CLASSES + 1, "reg:gamma"),
    "tweedie": ({"objective": "reg:tweedie"}, CLASSES, "reg:tweedie"),
    "hinge": ({"objective": "binary:hinge"}, CLASSES > 0, "binary:hinge"),
    "survival": ({"objective": "survival:cox"}, CLASSES + 1, "survival:cox"),
}


@pytest.fixture(autouse=True)
def quiet_library() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the newer library calls some of these boosters deprecated
        yield


def trained(parameters: dict, labels: np.ndarray) -> xgb.Booster:
    groups = np.zeros(len(ROWS)) if "rank" in parameters.get("objective", "") else None
    matrix = xgb.DMatrix(ROWS, label=labels.astype(float), qid=groups, nthread=1)
    return xgb.train({"max_depth": 2, "nthread": 1, **parameters}, matrix, 3)


@pytest.mark.parametrize("spelling", ["json", "ubj"])
@pytest.mark.parametrize("name", REFUSED)
def test_each_is_named(name: str, spelling: str) -> None:
    parameters, labels, construct = REFUSED[name]
    artifact = bytes(trained(parameters, labels).save_raw(spelling))
    with pytest.raises(ModelUnsupported) as refusal:
        load_model("xgboost", artifact, SPACE)
    assert construct in refusal.value.construct


def test_dropout_under_the_name_gbtree_is_dart_all_the_same() -> None:
    document = json.loads(trained({}, CLASSES > 0).save_raw("json"))
    document["learner"]["gradient_booster"]["model"]["weight_drop"] = [1.0, 0.5, 1.0]
    with pytest.raises(ModelUnsupported, match="booster dart"):
        load_model("xgboost", json.dumps(document).encode(), SPACE)


@pytest.mark.parametrize("place", [("learner",), ("learner", "gradient_booster", "model")])
def test_a_field_of_a_future_version_is_refused(place: tuple[str, ...]) -> None:
    document = json.loads(trained({}, CLASSES > 0).save_raw("json"))
    target = document
    for step in place:
        target = target[step]
    target["linear_leaves"] = [1]
    with pytest.raises(ModelUnsupported, match=r"unknown field .*linear_leaves"):
        load_model("xgboost", json.dumps(document).encode(), SPACE)


def test_a_vector_base_score_is_refused() -> None:
    document = json.loads(trained({}, CLASSES > 0).save_raw("json"))
    document["learner"]["learner_model_param"]["base_score"] = "[1E-1,2E-1]"
    with pytest.raises(ModelUnsupported, match="vector base_score"):
        load_model("xgboost", json.dumps(document).encode(), SPACE)
