"""Histogram gradient boosting: thresholds on the numbers themselves, categories by its own encoder's lists.

The library sorts an encoder's categories and puts the categorical columns before the others; what it did not
see in training goes the way of a missing value. Bins matter in training only: a prediction compares the raw
64-bit number with `num_threshold`.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from explain.errors import ModelCorrupt, ModelUnsupported
from explain.models.sklearn_archive import HISTOGRAM_NODE
from explain.models.sklearn_estimator import (
    Part,
    SklearnArtifact,
    check_loss,
    read_classes,
    read_names,
    read_part,
    read_size,
)
from explain.models.sklearn_nodes import Node, Scalar, Schema, words
from explain.models.sklearn_trees import BITS, Record, Trees, read_histogram
from explain.models.sklearn_writing import array_node, list_node, object_node, rewrite, value_node

MODULE = "sklearn.ensemble._hist_gradient_boosting"
SETTINGS = words(
    "categorical_features class_weight early_stopping interaction_cst l2_regularization learning_rate loss "
    "max_bins max_depth max_features max_iter max_leaf_nodes min_samples_leaf monotonic_cst n_iter_no_change "
    "quantile random_state scoring tol validation_fraction verbose warm_start"
)
FITTED = words(
    "_baseline_prediction _bin_mapper _is_categorical_remapped _loss _predictors _preprocessor "
    "_sklearn_version classes_ feature_names_in_ is_categorical_ n_features_in_ n_trees_per_iteration_"
)
IGNORED = words(
    "_feature_subsample_rng _label_encoder _n_features _random_seed _scorer _use_validation_data "
    "do_early_stopping_ train_score_ validation_score_"
)
LOSSES = {
    "squared_error": "HalfSquaredError",
    "absolute_error": "AbsoluteError",
    "gamma": "HalfGammaLoss",
    "poisson": "HalfPoissonLoss",
    "quantile": "PinballLoss",
}
ENCODER_SETTINGS = words(
    "categories dtype encoded_missing_value handle_unknown max_categories min_frequency unknown_value "
    "_sklearn_output_config"
)
ENCODER_FITTED = frozenset({"categories_"})
ENCODER_IGNORED = words(
    "_infrequent_enabled _missing_indices _sklearn_version feature_names_in_ n_features_in_"
)
Categories = tuple[tuple[str, ...] | None, ...]


def parse_histogram(schema: Schema, version: str) -> SklearnArtifact:
    """Read histogram gradient boosting: margins before the link, one per class beyond two classes."""
    part = read_part(schema, schema.root, settings=SETTINGS, fitted=FITTED, ignored=IGNORED)
    n_features = read_size(part)
    classes = read_classes(part) if part.name.endswith("Classifier") else ()
    outputs = len(classes) if len(classes) > 2 else 1
    if part.count("n_trees_per_iteration_") != outputs:
        raise ModelCorrupt(f"{part.where('n_trees_per_iteration_')} does not fit its classes")
    loss = _check_losses(part, classes)
    baseline = part.reals("_baseline_prediction")
    if baseline.shape != (1, outputs):
        raise ModelCorrupt(f"{part.where('_baseline_prediction')} has shape {baseline.shape}")
    categories = _categories(part, n_features)
    columns = column_order(categories)
    trees, predictors = _trees(part, categories, columns, outputs)
    written: dict[str, Node] = {
        **part.settings,
        "n_features_in_": value_node(n_features),
        "n_trees_per_iteration_": value_node(outputs),
        "_preprocessor": value_node(None),
        "_bin_mapper": _bin_mapper(part, categories, columns),
        "_baseline_prediction": part.stored("_baseline_prediction"),
        "_predictors": predictors,
        "_sklearn_version": value_node(schema.installed),
    }
    return SklearnArtifact(
        estimator=part.name,
        kind="histogram",
        loss=loss,
        classes=classes,
        version=version,
        feature_names=read_names(part, n_features),
        n_features=n_features,
        outputs=outputs,
        categories=categories,
        baseline=baseline[0],
        input_width=64,
        trees=trees,
        checked=rewrite(schema.archive, object_node(f"{MODULE}.gradient_boosting.{part.name}", written)),
    )


def column_order(categories: Categories) -> NDArray[np.int64]:
    """Return the columns as the library's preprocessor leaves them: the categorical ones first."""
    numbers = np.array([one is None for one in categories])
    return np.argsort(numbers, kind="stable").astype(np.int64)


def _check_losses(part: Part, classes: tuple[Scalar, ...]) -> str:
    loss = part.schema.scalar(part.settings.get("loss"), part.where("loss"))
    expected = LOSSES.get(str(loss))
    if classes:
        multinomial = "HalfBinomialLoss" if len(classes) == 2 else "HalfMultinomialLoss"
        expected = multinomial if loss == "log_loss" else None
    if expected is None:
        raise ModelUnsupported(f"loss {str(loss)[:40]}")
    check_loss(part, expected)
    return str(loss)


def _categories(part: Part, n_features: int) -> Categories:
    """Return each feature's own category list in code order, None for a number."""
    schema, node = part.schema, part.node("_preprocessor")
    if schema.is_scalar(node):
        if schema.scalar(node, "_preprocessor") is not None:
            raise ModelCorrupt(f"{part.where('_preprocessor')} is no preprocessor")
        return (None,) * n_features
    mask = _mask(part, "is_categorical_", n_features)
    if not mask.any():
        raise ModelUnsupported("a preprocessor without categorical features")
    moved = _mask(part, "_is_categorical_remapped", n_features)
    if not np.array_equal(moved, np.arange(n_features) < mask.sum()):
        raise ModelUnsupported("a preprocessor that orders columns in another way")
    lists = iter(_encoder_lists(schema, node, mask))
    return tuple(next(lists) if categorical else None for categorical in mask.tolist())


def _mask(part: Part, name: str, n_features: int) -> NDArray[np.bool_]:
    mask = part.schema.array(part.node(name), part.where(name))
    if mask.dtype != np.dtype(np.bool_) or mask.shape != (n_features,):
        raise ModelCorrupt(f"{part.where(name)} is not one flag per feature")
    return mask.astype(np.bool_)


def _encoder_lists(schema: Schema, node: object, mask: NDArray[np.bool_]) -> list[tuple[str, ...]]:
    """Find the fitted encoder in the preprocessor, which must encode exactly the categorical columns."""
    if schema.class_of(node) != ("sklearn.compose._column_transformer", "ColumnTransformer"):
        raise ModelUnsupported(f"preprocessor {schema.class_of(node)[1]}")
    fitted = schema.attributes(node).get("transformers_")
    steps = [schema.items(step) for step in schema.items(fitted)]
    for name, columns in (("encoder", mask), ("numerical", ~mask)):
        found = [step for step in steps if len(step) == 3 and schema.scalar(step[0], "step") == name]
        if len(found) != 1 or not np.array_equal(schema.array(found[0][2], "step columns"), columns):
            raise ModelUnsupported("a preprocessor with other columns than the categorical ones")
    if schema.scalar(steps[0][0], "step") != "encoder":
        raise ModelUnsupported("a preprocessor that orders columns in another way")
    encoder = read_part(
        schema, steps[0][1], settings=ENCODER_SETTINGS, fitted=ENCODER_FITTED, ignored=ENCODER_IGNORED
    )
    lists = schema.items(encoder.node("categories_"))
    if encoder.name != "OrdinalEncoder" or len(lists) != mask.sum():
        raise ModelCorrupt("the encoder's lists do not fit the categorical features")
    for setting, expected in (("handle_unknown", "use_encoded_value"), ("min_frequency", None)):
        if schema.scalar(encoder.settings.get(setting), setting) != expected:
            raise ModelUnsupported(f"OrdinalEncoder with {setting}")
    for setting in ("unknown_value", "encoded_missing_value"):
        value = schema.scalar(encoder.settings.get(setting), setting)
        if not isinstance(value, float) or not math.isnan(value):
            raise ModelUnsupported(f"OrdinalEncoder with {setting}")
    return [_spelled(schema.labels(one, "categories_")) for one in lists]


def _spelled(values: tuple[Scalar, ...]) -> tuple[str, ...]:
    """Spell categories as the manifest names them; a NaN at the end is what is missing, not a category."""
    if values and isinstance(values[-1], float) and math.isnan(values[-1]):
        values = values[:-1]
    names = []
    for value in values:
        if value is None or (isinstance(value, float) and not math.isfinite(value)):
            raise ModelUnsupported(f"a category {value}")
        names.append(str(int(value)) if isinstance(value, float) and value.is_integer() else str(value))
    if len(set(names)) != len(names) or len(names) > BITS - 1:
        raise ModelCorrupt("the encoder's categories are not distinct, or too many")
    return tuple(names)


def _trees(
    part: Part, categories: Categories, columns: NDArray[np.int64], outputs: int
) -> tuple[Trees, Node]:
    """Read all trees, their features numbered as the manifest's; return them and their nodes written anew."""
    schema = part.schema
    records: list[Record] = []
    bitsets: list[NDArray[np.uint32]] = []
    written: list[Node] = []
    for row in schema.items(part.node("_predictors")):
        predictors = schema.items(row)
        if len(predictors) != outputs:
            raise ModelCorrupt(
                f"{part.where('_predictors')} has {len(predictors)} trees for {outputs} outputs"
            )
        nodes = []
        for one in predictors:
            record, bits, node = _predictor(schema, one)
            records.append(record)
            bitsets.append(bits)
            nodes.append(node)
        written.append(list_node(nodes))
    order = np.tile(np.arange(outputs), len(written))
    trees = read_histogram(records, bitsets, columns, order)
    _check_sets(trees, categories)
    return trees, list_node(written)


def _predictor(schema: Schema, node: object) -> tuple[Record, NDArray[np.uint32], Node]:
    if schema.class_of(node) != (f"{MODULE}.predictor", "TreePredictor"):
        raise ModelUnsupported(f"a predictor of the class {schema.class_of(node)[1]}")
    state = schema.attributes(node)
    if set(state) != {"nodes", "binned_left_cat_bitsets", "raw_left_cat_bitsets"}:
        raise ModelUnsupported("a TreePredictor with other attributes")
    nodes = schema.array(state["nodes"], "TreePredictor.nodes")
    bits = schema.array(state["raw_left_cat_bitsets"], "TreePredictor.raw_left_cat_bitsets")
    if nodes.dtype != HISTOGRAM_NODE:
        raise ModelUnsupported("a tree whose arrays have other fields than scikit-learn's")
    if bits.dtype != np.dtype("<u4") or bits.ndim != 2 or bits.shape[1] != BITS // 32:
        raise ModelCorrupt("a tree has sets of categories of another size")
    written = object_node(
        f"{MODULE}.predictor.TreePredictor",
        {name: array_node(schema.file(state[name], name)) for name in ("nodes", "raw_left_cat_bitsets")},
    )
    return nodes.view(np.dtype(HISTOGRAM_NODE)), bits.astype(np.uint32), written


def _check_sets(trees: Trees, categories: Categories) -> None:
    """Categorical features, and they alone, are split by category, and by those of their own list."""
    known = np.array([0 if one is None else len(one) for one in categories])
    listed = np.array([one is not None for one in categories])
    inner = trees.left >= 0
    categorical = trees.bitset >= 0
    if np.any(inner & (categorical != listed[trees.feature * inner])):
        raise ModelCorrupt("a split by category on a number, or by number on a category")
    bits = np.unpackbits(trees.bitsets.astype("<u4").view(np.uint8), axis=1, bitorder="little")
    beyond = np.arange(BITS) >= known[trees.feature[categorical]][:, np.newaxis]
    if np.any((bits[trees.bitset[categorical]] == 1) & beyond):
        raise ModelCorrupt("a split lists a category that the encoder does not know")


def _bin_mapper(part: Part, categories: Categories, columns: NDArray[np.int64]) -> Node:
    """Keep of the bin mapper what predictions read: the codes of known categories."""
    schema, node = part.schema, part.node("_bin_mapper")
    if schema.class_of(node) != (f"{MODULE}.binning", "_BinMapper"):
        raise ModelUnsupported(f"bin mapper {schema.class_of(node)[1]}")
    state = schema.attributes(node)
    flags = schema.array(state.get("is_categorical_"), "_BinMapper.is_categorical_")
    ordered = [categories[column] for column in columns.tolist()]
    if flags.dtype != np.dtype(np.uint8) or flags.tolist() != [int(one is not None) for one in ordered]:
        raise ModelCorrupt("the bin mapper has other categorical features")
    thresholds = schema.items(state.get("bin_thresholds_"))
    if len(thresholds) != len(ordered):
        raise ModelCorrupt("the bin mapper has another number of features")
    kept = [value_node(None)] * len(ordered)
    for position, (own, threshold) in enumerate(zip(ordered, thresholds, strict=True)):
        if own is None:
            continue
        codes = schema.array(threshold, "_BinMapper.bin_thresholds_")
        if codes.dtype != np.dtype("<f8") or codes.tolist() != list(range(len(own))):
            raise ModelCorrupt("the bin mapper's categories are not the encoder's")
        kept[position] = array_node(schema.file(threshold, "_BinMapper.bin_thresholds_"))
    return object_node(
        f"{MODULE}.binning._BinMapper",
        {
            "is_categorical_": array_node(schema.file(state["is_categorical_"], "is_categorical_")),
            "bin_thresholds_": list_node(kept),
            "_sklearn_version": value_node(schema.installed),
        },
    )
