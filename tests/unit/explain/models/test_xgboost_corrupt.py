"""Broken and hostile files are refused by name, and the native loader never sees them."""

from __future__ import annotations

import copy
import json
import struct
from collections.abc import Callable

import pytest

from explain.errors import ManifestContradiction, ModelCorrupt, ModelUnsupported
from explain.models import load_model, xgboost
from tests.oracles.boosters import Trained, train

Damage = Callable[[dict], None]


@pytest.fixture(scope="module")
def trained() -> Trained:
    return train(("q", "c", "q"), rounds=3, max_depth=3, max_cat_to_onehot=1)


@pytest.fixture(autouse=True)
def no_native_loader(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the native loader was reached")

    monkeypatch.setattr(xgboost, "NativeBooster", refuse)


def tree(document: dict, number: int = 0) -> dict:
    return document["learner"]["gradient_booster"]["model"]["trees"][number]


def setting(*path: str | int, to: object) -> Damage:
    def damage(document: dict) -> None:
        target = document
        for step in path[:-1]:
            target = target[step]
        target[path[-1]] = to

    return damage


def in_tree(name: str, position: int, to: object) -> Damage:
    def damage(document: dict) -> None:
        tree(document)[name][position] = to

    return damage


def shorten(name: str) -> Damage:
    return lambda document: tree(document)[name].pop()


def remove(name: str) -> Damage:
    return lambda document: tree(document).pop(name)


def make_leaf_value(value: float) -> Damage:
    def damage(document: dict) -> None:
        leaf = tree(document)["left_children"].index(-1)
        tree(document)["split_conditions"][leaf] = value

    return damage


def point_child_back_at_an_ancestor(document: dict) -> None:
    one = tree(document)
    child = one["left_children"][0]
    one["left_children"][child] = 0


def detach_a_cycle(document: dict) -> None:
    """Hang a pair of siblings below one of them, and its own children where the pair was."""
    one = tree(document)
    left, right, parents = one["left_children"], one["right_children"], one["parents"]
    node = next(n for n, child in enumerate(left) if child != -1 and n)
    parent, pair, below = parents[node], left[parents[node]], left[node]
    left[parent], right[parent] = below, below + 1
    left[node], right[node] = pair, pair + 1
    parents[below] = parents[below + 1] = parent
    parents[pair] = parents[pair + 1] = node


def share_a_pair(document: dict) -> None:
    """Give an inner node the children of the root."""
    one = tree(document)
    node = next(n for n, child in enumerate(one["left_children"]) if child != -1 and n)
    one["left_children"][node], one["right_children"][node] = 1, 2


MODEL = ("learner", "gradient_booster", "model")
DAMAGES: dict[str, tuple[Damage, str]] = {
    "child out of range": (in_tree("left_children", 0, 10_000), "child out of range"),
    "negative child": (in_tree("right_children", 0, -7), "child out of range"),
    "root as child": (in_tree("right_children", 0, 0), "child out of range"),
    "one child": (in_tree("right_children", 0, -1), "one child only"),
    "cycle": (point_child_back_at_an_ancestor, "child out of range"),
    "detached cycle": (detach_a_cycle, "never reached"),
    "shared child": (share_a_pair, "child of several"),
    "children apart": (in_tree("right_children", 0, 1), "does not follow its left one"),
    "wrong parent": (in_tree("parents", 1, 2), "names another parent"),
    "root with a parent": (in_tree("parents", 0, 1), "root with a parent"),
    "NaN leaf": (make_leaf_value(float("nan")), "not finite"),
    "infinite leaf": (make_leaf_value(1e300), "not finite"),
    "feature out of range": (in_tree("split_indices", 0, 3), "feature out of range"),
    "negative feature": (in_tree("split_indices", 0, -1), "feature out of range"),
    "default direction": (in_tree("default_left", 0, 2), "default direction"),
    "split type": (in_tree("split_type", 0, 9), "unknown split type"),
    "text in an array": (in_tree("left_children", 0, "1"), "other than integers"),
    "real in an array": (in_tree("left_children", 0, 1.5), "other than integers"),
    "list in an array": (in_tree("left_children", 0, [1]), "flat list"),
    "huge integer": (in_tree("left_children", 0, 10**30), "integers"),
    "short array": (shorten("left_children"), "entries for"),
    "short statistics": (shorten("sum_hessian"), "sum_hessian has"),
    "missing statistics": (remove("sum_hessian"), "has no sum_hessian"),
    "tree id": (setting(*MODEL, "trees", 1, "id", to=0), "tree 1 has the id of another tree"),
    "missing array": (remove("split_indices"), "has no split_indices"),
    "huge count": (setting(*MODEL, "trees", 0, "tree_param", "num_nodes", to="2147483647"), "entries for"),
    "unreadable count": (setting(*MODEL, "trees", 0, "tree_param", "num_nodes", to="-1"), "not a count"),
    "no nodes": (setting(*MODEL, "trees", 0, "tree_param", "num_nodes", to="0"), "declares 0 nodes"),
    "deleted nodes": (setting(*MODEL, "trees", 0, "tree_param", "num_deleted", to="1"), "deleted"),
    "other features": (
        setting(*MODEL, "trees", 0, "tree_param", "num_feature", to="9"),
        "number of features",
    ),
    "tree is no object": (setting(*MODEL, "trees", 0, to=5), "is not an object"),
    "trees are no list": (setting(*MODEL, "trees", to={}), "is not a list"),
    "tree count": (setting(*MODEL, "gbtree_model_param", "num_trees", to="7"), "trees are declared"),
    "tree groups": (setting(*MODEL, "tree_info", to=[0]), "tree_info"),
    "rounds": (setting(*MODEL, "iteration_indptr", to=[0, 9, 3]), "iteration_indptr"),
    "category segment": (in_tree("categories_sizes", 0, 10_000), "category segment"),
    "negative category": (in_tree("categories", 0, -1), "category code"),
    "huge category": (in_tree("categories", 0, 2**24), "category code"),
    "category nodes": (in_tree("categories_nodes", 0, -3), "categories_nodes"),
    "category arrays": (shorten("categories_sizes"), "differ in length"),
    "base score": (setting("learner", "learner_model_param", "base_score", to="x"), "base_score"),
    "no probability": (setting("learner", "learner_model_param", "base_score", to="1.5"), "no probability"),
    "feature names": (setting("learner", "feature_names", to=["a"]), "feature_names has"),
    "best iteration": (
        setting("learner", "attributes", to={"scikit_learn": "{}", "best_iteration": "99"}),
        "best_iteration 99",
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_named(trained: Trained, name: str) -> None:
    damage, message = DAMAGES[name]
    document = copy.deepcopy(trained.document())
    damage(document)
    with pytest.raises(ModelCorrupt, match=message):
        load_model("xgboost", json.dumps(document).encode(), trained.space)


@pytest.mark.parametrize("spelling", ["json", "ubj"])
def test_every_truncation_is_refused(trained: Trained, spelling: str) -> None:
    artifact = trained.artifact(spelling)
    for length in range(2, len(artifact) - 1, max(1, len(artifact) // 60)):
        with pytest.raises((ModelCorrupt, ModelUnsupported)):
            load_model("xgboost", artifact[:length], trained.space)


@pytest.mark.parametrize(
    "artifact", [b"", b"{", b"binf", b"\x80\x04pickle", b"[1]", b"PK\x03\x04", b"\x00" * 64]
)
def test_other_formats_are_refused(trained: Trained, artifact: bytes) -> None:
    with pytest.raises(ModelUnsupported, match="format"):
        load_model("xgboost", artifact, trained.space)


HOSTILE = {
    "deep JSON": b'{"a":' + b"[" * 200_000,
    "deep UBJSON": b"{L" + struct.pack(">q", 1) + b"a" + b"[" * 200_000,
    "repeated member": b'{"learner":1,"learner":2}',
    "long integer": b'{"learner":' + b"9" * 5000 + b"}",
    "not UTF-8": b'{"\xff":1}',
    "huge UBJSON array": b"{L" + struct.pack(">q", 1) + b"a[$d#L" + struct.pack(">q", 2**60),
    "negative UBJSON length": b"{L" + struct.pack(">q", -1) + b"a",
    "bytes after the end": b"{L" + struct.pack(">q", 1) + b"aZ}}",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_bytes_are_refused(trained: Trained, name: str) -> None:
    with pytest.raises(ModelCorrupt):
        load_model("xgboost", HOSTILE[name], trained.space)


def test_a_category_beyond_the_manifest_never_reaches_the_native_loader(trained: Trained) -> None:
    document = trained.document()
    tree(document)["categories"][0] = 2**23
    with pytest.raises(ManifestContradiction, match="category code 8388608"):
        load_model("xgboost", json.dumps(document).encode(), trained.space)


def test_an_unknown_family_is_refused(trained: Trained) -> None:
    with pytest.raises(ModelUnsupported, match="family pickle"):
        load_model("pickle", b"", trained.space)
