"""What XGBoost models are explained exactly, each really trained, and what is refused by name."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import xgboost as xgb

from explain.features import Feature, FeatureSpace
from tests.oracles.boosters import Trained, draw_rows, quiet, space_of, train, tree_parts
from tests.oracles.cases import Construct, Example, Reals, Refused

FAMILY = "xgboost"
NUMBERS = ("q",) * 5
MIXED = ("q", "c", "q", "c", "q")
DROPOUT = {"booster": "dart", "rate_drop": 0.4, "skip_drop": 0.1}
THREE = {"objective": "multi:softprob", "outputs": 3, "rounds": 8}
TARGETS = {"objective": "reg:squarederror", "outputs": 3, "rounds": 8}
VECTORS = {**TARGETS, "multi_strategy": "multi_output_tree"}
HAS_NEW_DROPOUT = tuple(map(int, xgb.__version__.split(".")[:2])) >= (3, 3)


def wider_space(trained: Trained) -> FeatureSpace:
    """Declare two categories more than training has seen."""
    features = []
    for feature in space_of(trained.types, trained.rows).features:
        more = (*feature.categories, "new", "newer") if feature.categories else ()
        features.append(Feature(feature.name, feature.type, categories=more, nullable=True))
    return FeatureSpace(tuple(features))


def rows_for(trained: Trained) -> Reals:
    """Draw rows with gaps, and put every feature at thresholds and at categories that no training saw."""
    rows = draw_rows(99, 14, trained.types, 0.15)
    rows[0] = np.nan
    for position, kind in enumerate(trained.types):
        if kind == "c":
            rows[1:3, position] = np.nanmax(trained.rows[:, position]) + np.array([1.0, 2.0])
    if trained.is_linear:
        return rows
    _, model = tree_parts(trained.document())
    for number, tree in enumerate(model["trees"][:6]):
        if tree["left_children"][0] != -1 and tree["split_type"][0] == 0:
            rows[3 + number, tree["split_indices"][0]] = np.float32(tree["split_conditions"][0])
    return rows


def example_of(trained: Trained, artifact: bytes | None = None) -> Example:
    return Example(
        artifact=trained.artifact() if artifact is None else artifact,
        space=wider_space(trained),
        rows=rows_for(trained),
        reference=trained.rows[:16],
        margins64=trained.margins64,
        native=trained.native,
    )


def trained_with(types: tuple[str, ...] = NUMBERS, **parameters: object) -> Callable[[], Example]:
    return lambda: example_of(train(types, **parameters))


def stopped_early(**parameters: object) -> Callable[[], Example]:
    """Train with the scikit-learn wrapper, which predicts up to the best round, and save as it saves."""

    def build() -> Example:
        rows = draw_rows(3, 300, NUMBERS)
        signal = np.nan_to_num(rows[:, 0]) + np.nan_to_num(rows[:, 1])
        noise = np.random.default_rng(1).normal(size=len(rows))
        classes = np.digitize(signal + 0.5 * noise, [-0.5, 0.5])
        labels = classes if parameters.get("objective") == "multi:softprob" else (classes > 0).astype(int)
        wrapper = xgb.XGBClassifier(
            n_estimators=14, max_depth=3, early_stopping_rounds=2, n_jobs=1, learning_rate=0.5, **parameters
        )
        with quiet(), tempfile.TemporaryDirectory() as folder:
            wrapper.fit(rows[:200], labels[:200], eval_set=[(rows[200:], labels[200:])], verbose=False)
            path = Path(folder, "model.ubj")
            wrapper.save_model(path)
            artifact = path.read_bytes()
        rounds = wrapper.best_iteration + 1
        assert rounds < wrapper.get_booster().num_boosted_rounds()
        return example_of(Trained(wrapper.get_booster(), rows, NUMBERS, rounds), artifact)

    return build


def many_nodes() -> Example:
    """Grow one tree of more nodes than a 16-bit number can count."""
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(40_000, 2)).astype(np.float32).astype(np.float64)
    matrix = xgb.DMatrix(rows, label=generator.normal(size=len(rows)), nthread=1)
    settings = {
        "objective": "reg:squarederror",
        "tree_method": "exact",
        "max_depth": 40,
        "min_child_weight": 0,
        "lambda": 0,
        "nthread": 1,
    }
    trained = Trained(xgb.train(settings, matrix, 1), rows, ("q", "q"))
    _, model = tree_parts(trained.document())
    assert int(model["trees"][0]["tree_param"]["num_nodes"]) > 2**15
    return example_of(trained)


def changed(parameters: dict, change: Callable[[dict], None]) -> Callable[[], tuple[bytes, FeatureSpace]]:
    """Train, then change the document into what the installed version does not write."""

    def build() -> tuple[bytes, FeatureSpace]:
        trained = train(NUMBERS, **{**parameters, "rounds": 3})
        document = trained.document()
        change(document)
        return json.dumps(document).encode(), trained.space

    return build


def called(name: str) -> Callable[[dict], None]:
    return lambda document: document["learner"]["objective"].update(name=name)


def without_leaf_weights(document: dict) -> None:
    for tree in tree_parts(document)[1]["trees"]:
        tree.pop("leaf_weights")


def with_dropout_around_vectors(document: dict) -> None:
    booster = document["learner"]["gradient_booster"]
    trees = len(booster["model"]["trees"])
    document["learner"]["gradient_booster"] = {
        "name": "dart",
        "gbtree": {"name": "gbtree", "model": booster["model"]},
        "weight_drop": [0.5] * trees,
    }


def with_weights_within(document: dict) -> None:
    """Write dropout weights as XGBoost does since 3.3."""
    booster = document["learner"]["gradient_booster"]
    model = {**booster["gbtree"]["model"], "weight_drop": booster["weight_drop"]}
    document["learner"]["gradient_booster"] = {"name": "gbtree", "model": model}


def with_an_unknown_member(document: dict) -> None:
    tree_parts(document)[1]["linear_leaves"] = [1.0]


def with_outputs(document: dict) -> None:
    document["learner"]["learner_model_param"]["num_class"] = "5000"


def named(name: str, build: Callable[[], Example]) -> Construct:
    return Construct(FAMILY, name, build)


def refused(name: str, says: str, build: Callable[[], tuple[bytes, FeatureSpace]]) -> Refused:
    return Refused(FAMILY, name, build, says)


DART_VECTORS = {**VECTORS, "rate_drop": 0.4, "skip_drop": 0.1}

CONSTRUCTS: tuple[Construct, ...] = (
    named("gbtree", trained_with()),
    named("gbtree, no missing values", trained_with(missing=0.0)),
    named("gbtree, tree_method exact, pruned", trained_with(tree_method="exact", gamma=1.0, max_depth=6)),
    named("gbtree, tree_method approx", trained_with(MIXED, tree_method="approx")),
    named(
        "deep trees (lossguide)", trained_with(max_depth=0, max_leaves=60, grow_policy="lossguide", rounds=4)
    ),
    named("constant trees", trained_with(gamma=1e9)),
    named("more than 32,767 nodes in a tree", many_nodes),
    named("num_parallel_tree", trained_with(num_parallel_tree=4, subsample=0.6, rounds=3)),
    named("categories, one-hot splits", trained_with(MIXED, max_cat_to_onehot=64)),
    named("categories, partitions", trained_with(MIXED, max_cat_to_onehot=1)),
    named("monotone constraints", trained_with(monotone_constraints="(1,0,-1,0,0)")),
    named("dart", trained_with(**DROPOUT)),
    named(
        "dart, weighted sampling, forest normalisation",
        trained_with(sample_type="weighted", normalize_type="forest", **DROPOUT),
    ),
    named("dart, num_parallel_tree", trained_with(num_parallel_tree=3, subsample=0.5, rounds=5, **DROPOUT)),
    named("dart, categories", trained_with(MIXED, **DROPOUT)),
    named("dart, multiclass", trained_with(**THREE, **DROPOUT)),
    named("dart, large base score", trained_with(objective="reg:squarederror", base_score=2e5, **DROPOUT)),
    named("gblinear", trained_with(booster="gblinear")),
    named("gblinear, no missing values", trained_with(booster="gblinear", missing=0.0)),
    named("gblinear, multiclass", trained_with(booster="gblinear", **THREE)),
    named("gblinear, several targets", trained_with(booster="gblinear", **TARGETS)),
    named("base score given", trained_with(base_score=0.2)),
    named("base score of only one class", trained_with(base_score=0.0)),
    named("multi:softprob, base score estimated per class", trained_with(MIXED, **THREE)),
    named("multi:softprob, one base score", trained_with(base_score=0.7, **THREE)),
    named("multi:softprob, vector base score", trained_with(base_score=[0.1, 0.2, 0.7], **THREE)),
    named("multi:softmax", trained_with(**{**THREE, "objective": "multi:softmax"})),
    named("multi:softprob, num_parallel_tree", trained_with(num_parallel_tree=2, subsample=0.5, **THREE)),
    named("several targets", trained_with(**TARGETS)),
    named("several binary targets", trained_with(outputs=2)),
    named("several targets, reg:absoluteerror", trained_with(objective="reg:absoluteerror", outputs=2)),
    named(
        "several quantiles",
        trained_with(objective="reg:quantileerror", quantile_alpha=[0.2, 0.5, 0.8], outputs=3, rounds=8),
    ),
    named("one quantile", trained_with(objective="reg:quantileerror", quantile_alpha=0.3)),
    named("multi_output_tree", trained_with(**VECTORS)),
    named("multi_output_tree, multiclass", trained_with(**{**VECTORS, "objective": "multi:softprob"})),
    named(
        "multi_output_tree, num_parallel_tree", trained_with(num_parallel_tree=2, subsample=0.5, **VECTORS)
    ),
    named("early stopping", stopped_early()),
    named("early stopping, multiclass", stopped_early(objective="multi:softprob")),
    named("early stopping, dart", stopped_early(booster="dart", rate_drop=0.3)),
    *(
        named(f"objective {objective}", trained_with(objective=objective))
        for objective in (
            "reg:squarederror",
            "reg:squaredlogerror",
            "reg:absoluteerror",
            "reg:pseudohubererror",
            "reg:logistic",
            "reg:gamma",
            "reg:tweedie",
            "binary:logitraw",
            "binary:hinge",
            "count:poisson",
            "survival:cox",
            "survival:aft",
            "rank:pairwise",
            "rank:ndcg",
            "rank:map",
        )
    ),
)

if HAS_NEW_DROPOUT:  # older versions train neither
    CONSTRUCTS += (
        named("multi_output_tree, categories", trained_with(MIXED, **VECTORS)),
        named("multi_output_tree, dropout", trained_with(**DART_VECTORS)),
    )

REFUSED: tuple[Refused, ...] = (
    refused(
        "reg:expectileerror",
        "objective reg:expectileerror",
        changed({"objective": "reg:squarederror"}, called("reg:expectileerror")),
    ),
    refused("an objective of one's own name", "objective mine", changed({}, called("mine"))),
    refused(
        "multi_output_tree of XGBoost before 3.2",
        "multi_output_tree as written before XGBoost 3.2",
        changed(VECTORS, without_leaf_weights),
    ),
    refused(
        "dart with multi_output_tree under its old name",
        "booster dart with vector leaves",
        changed(VECTORS, with_dropout_around_vectors),
    ),
    refused(
        "a member of a future version", r"unknown field .*linear_leaves", changed({}, with_an_unknown_member)
    ),
    refused("more than 4,096 outputs", r"more than 4096 outputs \(5000", changed({}, with_outputs)),
)

if not HAS_NEW_DROPOUT:
    REFUSED += (
        refused(
            "dart of XGBoost 3.3 or later in an older library",
            "whose weights .* ignores",
            changed(DROPOUT, with_weights_within),
        ),
    )
