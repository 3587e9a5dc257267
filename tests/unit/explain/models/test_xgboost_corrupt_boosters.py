"""Broken dropout weights, vector leaves, linear weights and outputs: refused before the native loader."""

from __future__ import annotations

import copy
import json
import time
import tracemalloc
from collections.abc import Callable

import pytest

from explain.errors import ModelCorrupt, ModelUnsupported
from explain.models import load_model, xgboost
from tests.oracles.boosters import Trained, train, tree_parts

NUMBERS = ("q",) * 3
KINDS: dict[str, dict] = {
    "dart": {"booster": "dart", "rate_drop": 0.5},
    "vectors": {"objective": "reg:squarederror", "outputs": 3, "multi_strategy": "multi_output_tree"},
    "linear": {"booster": "gblinear", "objective": "multi:softprob", "outputs": 3},
    "classes": {"objective": "multi:softmax", "outputs": 3},
    "quantiles": {"objective": "reg:quantileerror", "quantile_alpha": [0.2, 0.8], "outputs": 2},
    "counts": {"objective": "count:poisson"},
}
Damage = Callable[[dict], None]


@pytest.fixture(scope="module")
def documents() -> dict[str, tuple[Trained, dict]]:
    trained = {name: train(NUMBERS, rounds=3, **kind) for name, kind in KINDS.items()}
    return {name: (one, one.document()) for name, one in trained.items()}


@pytest.fixture(autouse=True)
def no_native_loader(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the native loader was reached")

    monkeypatch.setattr(xgboost, "NativeBooster", refuse)
    monkeypatch.setattr(xgboost, "library_version", lambda: "3.4.1")


def weights(change: Callable[[list], object]) -> Damage:
    """Change the dropout weights, wherever this version keeps them."""

    def damage(document: dict) -> None:
        booster, model = tree_parts(document)
        holder = booster if "weight_drop" in booster else model
        holder["weight_drop"] = change(holder["weight_drop"])

    return damage


def in_two_places(document: dict) -> None:
    booster, model = tree_parts(document)
    weights = booster.get("weight_drop") or model.get("weight_drop")
    inner = {"name": "gbtree", "model": {**model, "weight_drop": weights}}
    document["learner"]["gradient_booster"] = {"name": "dart", "gbtree": inner, "weight_drop": weights}


def first_tree(change: Callable[[dict], object]) -> Damage:
    return lambda document: change(tree_parts(document)[1]["trees"][0])


def leaf_numbers(change: Callable[[list, int], None]) -> Damage:
    """Change the numbers that leaves have in place of right children."""

    def damage(tree: dict) -> None:
        change(tree["right_children"], tree["left_children"].index(-1))

    return first_tree(damage)


def linear(**members: object) -> Damage:
    return lambda document: document["learner"]["gradient_booster"]["model"].update(members)


def learned(**members: object) -> Damage:
    return lambda document: document["learner"]["learner_model_param"].update(members)


def objective(name: str, **members: object) -> Damage:
    return lambda document: document["learner"]["objective"][name].update(members)


def groups(document: dict) -> None:
    tree_parts(document)[1]["tree_info"][0] = 3


DAMAGES: dict[str, tuple[str, Damage, str]] = {
    "few weights": ("dart", weights(lambda given: given[:-1]), "weight_drop has 2 entries for 3 trees"),
    "no weights": ("dart", weights(lambda _: []), "weight_drop has 0 entries"),
    "weights of text": ("dart", weights(lambda _: ["1"] * 3), "other than numbers"),
    "weights no list": ("dart", weights(lambda _: {}), "not a flat list"),
    "weight NaN": ("dart", weights(lambda _: [1.0, float("nan"), 1.0]), "weight_drop holds a number"),
    "weight too large": ("dart", weights(lambda _: [1.0, 1e39, 1.0]), "weight_drop holds a number"),
    "weights twice": ("dart", in_two_places, "weight_drop stands in two places"),
    "leaf width": (
        "vectors",
        first_tree(lambda tree: tree["tree_param"].update(size_leaf_vector="2")),
        "leaves of 2 numbers in a model of 3 outputs",
    ),
    "leaf width 10^9": (
        "vectors",
        first_tree(lambda tree: tree["tree_param"].update(size_leaf_vector="1000000000")),
        "leaves of 1000000000 numbers",
    ),
    "number for a vector": (
        "vectors",
        first_tree(lambda tree: tree["tree_param"].update(size_leaf_vector="1")),
        "leaf_weights but leaves of one number",
    ),
    "few leaf weights": ("vectors", first_tree(lambda tree: tree["leaf_weights"].pop()), "leaf_weights has"),
    "leaf weight NaN": (
        "vectors",
        first_tree(lambda tree: tree["leaf_weights"].__setitem__(0, float("inf"))),
        "not finite",
    ),
    "leaf number": ("vectors", leaf_numbers(lambda right, at: right.__setitem__(at, 99)), "not numbered"),
    "leaf number twice": (
        "vectors",
        leaf_numbers(lambda right, at: right.__setitem__(at, 1)),
        "not numbered",
    ),
    "leaf number -1": ("vectors", leaf_numbers(lambda right, at: right.__setitem__(at, -1)), "not numbered"),
    "base weights": ("vectors", first_tree(lambda tree: tree["base_weights"].pop()), "base_weights has"),
    "vectors and groups": ("vectors", groups, "tree_info names an output"),
    "few linear weights": ("linear", linear(weights=[0.5] * 11), "weights has 11 entries"),
    "linear weights gone": ("linear", linear(weights=[]), "weights has 0 entries"),
    "linear weight NaN": ("linear", linear(weights=[float("nan")] * 12), "not finite"),
    "linear weights of text": ("linear", linear(weights=["0"] * 12), "other than numbers"),
    "linear rounds": ("linear", linear(boosted_rounds=-1), "boosted_rounds is not a count"),
    "classes and weights": ("linear", learned(num_class="4", base_score="0.5"), "declares 3 outputs"),
    "classes": ("classes", learned(num_class="2", base_score="0.5"), "declares 3 outputs, the model has 2"),
    "no classes": ("classes", objective("softmax_multiclass_param", num_class="0"), "declares 0 outputs"),
    "classes of targets": ("classes", learned(num_target="2"), "3 classes and 2 targets at once"),
    "tree of no class": ("classes", groups, "tree_info names an output that is none of the model's 3"),
    "base scores": ("classes", learned(base_score="[0.1,0.2]"), "base_score has 2 values for 3 outputs"),
    "base score too large": ("classes", learned(base_score="1e39"), "base_score is not a finite number"),
    "base score NaN": ("classes", learned(base_score="[NaN,0,0]"), "not a finite number"),
    "base score gone": ("classes", learned(base_score="[]"), "base_score is empty"),
    "base score nested": ("classes", learned(base_score="[" * 100_000), "not a number"),
    "base score long": ("classes", learned(base_score="[" * 10_000_000), "not a finite number"),
    "base score of digits": ("classes", learned(base_score="9" * 400), "not a finite number"),
    "quantiles": (
        "quantiles",
        objective("quantile_loss_param", quantile_alpha="[0.5]"),
        "declares 1 outputs",
    ),
    "no quantiles": ("quantiles", objective("quantile_loss_param", quantile_alpha="[]"), "alpha is empty"),
    "no logarithm": ("counts", learned(base_score="[0E0]"), "is not positive"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_named(documents: dict[str, tuple[Trained, dict]], name: str) -> None:
    kind, damage, message = DAMAGES[name]
    trained, document = documents[kind]
    document = copy.deepcopy(document)
    damage(document)
    with pytest.raises(ModelCorrupt, match=message):
        load_model("xgboost", json.dumps(document).encode(), trained.space)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("spelling", ["json", "ubj"])
def test_every_truncation_is_refused(
    documents: dict[str, tuple[Trained, dict]], kind: str, spelling: str
) -> None:
    trained, _ = documents[kind]
    artifact = trained.artifact(spelling)
    for length in range(2, len(artifact) - 1, max(1, len(artifact) // 30)):
        with pytest.raises((ModelCorrupt, ModelUnsupported)):
            load_model("xgboost", artifact[:length], trained.space)


@pytest.mark.parametrize(
    "name",
    ["leaf width 10^9", "classes and weights", "base score nested", "base score long", "few linear weights"],
)
def test_declared_sizes_cost_nothing(documents: dict[str, tuple[Trained, dict]], name: str) -> None:
    kind, damage, message = DAMAGES[name]
    trained, document = documents[kind]
    document = copy.deepcopy(document)
    damage(document)
    artifact = json.dumps(document).encode()
    tracemalloc.start()
    started = time.process_time()
    with pytest.raises(ModelCorrupt, match=message):
        load_model("xgboost", artifact, trained.space)
    taken, (_, peak) = time.process_time() - started, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken < 1.0
    assert peak < 4 * len(artifact) + (4 << 20)
