"""Decision trees and averages of trees: random forests and extra trees."""

from __future__ import annotations

import numpy as np

from explain.errors import ModelCorrupt, ModelUnsupported
from explain.models.sklearn_estimator import (
    OUTPUT_LIMIT,
    TREE_FITTED,
    TREE_SETTINGS,
    Part,
    PlainTree,
    SklearnArtifact,
    read_classes,
    read_names,
    read_part,
    read_size,
    read_tree,
    read_tree_estimator,
)
from explain.models.sklearn_nodes import Node, Scalar, Schema, words
from explain.models.sklearn_trees import read_forest
from explain.models.sklearn_writing import list_node, object_node, rewrite, value_node

MEMBERS = {
    "RandomForestClassifier": "DecisionTreeClassifier",
    "RandomForestRegressor": "DecisionTreeRegressor",
    "ExtraTreesClassifier": "ExtraTreeClassifier",
    "ExtraTreesRegressor": "ExtraTreeRegressor",
}
SETTINGS = TREE_SETTINGS | words("bootstrap max_samples n_estimators n_jobs oob_score verbose warm_start")
FITTED = words("estimators_ n_features_in_ n_outputs_ n_classes_ classes_ feature_names_in_ _sklearn_version")
IGNORED = words(
    "estimator estimator_ estimator_params oob_score_ oob_decision_function_ oob_prediction_ "
    "_n_samples _n_samples_bootstrap _sample_weight"
)


def parse_forest(schema: Schema, version: str) -> SklearnArtifact:
    """Read a forest: the mean of its trees' values, or of their class shares."""
    part = read_part(schema, schema.root, settings=SETTINGS, fitted=FITTED, ignored=IGNORED)
    n_features = read_size(part)
    classes, shape = _outputs(part)
    trees = [
        read_tree_estimator(schema, node, MEMBERS[part.name], n_features, shape)
        for node in schema.items(part.node("estimators_"))
    ]
    kind = f"sklearn.tree._classes.{MEMBERS[part.name]}"
    written = {
        **_fitted(part, n_features, shape),
        "estimators_": list_node([one.written for one in trees]),
        "estimator": object_node(kind, {"_sklearn_version": value_node(schema.installed)}),
    }
    return _artifact(part, trees, classes, version, {**part.settings, **written})


def parse_tree(schema: Schema, version: str) -> SklearnArtifact:
    """Read a single decision tree, which is a forest of one."""
    part = read_part(schema, schema.root, settings=TREE_SETTINGS, fitted=TREE_FITTED, ignored=frozenset())
    n_features = read_size(part)
    classes, shape = _outputs(part)
    tree = read_tree(part, n_features, shape)
    written = {**_fitted(part, n_features, shape), "tree_": tree.written}
    return _artifact(part, [tree], classes, version, {**part.settings, **written})


def _outputs(part: Part) -> tuple[tuple[Scalar, ...], tuple[int, int]]:
    """Return the classes, and how many outputs and classes each tree has values for."""
    outputs = part.count("n_outputs_")
    if not 1 <= outputs <= OUTPUT_LIMIT:
        raise ModelCorrupt(f"{part.where('n_outputs_')} is {outputs}")
    if not part.name.endswith("Classifier"):
        return (), (outputs, 1)
    if outputs != 1:
        raise ModelUnsupported("a classifier with several outputs")
    classes = read_classes(part)
    if part.count("n_classes_") != len(classes):
        raise ModelCorrupt(f"{part.where('n_classes_')} does not fit its classes_")
    return classes, (1, len(classes))


def _fitted(part: Part, n_features: int, shape: tuple[int, int]) -> dict[str, Node]:
    return {
        "n_features_in_": value_node(n_features),
        "n_outputs_": value_node(shape[0]),
        "n_classes_": value_node(shape[1]),
        "_sklearn_version": value_node(part.schema.installed),
    }


def _artifact(
    part: Part, trees: list[PlainTree], classes: tuple[Scalar, ...], version: str, written: dict[str, Node]
) -> SklearnArtifact:
    if not trees:
        raise ModelCorrupt(f"{part.name} has no trees")
    values = np.concatenate([one.values for one in trees])
    shares = values[:, 0, :] if classes else values[:, :, 0]
    if len(classes) == 2:
        shares = shares[:, 1:]
    n_features, outputs = read_size(part), shares.shape[1]
    module, name = part.schema.class_of(part.schema.root)
    return SklearnArtifact(
        estimator=name,
        kind="average",
        loss="",
        classes=classes,
        version=version,
        feature_names=read_names(part, n_features),
        n_features=n_features,
        outputs=outputs,
        categories=(None,) * n_features,
        baseline=np.zeros(outputs),
        input_width=32,
        trees=read_forest([one.record for one in trees], shares / len(trees), n_features, None),
        checked=rewrite(part.schema.archive, object_node(f"{module}.{name}", written)),
    )
