"""What all scikit-learn estimators of a file have in common: attributes, names, classes and plain trees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from explain.errors import ModelCorrupt, ModelUnsupported
from explain.features import FloatWidth
from explain.models.sklearn_archive import TREE_NODE
from explain.models.sklearn_nodes import Node, Scalar, Schema, words
from explain.models.sklearn_trees import Record, Trees
from explain.models.sklearn_writing import array_node, object_node, tree_node, value_node

Reals = NDArray[np.float64]
Kind = Literal["average", "boosting", "histogram"]

GIVEN = "(given)"  # stands for a setting of training that is no plain value: predictions do not read it
OUTPUT_LIMIT = 1024
FEATURE_LIMIT = 100_000
TREE_SETTINGS = words(
    "ccp_alpha class_weight criterion max_depth max_features max_leaf_nodes min_impurity_decrease "
    "min_samples_leaf min_samples_split min_weight_fraction_leaf monotonic_cst random_state splitter"
)
TREE_FITTED = words(
    "tree_ n_features_in_ n_outputs_ n_classes_ classes_ feature_names_in_ max_features_ _sklearn_version"
)
_ASKED_OF_TREES = ("criterion", "monotonic_cst", "splitter")  # whether NaN is accepted depends on them


@dataclass(frozen=True, slots=True, eq=False)
class SklearnArtifact:
    """A checked model file.

    `classes` is empty for a regressor. `categories[f]` is the encoder's own list for feature f, None for a
    number. `baseline` are the constant margins, None where the library computes them from the init estimator.
    `checked` is the skops file with what has been checked, for the native library.
    """

    estimator: str
    kind: Kind
    loss: str
    classes: tuple[Scalar, ...]
    version: str
    feature_names: tuple[str, ...]
    n_features: int
    outputs: int
    categories: tuple[tuple[str, ...] | None, ...]
    baseline: Reals | None
    input_width: FloatWidth
    trees: Trees
    checked: bytes


@dataclass(frozen=True, slots=True)
class Part:
    """One object of the file: its class, and those of its attributes that predictions depend on."""

    schema: Schema
    name: str
    attributes: dict[str, object]
    settings: dict[str, Node]

    def node(self, attribute: str) -> object:
        """Return the node of a required attribute."""
        if attribute not in self.attributes:
            raise ModelCorrupt(f"{self.name} has no {attribute}")
        return self.attributes[attribute]

    def where(self, attribute: str) -> str:
        """Name an attribute in a message."""
        return f"{self.name}.{attribute}"

    def count(self, attribute: str) -> int:
        """Return a required non-negative integer."""
        return self.schema.count(self.node(attribute), self.where(attribute))

    def text(self, attribute: str) -> str:
        """Return a required text."""
        value = self.schema.scalar(self.node(attribute), self.where(attribute))
        if not isinstance(value, str):
            raise ModelCorrupt(f"{self.where(attribute)} is not text")
        return value

    def reals(self, attribute: str) -> Reals:
        """Return a required array of 64-bit numbers, all finite."""
        array = self.schema.array(self.node(attribute), self.where(attribute))
        if array.dtype != np.dtype("<f8") or not np.isfinite(array).all():
            raise ModelCorrupt(f"{self.where(attribute)} is not an array of finite 64-bit numbers")
        return array.astype(np.float64)

    def stored(self, attribute: str) -> Node:
        """Return a node that names the same stored array, for the file written anew."""
        return array_node(self.schema.file(self.node(attribute), self.where(attribute)))


def read_part(
    schema: Schema, node: object, *, settings: frozenset[str], fitted: frozenset[str], ignored: frozenset[str]
) -> Part:
    """Read an object's attributes; one that is not known may change predictions and is refused by name.

    Settings of training are kept where they are plain values, since some of them say what the library
    accepts; `ignored` are what training leaves behind.
    """
    _, name = schema.class_of(node)
    attributes: dict[str, object] = {}
    kept: dict[str, Node] = {}
    for attribute, value in schema.attributes(node).items():
        if attribute in fitted:
            attributes[attribute] = value
        elif attribute in settings:
            plain = schema.is_scalar(value)
            kept[attribute] = value_node(schema.scalar(value, f"{name}.{attribute}") if plain else GIVEN)
        elif attribute not in ignored:
            raise ModelUnsupported(f"attribute {name}.{attribute[:40]}")
    return Part(schema, name, attributes, kept)


def read_size(part: Part) -> int:
    """Return the number of features."""
    count = part.count("n_features_in_")
    if not 1 <= count <= FEATURE_LIMIT:
        raise ModelCorrupt(f"{part.where('n_features_in_')} is {count}")
    return count


def read_names(part: Part, n_features: int) -> tuple[str, ...]:
    """Return the feature names; () where the model was trained without."""
    if "feature_names_in_" not in part.attributes:
        return ()
    names = part.schema.labels(part.node("feature_names_in_"), part.where("feature_names_in_"))
    if any(not isinstance(name, str) for name in names):
        raise ModelCorrupt(f"{part.where('feature_names_in_')} holds something other than text")
    if len(names) != n_features:
        raise ModelCorrupt(f"{len(names)} feature names for {n_features} features")
    return tuple(str(name) for name in names)


def read_classes(part: Part) -> tuple[Scalar, ...]:
    """Return the class labels of a classifier with one output, in the order of its outputs."""
    node = part.node("classes_")
    if part.schema.loader(node) == "ListNode":
        raise ModelUnsupported("a classifier with several outputs")
    classes = part.schema.labels(node, part.where("classes_"))
    if len(classes) < 2:
        raise ModelUnsupported("a classifier with one class")
    if len(set(classes)) != len(classes) or len(classes) > OUTPUT_LIMIT:
        raise ModelCorrupt(f"{part.where('classes_')} are not distinct labels")
    return classes


def check_loss(part: Part, expected: str) -> None:
    """The loss object, which turns margins into scores, must be the one that its name stands for."""
    if part.schema.class_of(part.node("_loss")) != ("sklearn._loss.loss", expected):
        raise ModelCorrupt(f"{part.where('_loss')} is not the {expected} that its name stands for")


@dataclass(frozen=True, slots=True, eq=False)
class PlainTree:
    """One tree of scikit-learn's compiled class: records, values (nodes, outputs, classes), and its node."""

    record: Record
    values: Reals
    written: Node


def read_tree_estimator(
    schema: Schema, node: object, name: str, n_features: int, shape: tuple[int, int]
) -> PlainTree:
    """Read one tree inside an ensemble; `shape` is its number of outputs and of classes (1: a number)."""
    if schema.class_of(node) != ("sklearn.tree._classes", name):
        raise ModelUnsupported(f"an ensemble of {schema.class_of(node)[1]}")
    part = read_part(schema, node, settings=TREE_SETTINGS, fitted=TREE_FITTED, ignored=frozenset())
    tree = read_tree(part, n_features, shape)
    settings = {setting: part.settings[setting] for setting in _ASKED_OF_TREES if setting in part.settings}
    written = object_node(f"sklearn.tree._classes.{name}", {**settings, **_fitted(part, tree, n_features)})
    return PlainTree(tree.record, tree.values, written)


def _fitted(part: Part, tree: PlainTree, n_features: int) -> dict[str, Node]:
    return {
        "n_features_in_": value_node(n_features),
        "n_outputs_": value_node(tree.values.shape[1]),
        "tree_": tree.written,
        "_sklearn_version": value_node(part.schema.installed),
    }


def read_tree(part: Part, n_features: int, shape: tuple[int, int]) -> PlainTree:
    """Read the compiled tree of an estimator, with the arguments it is made with."""
    schema, node = part.schema, part.node("tree_")
    if schema.loader(node) != "TreeNode" or schema.names(node) != ("sklearn.tree._tree", "Tree"):
        raise ModelUnsupported(f"{part.where('tree_')} of another kind")
    arguments = schema.arguments(node)
    state = schema.attributes(node)
    if set(state) != {"max_depth", "node_count", "nodes", "values"} or len(arguments) != 3:
        raise ModelUnsupported(f"{part.where('tree_')} of another kind")
    classes = schema.array(arguments[1], "Tree.n_classes")
    stated = (schema.count(arguments[0], "Tree.n_features"), schema.count(arguments[2], "Tree.n_outputs"))
    outputs, width = shape
    if stated != (n_features, outputs) or classes.dtype != np.dtype("<i8"):
        raise ModelCorrupt("a tree is about other features or outputs than its ensemble")
    if classes.tolist() != [width] * outputs:
        raise ModelCorrupt("a tree has other classes than its ensemble")
    nodes = schema.array(state["nodes"], "Tree.nodes")
    values = schema.array(state["values"], "Tree.values")
    if nodes.dtype != TREE_NODE or values.dtype != np.dtype("<f8"):
        raise ModelUnsupported("a tree whose arrays have other fields than scikit-learn's")
    if nodes.ndim != 1 or values.shape != (len(nodes), outputs, width):
        raise ModelCorrupt(f"a tree has values of shape {values.shape} for {nodes.shape} nodes")
    depth = schema.count(state["max_depth"], "Tree.max_depth")
    if schema.count(state["node_count"], "Tree.node_count") != len(nodes) or depth >= max(1, len(nodes)):
        raise ModelCorrupt(f"a tree of {len(nodes)} nodes declares another number")
    written = tree_node(
        [
            value_node(n_features),
            array_node(schema.file(arguments[1], "Tree.n_classes")),
            value_node(outputs),
        ],
        {
            "max_depth": value_node(depth),
            "node_count": value_node(len(nodes)),
            "nodes": array_node(schema.file(state["nodes"], "Tree.nodes")),
            "values": array_node(schema.file(state["values"], "Tree.values")),
        },
    )
    return PlainTree(nodes.view(np.dtype(TREE_NODE)), values.astype(np.float64), written)
