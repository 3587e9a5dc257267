"""Gradient boosting: an init estimator's constant, and stages of regression trees times the learning rate."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from explain.errors import ModelCorrupt, ModelUnsupported
from explain.models.sklearn_estimator import (
    TREE_SETTINGS,
    Part,
    PlainTree,
    SklearnArtifact,
    check_loss,
    read_classes,
    read_names,
    read_part,
    read_size,
    read_tree_estimator,
)
from explain.models.sklearn_nodes import Node, Scalar, Schema, words
from explain.models.sklearn_trees import read_forest
from explain.models.sklearn_writing import array_node, object_node, objects_node, rewrite, value_node

SETTINGS = (TREE_SETTINGS - {"class_weight", "splitter", "monotonic_cst"}) | words(
    "alpha init learning_rate loss n_estimators n_iter_no_change subsample tol validation_fraction "
    "verbose warm_start"
)
FITTED = words(
    "_loss _sklearn_version classes_ estimators_ feature_names_in_ init_ n_classes_ n_estimators_ "
    "n_features_in_ n_trees_per_iteration_"
)
IGNORED = words("_rng max_features_ oob_improvement_ oob_score_ oob_scores_ train_score_")
LOSSES = {
    "squared_error": "HalfSquaredError",
    "absolute_error": "AbsoluteError",
    "huber": "HuberLoss",
    "quantile": "PinballLoss",
}
DUMMY_SETTINGS = words("strategy random_state constant quantile")
DUMMY_FITTED = words(
    "_strategy class_prior_ classes_ constant_ n_classes_ n_outputs_ sparse_output_ n_features_in_ "
    "feature_names_in_ _sklearn_version"
)


def parse_boosting(schema: Schema, version: str) -> SklearnArtifact:
    """Read gradient boosting: margins before the link, one per class beyond two classes."""
    part = read_part(schema, schema.root, settings=SETTINGS, fitted=FITTED, ignored=IGNORED)
    n_features = read_size(part)
    classes = read_classes(part) if part.name.endswith("Classifier") else ()
    loss = _check_losses(part, classes)
    outputs = len(classes) if len(classes) > 2 else 1
    if part.count("n_trees_per_iteration_") != outputs:
        raise ModelCorrupt(f"{part.where('n_trees_per_iteration_')} does not fit its classes")
    stages = _stages(part, n_features, outputs)
    trees = [tree for stage in stages for tree in stage]
    rate = _learning_rate(part)
    written: dict[str, Node] = {
        **part.settings,
        "learning_rate": value_node(rate),
        "n_features_in_": value_node(n_features),
        "n_trees_per_iteration_": value_node(outputs),
        "n_classes_": value_node(len(classes)),
        "init_": _init(part, classes),
        "estimators_": objects_node([[tree.written for tree in stage] for stage in stages]),
        "_sklearn_version": value_node(schema.installed),
    }
    values = rate * np.concatenate([tree.values[:, 0, :] for tree in trees])
    order = np.tile(np.arange(outputs), len(stages))
    return SklearnArtifact(
        estimator=part.name,
        kind="boosting",
        loss=loss,
        classes=classes,
        version=version,
        feature_names=read_names(part, n_features),
        n_features=n_features,
        outputs=outputs,
        categories=(None,) * n_features,
        baseline=None,
        input_width=32,
        trees=read_forest([tree.record for tree in trees], values, n_features, order),
        checked=rewrite(schema.archive, object_node(f"sklearn.ensemble._gb.{part.name}", written)),
    )


def setting(part: Part, name: str) -> Scalar:
    """Return a setting that predictions do depend on."""
    if name not in part.settings:
        raise ModelCorrupt(f"{part.name} has no {name}")
    return part.schema.scalar(part.settings[name], part.where(name))


def _check_losses(part: Part, classes: tuple[Scalar, ...]) -> str:
    loss = setting(part, "loss")
    expected = LOSSES.get(str(loss)) if not classes else None
    if classes and loss == "log_loss":
        expected = "HalfBinomialLoss" if len(classes) == 2 else "HalfMultinomialLoss"
    if len(classes) == 2 and loss == "exponential":
        expected = "ExponentialLoss"
    if expected is None:
        raise ModelUnsupported(f"loss {str(loss)[:40]}")
    check_loss(part, expected)
    return str(loss)


def _learning_rate(part: Part) -> float:
    rate = setting(part, "learning_rate")
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not np.isfinite(rate):
        raise ModelCorrupt(f"{part.where('learning_rate')} is not a finite number")
    return float(rate)


def _stages(part: Part, n_features: int, outputs: int) -> list[list[PlainTree]]:
    """Read the trees, one row per boosting stage; early stopping has already cut them."""
    rows, shape = part.schema.objects(part.node("estimators_"), part.where("estimators_"))
    if len(shape) != 2 or shape[1] != outputs or not rows or part.count("n_estimators_") != len(rows):
        raise ModelCorrupt(f"{part.where('estimators_')} has shape {shape} for {outputs} outputs")
    stages = [part.schema.items(row) for row in rows]
    if any(len(stage) != outputs for stage in stages):
        raise ModelCorrupt(f"{part.where('estimators_')} has stages of other lengths")
    return [
        [
            read_tree_estimator(part.schema, node, "DecisionTreeRegressor", n_features, (1, 1))
            for node in stage
        ]
        for stage in stages
    ]


def _init(part: Part, classes: tuple[Scalar, ...]) -> Node:
    """Accept an init estimator that predicts one constant: zero, class shares, a statistic of the target."""
    schema, node = part.schema, part.node("init_")
    if schema.is_scalar(node):
        if schema.scalar(node, part.where("init_")) != "zero":
            raise ModelUnsupported("init other than zero, prior or a constant")
        return value_node("zero")
    module, name = schema.class_of(node)
    if (module, name) != ("sklearn.dummy", "DummyClassifier" if classes else "DummyRegressor"):
        raise ModelUnsupported(f"init {name}")
    dummy = read_part(schema, node, settings=DUMMY_SETTINGS, fitted=DUMMY_FITTED, ignored=frozenset())
    written: dict[str, Node] = {
        **dummy.settings,
        "n_outputs_": value_node(1),
        "_sklearn_version": value_node(schema.installed),
    }
    if dummy.count("n_outputs_") != 1:
        raise ModelUnsupported("init with several outputs")
    if classes:
        written |= _prior(dummy, classes)
    else:
        _check_shape(dummy, "constant_", dummy.reals("constant_"), (1, 1))
        written["constant_"] = dummy.stored("constant_")
    return object_node(f"{module}.{name}", written)


def _prior(dummy: Part, classes: tuple[Scalar, ...]) -> dict[str, Node]:
    if dummy.text("_strategy") != "prior":
        raise ModelUnsupported(f"init DummyClassifier with strategy {dummy.text('_strategy')[:40]}")
    shares = dummy.reals("class_prior_")
    _check_shape(dummy, "class_prior_", shares, (len(classes),))
    if np.any(shares < 0) or np.any(shares > 1):
        raise ModelCorrupt(f"{dummy.where('class_prior_')} are no shares")
    return {
        "_strategy": value_node("prior"),
        "constant": value_node(None),
        "random_state": value_node(None),
        "sparse_output_": value_node(False),
        "n_classes_": value_node(len(classes)),
        "classes_": array_node(dummy.schema.file(dummy.node("class_prior_"), "classes_")),
        "class_prior_": dummy.stored("class_prior_"),
    }


def _check_shape(part: Part, name: str, array: NDArray[np.float64], shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise ModelCorrupt(f"{part.where(name)} has shape {array.shape}, not {shape}")
