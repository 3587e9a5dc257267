"""Broken and hostile CatBoost files are refused by name, and the native loader never sees them."""

from __future__ import annotations

import contextlib
import copy
import json
import resource
import time
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from explain.errors import ModelCorrupt, ModelUnsupported
from explain.models import catboost, load_model
from explain.models.catboost_parse import parse_catboost
from tests.oracles.catboost_models import CatBoosted, train_catboost

Damage = Callable[[dict[str, Any]], None]


@cache
def symmetric() -> CatBoosted:
    return train_catboost(features=3, categorical=(1,), iterations=4)


@cache
def nested() -> CatBoosted:
    return train_catboost(features=3, grow_policy="Depthwise", iterations=4)


@pytest.fixture(autouse=True)
def no_native_loader(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the native loader was reached")

    monkeypatch.setattr(catboost, "NativeModel", refuse)


def setting(*path: str | int, to: object) -> Damage:
    def damage(document: dict[str, Any]) -> None:
        target = document
        for step in path[:-1]:
            target = target[step]
        target[path[-1]] = to

    return damage


def removing(*path: str | int) -> Damage:
    def damage(document: dict[str, Any]) -> None:
        target = document
        for step in path[:-1]:
            target = target[step]
        del target[path[-1]]

    return damage


def split_of(document: dict[str, Any], kind: str) -> dict[str, Any]:
    return next(s for t in document["oblivious_trees"] for s in t["splits"] if s["split_type"] == kind)


def in_split(kind: str, name: str, to: object) -> Damage:
    return lambda document: split_of(document, kind).__setitem__(name, to)


def too_many_splits(document: dict[str, Any]) -> None:
    """64 levels would have 2^64 leaves."""
    tree = document["oblivious_trees"][0]
    tree["splits"] = [tree["splits"][0]] * 64


TREE, FLOATS = ("oblivious_trees", 0), ("features_info", "float_features")
CATEGORIES = ("features_info", "categorical_features", 0)
CLASSES = ("model_info", "class_params")

DAMAGES: dict[str, tuple[Damage, str]] = {
    "no features": (removing("features_info"), "no features_info"),
    "features are a list": (setting("features_info", to=[]), "features_info is not an object"),
    "feature is no object": (setting(*FLOATS, 0, to=3), "float feature 0 is not an object"),
    "features are a text": (setting(*FLOATS, to="a"), "is not a list"),
    "border is text": (setting(*FLOATS, 0, "borders", to=["1"]), "borders is not a list of numbers"),
    "border is true": (setting(*FLOATS, 0, "borders", to=[True]), "borders is not a list of numbers"),
    "border is a list": (setting(*FLOATS, 0, "borders", to=[[1.0]]), "borders is not a list of numbers"),
    "no borders": (removing(*FLOATS, 0, "borders"), "borders is not a list of numbers"),
    "borders descend": (setting(*FLOATS, 0, "borders", to=[2.0, 1.0]), "do not ascend"),
    "borders equal in 32 bits": (setting(*FLOATS, 0, "borders", to=[1.0, 1.0 + 1e-12]), "do not ascend"),
    "border beyond 32 bits": (setting(*FLOATS, 0, "borders", to=[1e300]), "do not ascend"),
    "border is NaN": (setting(*FLOATS, 0, "borders", to=[float("nan")]), "not finite"),
    "treatment": (setting(*FLOATS, 0, "nan_value_treatment", to="AsLeft"), "missing values"),
    "has_nans": (setting(*FLOATS, 0, "has_nans", to=1), "missing values"),
    "feature index": (setting(*FLOATS, 0, "feature_index", to=1), "out of turn"),
    "position is text": (setting(*FLOATS, 0, "flat_feature_index", to="0"), "whole number"),
    "negative position": (setting(*FLOATS, 0, "flat_feature_index", to=-1), "whole number"),
    "position of another": (setting(*FLOATS, 1, "flat_feature_index", to=0), "position of another"),
    "name is a number": (setting(*FLOATS, 0, "feature_id", to=7), "is not text"),
    "category twice": (setting(*CATEGORIES, "values", to=[1, 1]), "distinct"),
    "category beyond 32 bits": (setting(*CATEGORIES, "values", to=[2**31]), "distinct"),
    "category is text": (setting(*CATEGORIES, "values", to=["own"]), "distinct"),
    "string_values": (setting(*CATEGORIES, "string_values", to=[[[]]]), "other than text"),
    "hash": (setting("features_info", "cat_features_hash", to=[{"hash": -1, "value": "a"}]), "a hash"),
    "no trees": (setting("oblivious_trees", to=[]), "no trees"),
    "trees are null": (setting("oblivious_trees", to=None), "no trees"),
    "trees are an object": (setting("oblivious_trees", to={}), "is not a list"),
    "trees are missing": (removing("oblivious_trees"), "no trees"),
    "two kinds of trees": (setting("trees", to=[]), "symmetric and other trees"),
    "tree is no object": (setting(*TREE, to=1), "tree 0 is not an object"),
    "no splits": (removing(*TREE, "splits"), "8 leaf weights for 1 leaves"),
    "splits are an object": (setting(*TREE, "splits", to={}), "is not a list"),
    "split is no object": (setting(*TREE, "splits", 0, to=[]), "split is not an object"),
    "split out of range": (setting(*TREE, "splits", 0, "split_index", to=10**6), "asks split 1000000 of"),
    "negative split": (setting(*TREE, "splits", 0, "split_index", to=-1), "whole number in range"),
    "split is true": (setting(*TREE, "splits", 0, "split_index", to=True), "whole number in range"),
    "border of another": (in_split("FloatFeature", "border", 77.0), "another value"),
    "border of a split beyond 32 bits": (in_split("FloatFeature", "border", 1e300), "another value"),
    "border of a split is text": (in_split("FloatFeature", "border", "1"), "not a list of numbers"),
    "feature of another": (in_split("FloatFeature", "float_feature_index", 1), "another feature"),
    "category of another": (in_split("OneHotFeature", "value", 5), "another value"),
    "kind of another": (in_split("OneHotFeature", "split_index", 0), "another feature"),
    "2^64 leaves": (too_many_splits, "has 64 splits"),
    "too few leaves": (setting(*TREE, "leaf_values", to=[1.0]), "1 leaf values for 8 leaves"),
    "no leaves": (setting(*TREE, "leaf_values", to=[]), "0 leaf values for 8 leaves"),
    "leaves of two outputs": (setting(*TREE, "leaf_values", to=[1.0] * 16), "different numbers of outputs"),
    "leaf is text": (setting(*TREE, "leaf_values", to=["0"] * 8), "not a list of numbers"),
    "leaf is NaN": (setting(*TREE, "leaf_values", to=[float("nan")] * 8), "not finite"),
    "leaf is infinite": (setting(*TREE, "leaf_values", to=[float("inf")] * 8), "not finite"),
    "leaf is a huge integer": (setting(*TREE, "leaf_values", to=[10**400] * 8), "not finite"),
    "weights": (setting(*TREE, "leaf_weights", to=[1.0]), "1 leaf weights for 8 leaves"),
    "negative weight": (setting(*TREE, "leaf_weights", to=[-1.0] * 8), "negative leaf weight"),
    "no scale": (removing("scale_and_bias"), "no scale_and_bias"),
    "scale alone": (setting("scale_and_bias", to=[1]), "not a pair"),
    "scale is text": (setting("scale_and_bias", to=["1", [0]]), "not a list of numbers"),
    "scale is huge": (setting("scale_and_bias", to=[1e308 * 10, [0]]), "not finite"),
    "two biases": (setting("scale_and_bias", to=[1, [0, 0]]), "2 biases for 1 outputs"),
    "no bias": (setting("scale_and_bias", to=[1, []]), "0 biases for 1 outputs"),
    "no information": (removing("model_info"), "no model_info"),
    "information is text": (setting("model_info", to="params"), "model_info is not an object"),
    "no loss": (setting("model_info", "params", to={}), "no loss_function"),
    "labels are a number": (setting(*CLASSES, "class_to_label", to=3), "is not a list"),
    "one output of several": (
        setting("model_info", "params", "loss_function", "type", to="MultiClass"),
        "one",
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_named(name: str) -> None:
    damage, message = DAMAGES[name]
    document = copy.deepcopy(symmetric().document)
    damage(document)
    with pytest.raises(ModelCorrupt, match=message):
        load_model("catboost", json.dumps(document).encode(), symmetric().space)


def deep_tree(document: dict[str, Any]) -> None:
    """Seventeen levels, each a split above a leaf."""
    split, leaf = document["trees"][0]["split"], {"value": 1.0, "weight": 1}
    node: dict[str, Any] = leaf
    for _ in range(17):
        node = {"split": split, "left": leaf, "right": node}
    document["trees"][0] = node


def large_tree(document: dict[str, Any]) -> None:
    """Sixteen full levels: 131,071 nodes, made of one object per level."""
    node: dict[str, Any] = {"value": 1.0, "weight": 1}
    for _ in range(16):
        node = {"split": document["trees"][0]["split"], "left": node, "right": node}
    document["trees"][0] = node


NESTED_DAMAGES: dict[str, tuple[Damage, str]] = {
    "node is null": (setting("trees", 0, "left", to=None), "tree 0 is not an object"),
    "node is empty": (setting("trees", 0, "left", to={}), "has no split"),
    "no left": (removing("trees", 0, "left"), "has no left"),
    "no right": (removing("trees", 0, "right"), "has no right"),
    "no split": (removing("trees", 0, "split"), "has no split"),
    "split out of range": (setting("trees", 0, "split", "split_index", to=999), "asks split 999 of"),
    "leaf is text": (setting("trees", 0, "left", to={"value": "1"}), "not a list of numbers"),
    "leaf is null": (setting("trees", 0, "left", to={"value": None}), "not a list of numbers"),
    "leaf of two": (setting("trees", 0, "left", to={"value": [1.0, 2.0]}), "different lengths"),
    "leaf of none": (setting("trees", 0, to={"value": []}), "different lengths"),
    "weight": (setting("trees", 0, "left", to={"value": 1, "weight": -1}), "negative leaf weight"),
    "deeper than the library grows": (deep_tree, "deeper than"),
}


@pytest.mark.parametrize("name", NESTED_DAMAGES)
def test_damage_of_a_nested_tree_is_named(name: str) -> None:
    damage, message = NESTED_DAMAGES[name]
    document = copy.deepcopy(nested().document)
    damage(document)
    with pytest.raises(ModelCorrupt, match=message):
        load_model("catboost", json.dumps(document).encode(), nested().space)


def test_a_tree_whose_children_the_library_cannot_address_is_refused() -> None:
    document = copy.deepcopy(nested().document)
    large_tree(document)
    with pytest.raises(ModelUnsupported, match="more than 65536 nodes"):
        load_model("catboost", json.dumps(document).encode(), nested().space)


HOSTILE: dict[str, tuple[bytes, str]] = {
    "deep": (b'{"features_info":' + b"[" * 200_000, "nested too deeply"),
    "repeated member": (b'{"trees":1,"trees":2}', "same member twice"),
    "long integer": (b'{"trees":' + b"9" * 5000 + b"}", "not valid JSON"),
    "not UTF-8": (b'{"\xff":1}', "not valid JSON"),
    "nothing in it": (b'{"features_info":{}}', "no model_info"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_bytes_are_refused(name: str) -> None:
    artifact, message = HOSTILE[name]
    with pytest.raises(ModelCorrupt, match=message):
        load_model("catboost", artifact, symmetric().space)


def test_what_the_library_stores_beside_the_trees_is_not_nested_deeply() -> None:
    document = symmetric().document
    inner: list[Any] = []
    for _ in range(100):
        inner = [inner]
    document["model_info"]["note"] = inner
    with pytest.raises(ModelCorrupt, match="model_info is nested too deeply"):
        load_model("catboost", json.dumps(document).encode(), symmetric().space)


@pytest.mark.parametrize("artifact", [b"", b"{", b"\x80\x04pickle", b"[1]", b"PK\x03\x04", b"{L\x00\x00"])
def test_other_formats_are_refused(artifact: bytes) -> None:
    with pytest.raises(ModelUnsupported, match="a file format other than JSON"):
        load_model("catboost", artifact, symmetric().space)


@pytest.mark.parametrize("trained", [symmetric, nested])
def test_every_truncation_is_refused(trained: Callable[[], CatBoosted]) -> None:
    artifact = trained().artifact.rstrip()
    for length in range(0, len(artifact) - 1, max(1, len(artifact) // 60)):
        with pytest.raises((ModelCorrupt, ModelUnsupported)):
            load_model("catboost", artifact[:length], trained().space)


def parsed_or_refused(artifact: bytes) -> None:
    """Parse within a second and 64 MiB: a checked file or a named error, nothing else."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    with contextlib.suppress(ModelCorrupt, ModelUnsupported):
        parse_catboost(artifact)
    assert time.process_time() - started < 1.0
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10


@settings(max_examples=150, deadline=None)
@given(data=st.data(), which=st.sampled_from([symmetric, nested]))
def test_flipped_bits_end_in_a_named_error_or_a_checked_file(
    data: st.DataObject, which: Callable[[], CatBoosted]
) -> None:
    artifact = bytearray(which().artifact)
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(artifact) - 1))
        artifact[position] ^= 1 << data.draw(st.integers(0, 7))
    parsed_or_refused(bytes(artifact))


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=4)
    | st.sampled_from([2**31, -1, 2**60, 1e308, float("inf")]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


def places(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """List the path of every member of a document."""
    items = list(value.items()) if isinstance(value, dict) else []
    items += list(enumerate(value)) if isinstance(value, list) else []
    return [found for name, item in items for found in ((*path, name), *places(item, (*path, name)))]


@settings(max_examples=150, deadline=None)
@given(data=st.data(), which=st.sampled_from([symmetric, nested]))
def test_any_value_in_any_place_ends_in_a_named_error_or_a_checked_file(
    data: st.DataObject, which: Callable[[], CatBoosted]
) -> None:
    document = which().document
    del document["model_info"]["params"]["data_processing_options"]  # large, and nothing that predicts
    setting(*data.draw(st.sampled_from(places(document))), to=data.draw(ANYTHING))(document)
    parsed_or_refused(json.dumps(document).encode())
