"""What an XGBoost model file says, read by ourselves before the native library sees the file.

The names and shapes are those of XGBoost's published JSON schema (1.x to 3.4; UBJSON has the same ones).
Everything that is not known to be explained exactly is refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from explain.errors import ModelCorrupt, ModelUnsupported
from explain.models.base import Form
from explain.models.document import (
    integer_member,
    integers,
    list_member,
    object_member,
    read_document,
    reals,
)
from explain.models.xgboost_categories import read_categories
from explain.models.xgboost_forest import Forest, Sums, read_forest
from explain.models.xgboost_linear import read_linear
from explain.models.xgboost_objectives import Objective, read_objective
from explain.models.xgboost_trees import Reals

BoosterName = Literal["gbtree", "dart", "gblinear"]
Groups = NDArray[np.int32]

FEATURE_LIMIT = 1_000_000
LEARNER_MEMBERS = frozenset(
    {"attributes", "feature_names", "feature_types", "gradient_booster", "learner_model_param", "objective"}
)
TREE_MEMBERS = frozenset(
    {"cats", "gbtree_model_param", "iteration_indptr", "tree_info", "trees", "weight_drop"}
)
LINEAR_MEMBERS = frozenset({"boosted_rounds", "weights"})


@dataclass(frozen=True, slots=True, eq=False)
class XGBoostArtifact:
    """A checked model file.

    `rounds` is how many boosting rounds `form` holds of the `rounds_trained` in the file; `categories[f]`
    is the artifact's own category list of feature f, or None where it carries none; `largest_codes[f]` the
    largest category code that a split on f lists. `weights_within` tells that dropout weights stand inside
    a booster that calls itself gbtree, as XGBoost writes them since 3.3.
    """

    booster: BoosterName
    objective: Objective
    feature_names: tuple[str, ...]
    feature_types: tuple[str, ...]
    categories: tuple[tuple[str, ...] | None, ...]
    largest_codes: Mapping[int, int]
    rounds: int
    rounds_trained: int
    parallel_trees: int
    vector_leaves: bool
    weights_within: bool
    form: Form


def parse_xgboost(artifact: bytes) -> XGBoostArtifact:
    """Read and check a model file; ModelCorrupt or ModelUnsupported otherwise."""
    learner = object_member(read_document(artifact), "learner", "the document")
    booster = object_member(learner, "gradient_booster", "learner")
    if booster.get("name") not in ("gbtree", "dart", "gblinear"):
        raise ModelUnsupported(f"booster {str(booster.get('name'))[:40]}")
    _refuse_unknown(learner, LEARNER_MEMBERS, "learner")
    objective = read_objective(learner)
    parameters = object_member(learner, "learner_model_param", "learner")
    n_features = integer_member(parameters, "num_feature", "learner_model_param")
    if n_features > FEATURE_LIMIT:
        raise ModelUnsupported(f"more than {FEATURE_LIMIT} features ({n_features})")
    if booster["name"] == "gblinear":
        return _linear(learner, booster, objective, n_features)
    return _trees(learner, booster, objective, n_features)


def _trees(
    learner: dict[str, object], booster: dict[str, object], objective: Objective, n_features: int
) -> XGBoostArtifact:
    """Read a booster of trees, with dropout weights or without."""
    model = _tree_model(booster)
    forest = read_forest(model, n_features, objective.outputs)
    _refuse_untrained(learner, forest)
    groups = _groups(model, forest, objective.outputs)
    indptr, parallel = _rounds(model, groups)
    rounds = _rounds_predicted(learner, len(indptr) - 1)
    weights = _weights(booster, model, forest)
    count = indptr[rounds]
    factors = np.ones(count) if weights is None else weights[:count]
    sums = Sums(groups[:count], factors, objective.base_margins)
    return XGBoostArtifact(
        booster="gbtree" if weights is None else "dart",
        objective=objective,
        feature_names=_texts(learner, "feature_names", n_features),
        feature_types=_texts(learner, "feature_types", n_features),
        categories=read_categories(model, n_features),
        largest_codes=forest.largest_codes(),
        rounds=rounds,
        rounds_trained=len(indptr) - 1,
        parallel_trees=parallel,
        vector_leaves=forest.has_vectors,
        weights_within="weight_drop" in model,
        form=forest.ensemble(sums, n_features),
    )


def _linear(
    learner: dict[str, object], booster: dict[str, object], objective: Objective, n_features: int
) -> XGBoostArtifact:
    """Read a linear booster; its predict knows no rounds, so early stopping changes nothing."""
    _refuse_unknown(booster, frozenset({"name", "model"}), "gradient_booster")
    model = object_member(booster, "model", "gradient_booster")
    _refuse_unknown(model, LINEAR_MEMBERS, "gradient_booster.model")
    form, rounds = read_linear(model, n_features, objective.base_margins)
    return XGBoostArtifact(
        booster="gblinear",
        objective=objective,
        feature_names=_texts(learner, "feature_names", n_features),
        feature_types=_texts(learner, "feature_types", n_features),
        categories=(None,) * n_features,
        largest_codes={},
        rounds=rounds,
        rounds_trained=rounds,
        parallel_trees=1,
        vector_leaves=False,
        weights_within=False,
        form=form,
    )


def _refuse_untrained(learner: dict[str, object], forest: Forest) -> None:
    """Without trees the library takes the base score, meant to be estimated in training, for the margin."""
    parameters = object_member(learner, "learner_model_param", "learner")
    if not forest.tree_count and integer_member(parameters, "boost_from_average", "learner_model_param", 1):
        raise ModelUnsupported("a booster without trees whose base score was never estimated")


def _tree_model(booster: dict[str, object]) -> dict[str, object]:
    """Return the trees' own object; until 3.2 a dart booster holds a gbtree that holds it."""
    holder = booster
    if booster["name"] == "dart":
        _refuse_unknown(booster, frozenset({"name", "gbtree", "weight_drop"}), "gradient_booster")
        holder = object_member(booster, "gbtree", "gradient_booster")
    _refuse_unknown(holder, frozenset({"name", "model"}), "gradient_booster")
    model = object_member(holder, "model", "gradient_booster")
    _refuse_unknown(model, TREE_MEMBERS, "gradient_booster.model")
    return model


def _refuse_unknown(parent: dict[str, object], known: frozenset[str], where: str) -> None:
    """A member we do not know may change what the model predicts."""
    for name in parent:
        if name not in known:
            raise ModelUnsupported(f"unknown field {where}.{name[:40]}")


def _weights(booster: dict[str, object], model: dict[str, object], forest: Forest) -> Reals | None:
    """Return each tree's weight after dropout, or None for a booster without dropout."""
    beside, within = "weight_drop" in booster, "weight_drop" in model
    if beside and within:
        raise ModelCorrupt("weight_drop stands in two places")
    if booster["name"] == "gbtree" and not within:
        return None
    if booster["name"] == "dart" and forest.has_vectors:  # no version writes it, 3.2 would read it wrongly
        raise ModelUnsupported("booster dart with vector leaves under its name before XGBoost 3.3")
    holder = model if within else booster
    weights = reals(holder, "weight_drop", "gradient_booster")
    if len(weights) != forest.tree_count:
        raise ModelCorrupt(f"weight_drop has {len(weights)} entries for {forest.tree_count} trees")
    if not np.all(np.isfinite(weights)):
        raise ModelCorrupt("weight_drop holds a number that is not finite")
    return weights


def _groups(model: dict[str, object], forest: Forest, outputs: int) -> Groups:
    """Return the output that each tree adds to (0 for a tree of vectors)."""
    parameters = object_member(model, "gbtree_model_param", "gradient_booster.model")
    count = integer_member(parameters, "num_trees", "gbtree_model_param")
    if count != forest.tree_count:
        raise ModelCorrupt(f"{count} trees are declared, {forest.tree_count} are there")
    groups = integers(model, "tree_info", "gradient_booster.model")
    if len(groups) != count:
        raise ModelCorrupt(f"tree_info has {len(groups)} entries for {count} trees")
    if np.any((groups < 0) | (groups >= (1 if forest.has_vectors else outputs))):
        raise ModelCorrupt(f"tree_info names an output that is none of the model's {outputs}")
    return groups.astype(np.int32)


def _rounds(model: dict[str, object], groups: Groups) -> tuple[list[int], int]:
    """Return where each boosting round's trees begin and end, and the declared trees per round and output."""
    parameters = object_member(model, "gbtree_model_param", "gradient_booster.model")
    parallel = max(1, integer_member(parameters, "num_parallel_tree", "gbtree_model_param", 1))
    count = len(groups)
    if "iteration_indptr" not in model:  # files before 2.0
        layer = parallel * (int(groups.max(initial=0)) + 1)
        if count % layer:
            raise ModelCorrupt(f"{count} trees are no multiple of num_parallel_tree {parallel}")
        return list(range(0, count + 1, layer)), parallel
    indptr = integers(model, "iteration_indptr", "gradient_booster.model")
    if len(indptr) == 0 or indptr[0] != 0 or indptr[-1] != count or np.any(np.diff(indptr) < 0):
        raise ModelCorrupt("iteration_indptr does not run from 0 to the number of trees")
    return indptr.tolist(), parallel


def _rounds_predicted(learner: dict[str, object], trained: int) -> int:
    """Return how many rounds the native predict of this very file uses.

    A Booster predicts with every round it holds, also after early stopping. A file saved by the
    scikit-learn wrapper says so in its attributes, and that wrapper predicts up to `best_iteration`.
    """
    attributes = object_member(learner, "attributes", "learner") if "attributes" in learner else {}
    if "scikit_learn" not in attributes or "best_iteration" not in attributes:
        return trained
    best = integer_member(attributes, "best_iteration", "attributes")
    if best >= trained:
        raise ModelCorrupt(f"best_iteration {best} lies beyond the {trained} rounds in the file")
    return best + 1


def _texts(learner: dict[str, object], name: str, n_features: int) -> tuple[str, ...]:
    """Return feature names or types; () where the file has none."""
    texts = list_member(learner, name, "learner") if name in learner else []
    if any(not isinstance(text, str) for text in texts):
        raise ModelCorrupt(f"{name} holds something other than text")
    if texts and len(texts) != n_features:
        raise ModelCorrupt(f"{name} has {len(texts)} entries for {n_features} features")
    return tuple(str(text) for text in texts)
