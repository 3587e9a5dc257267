"""Broken and hostile scikit-learn files are refused by name, and the native library never sees them."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import pytest
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)

from explain.errors import ModelCorrupt, ModelUnsupported
from explain.features import FeatureSpace
from explain.models import load_model, sklearn
from tests.oracles.sklearn_files import Opened, opened, plain, with_header
from tests.oracles.sklearn_frames import on_frame
from tests.oracles.sklearn_models import train

Damage = Callable[[Opened], None]
ESTIMATORS = {
    "forest": lambda: train(RandomForestClassifier(n_estimators=3, max_depth=3, random_state=0)),
    "boosting": lambda: train(GradientBoostingClassifier(n_estimators=3, random_state=0), missing=0.0),
    "histogram": lambda: on_frame(HistGradientBoostingClassifier(max_iter=3, random_state=0)),
}


@pytest.fixture(scope="module")
def files() -> dict[str, tuple[bytes, FeatureSpace]]:
    return {name: ((made := make()).artifact, made.space) for name, make in ESTIMATORS.items()}


@pytest.fixture(autouse=True)
def no_native_loader(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the native library was reached")

    monkeypatch.setattr(sklearn, "NativeEstimator", refuse)


def field(name: str, position: int, value: float) -> Damage:
    return lambda file: file.set_field(name, position, value)


def at_leaf(name: str, value: float) -> Damage:
    def damage(file: Opened) -> None:
        records = file.array(file.trees()[0]["nodes"])
        leaves = records["is_leaf"] == 1 if "is_leaf" in records.dtype.names else records["left_child"] == -1
        file.set_field(name, int(np.flatnonzero(leaves)[0]), value)

    return damage


def values(change: Callable[[np.ndarray], np.ndarray]) -> Damage:
    def damage(file: Opened) -> None:
        node = file.trees()[0]["values"]
        file.replace(node, change(file.array(node).copy()))

    return damage


def with_nan(array: np.ndarray) -> np.ndarray:
    array[:] = np.nan
    return array


def attribute(name: str, node: object) -> Damage:
    def damage(file: Opened) -> None:
        file.attributes()[name] = node
        keys = file.schema["content"]["key_types"]["content"]
        while len(keys) < len(file.attributes()):
            keys.append(copy.deepcopy(keys[0]))

    return damage


def without(name: str) -> Damage:
    def damage(file: Opened) -> None:
        del file.attributes()[name]
        file.schema["content"]["key_types"]["content"].pop()

    return damage


def in_tree(name: str, node: object) -> Damage:
    return lambda file: file.trees()[0].update({name: node})


def member(name: str, content: bytes) -> Damage:
    return lambda file: file.members.update({file.trees()[0][name]["file"]: content})


def every(loader: str, change: Callable[[dict], None]) -> Damage:
    def damage(file: Opened) -> None:
        for node in list(file.nodes()):
            if node["__loader__"] == loader:
                change(node)

    return damage


def no_cat_bits(file: Opened) -> None:
    for tree in file.trees():
        file.replace(tree["raw_left_cat_bitsets"], np.zeros((0, 8), dtype=np.uint32))


def unknown_cat_bits(file: Opened) -> None:
    for tree in file.trees():
        node = tree["raw_left_cat_bitsets"]
        file.replace(node, np.full_like(file.array(node), 0xFFFFFFFF))


def impostor(file: Opened) -> None:
    """Give a second tree the identity of the first: skops would build the first one twice."""
    members = file.attributes()["estimators_"]["content"]
    members[1]["__id__"] = members[0]["__id__"]


def foreign_bins(file: Opened) -> None:
    mapper = file.attributes(file.attributes()["_bin_mapper"])
    file.replace(mapper["bin_thresholds_"]["content"][0], np.array([0.0, 1.0, 1e9, 3.0]))


def foreign_method(node: dict) -> None:
    del node["__id__"]
    node.update({"__loader__": "MethodNode", "content": {"func": "fit", "obj": copy.deepcopy(node)}})


def other_kind_of_split(file: Opened) -> None:
    categorical = file.array(file.trees()[0]["nodes"])["is_categorical"][0]
    file.set_field("is_categorical", 0, 1 - categorical)


FOREST: dict[str, tuple[Damage, type, str]] = {
    "child out of range": (field("left_child", 0, 10_000), ModelCorrupt, "child out of range"),
    "negative child": (field("right_child", 0, -7), ModelCorrupt, "child out of range"),
    "cycle": (field("right_child", 1, 0), ModelCorrupt, "child out of range"),
    "shared child": (field("right_child", 0, 1), ModelCorrupt, "child of several"),
    "one child": (field("right_child", 0, -1), ModelCorrupt, "one child only"),
    "cut off": (
        lambda file: [field(name, 0, -1)(file) for name in ("left_child", "right_child")],
        ModelCorrupt,
        "never reached",
    ),
    "feature": (field("feature", 0, 5), ModelCorrupt, "feature out of range"),
    "negative feature": (field("feature", 0, -1), ModelCorrupt, "feature out of range"),
    "threshold": (field("threshold", 0, np.nan), ModelCorrupt, "threshold that is not a number"),
    "weight": (field("weighted_n_node_samples", 0, np.inf), ModelCorrupt, "training weight"),
    "direction": (field("missing_go_to_left", 0, 2), ModelCorrupt, "missing_go_to_left that is not 0 or 1"),
    "leaf": (values(with_nan), ModelCorrupt, "leaf value that is not finite"),
    "short values": (values(lambda array: array[1:]), ModelCorrupt, "values of shape"),
    "narrow values": (values(lambda array: array.astype(np.float32)), ModelUnsupported, "other fields"),
    "text for values": (values(lambda array: array.astype("U9")), ModelUnsupported, "other fields"),
    "node count": (in_tree("node_count", plain(10**9)), ModelCorrupt, "declares another number"),
    "huge node count": (in_tree("node_count", plain(2**40)), ModelCorrupt, "is not a count"),
    "depth": (in_tree("max_depth", plain(10**9)), ModelCorrupt, "declares another number"),
    "state of a tree": (in_tree("extra", plain(1)), ModelCorrupt, "does not fit its keys"),
    "no array": (member("nodes", b"\x80\x04pickle"), ModelCorrupt, "is no array"),
    "10^9 nodes": (
        member("nodes", with_header("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000,), }")),
        ModelCorrupt,
        "declares 8000000000 bytes",
    ),
    "objects": (
        member("nodes", with_header("{'descr': '|O8', 'fortran_order': False, 'shape': (1,), }", b"8" * 8)),
        ModelUnsupported,
        "an array of",
    ),
    "an expression": (
        member("nodes", with_header("{'descr': __import__('os'), 'shape': (1,), }")),
        ModelUnsupported,
        "array header",
    ),
    "deep header": (member("nodes", with_header("(" * 60_000)), ModelUnsupported, "array header"),
    "member gone": (lambda file: file.members.clear(), ModelCorrupt, "has no member"),
    "path": (lambda file: file.members.update({"../evil.npy": b""}), ModelUnsupported, "member '../evil"),
    "unknown attribute": (attribute("_in_fit", plain(True)), ModelUnsupported, "attribute .*_in_fit"),
    "method for attribute": (attribute("predict_proba", plain(1)), ModelUnsupported, "predict_proba"),
    "count of features": (attribute("n_features_in_", plain(0)), ModelCorrupt, "n_features_in_ is 0"),
    "other features": (attribute("n_features_in_", plain(9)), ModelCorrupt, "other features or outputs"),
    "other classes": (attribute("n_classes_", plain(7)), ModelCorrupt, "does not fit its classes_"),
    "no trees": (without("estimators_"), ModelCorrupt, "has no estimators_"),
    "other version": (attribute("_sklearn_version", plain("99.1.0")), ModelUnsupported, "newer than"),
    "old version": (attribute("_sklearn_version", plain("0.24.2")), ModelUnsupported, "older than"),
    "no version": (attribute("_sklearn_version", plain("x" * 500)), ModelCorrupt, "no version"),
    "one identity": (impostor, ModelCorrupt, "one identity"),
    "protocol": (lambda file: file.schema.update(protocol=3), ModelUnsupported, "skops protocol 3"),
    "class by another name": (
        every("ObjectNode", lambda node: node.update({"__module__": "os", "__class__": "system"})),
        ModelUnsupported,
        "estimator os.system",
    ),
    "another tree": (
        every("TreeNode", lambda node: node.update({"__module__": "builtins", "__class__": "eval"})),
        ModelUnsupported,
        "of another kind",
    ),
    "an operator for a tree": (
        every("TreeNode", lambda node: node.update({"__loader__": "OperatorFuncNode"})),
        ModelUnsupported,
        "of another kind",
    ),
    "a method for an estimator": (
        lambda file: foreign_method(file.attributes()["estimators_"]["content"][0]),
        ModelUnsupported,
        "MethodNode where an object",
    ),
    "keys that are functions": (
        every("TypeNode", lambda node: node.update({"__class__": "eval"})),
        ModelUnsupported,
        "keys other than text",
    ),
    "a name for a module": (
        every("ListNode", lambda node: node.update({"__module__": "subprocess"})),
        ModelCorrupt,
        "where a list is expected",
    ),
}
BOOSTING: dict[str, tuple[Damage, type, str]] = {
    "another loss": (attribute("loss", plain("deviance")), ModelUnsupported, "loss deviance"),
    "loss that does not fit": (attribute("loss", plain("exponential")), ModelCorrupt, "ExponentialLoss"),
    "learning rate": (attribute("learning_rate", plain(float("nan"))), ModelCorrupt, "learning_rate"),
    "learning rate as text": (attribute("learning_rate", plain("1")), ModelCorrupt, "learning_rate"),
    "stages": (attribute("n_estimators_", plain(2)), ModelCorrupt, "estimators_ has shape"),
    "outputs": (attribute("n_trees_per_iteration_", plain(3)), ModelCorrupt, "n_trees_per_iteration_"),
    "init": (attribute("init_", plain("mean")), ModelUnsupported, "init other than"),
    "leaf": (values(with_nan), ModelCorrupt, "leaf value that is not finite"),
}
HISTOGRAM: dict[str, tuple[Damage, type, str]] = {
    "child out of range": (field("left", 0, 10_000), ModelCorrupt, "child out of range"),
    "cycle": (field("right", 0, 0), ModelCorrupt, "child out of range"),
    "feature": (field("feature_idx", 0, 4), ModelCorrupt, "feature out of range"),
    "leaf": (at_leaf("value", np.inf), ModelCorrupt, "leaf value that is not finite"),
    "leaf flag": (at_leaf("is_leaf", 7), ModelCorrupt, "is_leaf that is not 0 or 1"),
    "sets gone": (no_cat_bits, ModelCorrupt, "no set of categories"),
    "sets of unknown categories": (unknown_cat_bits, ModelCorrupt, "does not know"),
    "kind of split": (other_kind_of_split, ModelCorrupt, "by number on a category|no set of categories"),
    "bins": (foreign_bins, ModelCorrupt, "categories are not the encoder's"),
    "preprocessor": (
        lambda file: file.attributes()["_preprocessor"].update({"__class__": "Pipeline"}),
        ModelUnsupported,
        "preprocessor Pipeline",
    ),
    "preprocessor gone": (
        attribute("_preprocessor", plain(None)),
        ModelCorrupt,
        "by category on a number|bin",
    ),
    "baseline": (
        lambda file: file.replace(file.attributes()["_baseline_prediction"], np.array([[np.nan]])),
        ModelCorrupt,
        "_baseline_prediction",
    ),
    "loss": (attribute("loss", plain("poisson")), ModelUnsupported, "loss poisson"),
}
DAMAGES = [
    (kind, name)
    for kind, damages in (("forest", FOREST), ("boosting", BOOSTING), ("histogram", HISTOGRAM))
    for name in damages
]


@pytest.mark.parametrize(("kind", "name"), DAMAGES)
def test_damage_is_named(files: dict, kind: str, name: str) -> None:
    damage, error, message = {"forest": FOREST, "boosting": BOOSTING, "histogram": HISTOGRAM}[kind][name]
    artifact, space = files[kind]
    file = opened(artifact)
    damage(file)
    with pytest.raises(error, match=message):
        load_model("sklearn", file.packed(), space)


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_every_truncation_is_refused(files: dict, kind: str) -> None:
    artifact, space = files[kind]
    for length in range(0, len(artifact), max(1, len(artifact) // 200)):
        with pytest.raises((ModelCorrupt, ModelUnsupported)):
            load_model("sklearn", artifact[:length], space)
