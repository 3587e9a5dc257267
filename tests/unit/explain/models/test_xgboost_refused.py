"""Constructs that are not explained exactly are refused by name, before the native loader sees the file."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from explain.errors import ModelUnsupported
from explain.models import load_model, xgboost
from tests.conformance.explain.families.xgboost import REFUSED
from tests.oracles.boosters import Trained, train
from tests.oracles.cases import Refused


@pytest.fixture(autouse=True)
def no_native_loader(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the native loader was reached")

    monkeypatch.setattr(xgboost, "NativeBooster", refuse)


@pytest.fixture(scope="module")
def trained() -> Trained:
    return train(("q", "q", "q"), rounds=3, max_depth=2)


@pytest.mark.parametrize("refused", REFUSED, ids=lambda refused: refused.name)
def test_each_is_named(refused: Refused) -> None:
    artifact, space = refused.artifact()
    with pytest.raises(ModelUnsupported, match=refused.says):
        load_model("xgboost", artifact, space)


def test_dropout_of_todays_files_is_refused_where_the_library_would_ignore_it(
    trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = trained.document()
    document["learner"]["gradient_booster"]["model"]["weight_drop"] = [1.0, 0.5, 1.0]
    monkeypatch.setattr(xgboost, "library_version", lambda: "3.2.0")
    with pytest.raises(ModelUnsupported, match=r"booster dart of XGBoost 3\.3 or later"):
        load_model("xgboost", json.dumps(document).encode(), trained.space)


@pytest.mark.parametrize("booster", ["gbtree", "dart"])
def test_a_booster_that_was_never_trained_is_refused(booster: str) -> None:
    """Its margin is 0.5 and its score the logistic function of that, whatever its base score means."""
    untrained = train(("q", "q"), rounds=0, booster=booster)
    with pytest.raises(ModelUnsupported, match="without trees whose base score was never estimated"):
        load_model("xgboost", untrained.artifact(), untrained.space)


@pytest.mark.parametrize("place", [("learner",), ("learner", "gradient_booster")])
def test_a_field_of_a_future_version_is_refused(trained: Trained, place: tuple[str, ...]) -> None:
    document = trained.document()
    target = document
    for step in place:
        target = target[step]
    target["linear_leaves"] = [1]
    with pytest.raises(ModelUnsupported, match=r"unknown field .*linear_leaves"):
        load_model("xgboost", json.dumps(document).encode(), trained.space)


SIZES: dict[str, tuple[Callable[[dict], None], str]] = {
    "booster": (lambda learner: learner["gradient_booster"].update(name="gbforest"), "booster gbforest"),
    "features": (
        lambda learner: learner["learner_model_param"].update(num_feature="1000000000"),
        "more than 1000000 features",
    ),
    "targets": (
        lambda learner: learner["learner_model_param"].update(num_target="1000000000"),
        "more than 4096 outputs",
    ),
    "base scores": (
        lambda learner: learner["learner_model_param"].update(base_score=str([0.5] * 5000)),
        "more than 4096 outputs",
    ),
}


@pytest.mark.parametrize("name", SIZES)
def test_what_is_too_large_is_named(trained: Trained, name: str) -> None:
    change, message = SIZES[name]
    document = trained.document()
    change(document["learner"])
    with pytest.raises(ModelUnsupported, match=message):
        load_model("xgboost", json.dumps(document).encode(), trained.space)
