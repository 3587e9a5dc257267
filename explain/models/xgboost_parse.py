"""What an XGBoost model file says, read by ourselves before the native library sees the file.

The names and shapes are those of XGBoost's published JSON schema (1.x to 3.4; UBJSON has the same ones).
Everything that is not known to be explained exactly is refused by name.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from explain.errors import ModelCorrupt, ModelUnsupported
from explain.models.document import (
    integer_member,
    integers,
    list_member,
    member,
    object_member,
    read_document,
)
from explain.models.ensemble import TreeEnsemble
from explain.models.xgboost_categories import read_categories
from explain.models.xgboost_forest import Forest, read_forest

# Objectives whose margin is a sum of leaves. `sigmoid`: the score is its logistic function.
LINKS: dict[str, Literal["sigmoid", "identity"]] = {
    "binary:logistic": "sigmoid",
    "binary:logitraw": "identity",
    "reg:logistic": "sigmoid",
    "reg:squarederror": "identity",
    "reg:linear": "identity",
    "reg:squaredlogerror": "identity",
    "reg:absoluteerror": "identity",
    "reg:pseudohubererror": "identity",
}
LOGIT_BASE = frozenset({"binary:logistic", "reg:logistic"})
LEARNER_MEMBERS = frozenset(
    {"attributes", "feature_names", "feature_types", "gradient_booster", "learner_model_param", "objective"}
)
MODEL_MEMBERS = frozenset({"cats", "gbtree_model_param", "iteration_indptr", "tree_info", "trees"})


@dataclass(frozen=True, slots=True, eq=False)
class XGBoostArtifact:
    """A checked model file.

        `rounds` is how many boosting rounds `ensemble` holds of the `rounds_trained` in the file;
    `categories[f]` is the artifact's own category list of feature f, or None where it carries none;
        `largest_codes[f]` the largest category code that a split on f lists.
    """

    objective: str
    link: Literal["sigmoid", "identity"]
    feature_names: tuple[str, ...]
    feature_types: tuple[str, ...]
    categories: tuple[tuple[str, ...] | None, ...]
    largest_codes: Mapping[int, int]
    rounds: int
    rounds_trained: int
    parallel_trees: int
    ensemble: TreeEnsemble


def parse_xgboost(artifact: bytes) -> XGBoostArtifact:
    """Read and check a model file; ModelCorrupt or ModelUnsupported otherwise."""
    learner = object_member(read_document(artifact), "learner", "the document")
    booster = object_member(learner, "gradient_booster", "learner")
    _refuse_booster(booster)
    _refuse_unknown(learner, LEARNER_MEMBERS, "learner")
    objective = _objective(learner)
    parameters = object_member(learner, "learner_model_param", "learner")
    n_features = integer_member(parameters, "num_feature", "learner_model_param")
    _refuse_outputs(parameters)
    model = object_member(booster, "model", "gradient_booster")
    _refuse_unknown(model, MODEL_MEMBERS, "gradient_booster.model")
    forest = read_forest(model, n_features)
    indptr, parallel = _rounds(model, forest)
    rounds = _rounds_predicted(learner, len(indptr) - 1)
    names = _texts(learner, "feature_names", n_features)
    base_margin = _base_margin(parameters, objective)
    return XGBoostArtifact(
        objective=objective,
        link=LINKS[objective],
        feature_names=names,
        feature_types=_texts(learner, "feature_types", n_features),
        categories=read_categories(model, n_features),
        largest_codes=forest.largest_codes(),
        rounds=rounds,
        rounds_trained=len(indptr) - 1,
        parallel_trees=parallel,
        ensemble=forest.ensemble(indptr[rounds], n_features, base_margin),
    )


def _refuse_booster(booster: dict[str, object]) -> None:
    """Let gbtree through; since 3.3 a file trained with dropout calls itself gbtree too."""
    name = booster.get("name")
    model = booster.get("model")
    dropout = "weight_drop" in booster or (isinstance(model, dict) and "weight_drop" in model)
    if name == "dart" or dropout:
        raise ModelUnsupported("booster dart")
    if name != "gbtree":
        raise ModelUnsupported(f"booster {str(name)[:40]}")
    _refuse_unknown(booster, frozenset({"name", "model"}), "gradient_booster")


def _refuse_unknown(parent: dict[str, object], known: frozenset[str], where: str) -> None:
    """A member we do not know may change what the model predicts."""
    for name in parent:
        if name not in known:
            raise ModelUnsupported(f"unknown field {where}.{name[:40]}")


def _objective(learner: dict[str, object]) -> str:
    name = member(object_member(learner, "objective", "learner"), "name", "objective")
    if not isinstance(name, str) or name not in LINKS:
        raise ModelUnsupported(f"objective {str(name)[:40]}")
    return name


def _refuse_outputs(parameters: dict[str, object]) -> None:
    classes = integer_member(parameters, "num_class", "learner_model_param", 0)
    if classes > 1:
        raise ModelUnsupported(f"multiclass ({classes} classes)")
    targets = integer_member(parameters, "num_target", "learner_model_param", 1)
    if targets > 1:
        raise ModelUnsupported(f"several outputs ({targets} targets)")


def _rounds(model: dict[str, object], forest: Forest) -> tuple[list[int], int]:
    """Return where each boosting round's trees begin and end, and the declared trees per round."""
    parameters = object_member(model, "gbtree_model_param", "gradient_booster.model")
    parallel = max(1, integer_member(parameters, "num_parallel_tree", "gbtree_model_param", 1))
    count = integer_member(parameters, "num_trees", "gbtree_model_param")
    if count != forest.tree_count:
        raise ModelCorrupt(f"{count} trees are declared, {forest.tree_count} are there")
    groups = integers(model, "tree_info", "gradient_booster.model")
    if len(groups) != count:
        raise ModelCorrupt(f"tree_info has {len(groups)} entries for {count} trees")
    if np.any(groups != 0):
        raise ModelUnsupported("multiclass (trees of several outputs)")
    if "iteration_indptr" not in model:  # files before 2.0
        if count % parallel:
            raise ModelCorrupt(f"{count} trees are no multiple of num_parallel_tree {parallel}")
        return list(range(0, count + 1, parallel)), parallel
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


def _base_margin(parameters: dict[str, object], objective: str) -> float:
    """Return the base score as a margin, in 32-bit steps as the library takes them."""
    given = member(parameters, "base_score", "learner_model_param")
    score = np.float32(_base_score(given))
    if objective not in LOGIT_BASE:
        return float(score)
    if not 0.0 < score < 1.0:
        raise ModelCorrupt(f"base_score {score} is no probability")
    return float(-np.log(np.float32(1.0) / score - np.float32(1.0)))


def _base_score(given: object) -> float:
    """Read every spelling: 0.5, "5E-1", "[5E-1]"."""
    value: object = given
    if isinstance(given, str):
        try:
            value = json.loads(given)
        except ValueError:
            raise ModelCorrupt(f"base_score {given[:40]!r} is not a number") from None
    if isinstance(value, list):
        if len(value) != 1:
            raise ModelUnsupported(f"vector base_score ({len(value)} values)")
        value = value[0]
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ModelCorrupt(f"base_score {str(given)[:40]!r} is not a finite number")
    return float(value)
