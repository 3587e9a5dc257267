"""Real XGBoost boosters for tests, and the truth about them: native leaves, summed in float64."""

from __future__ import annotations

import copy
import json
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xgboost as xgb
from numpy.typing import NDArray

from explain.features import Feature, FeatureSpace
from explain.models import load_model
from explain.models.base import Model

Reals = NDArray[np.float64]


@dataclass(frozen=True)
class Trained:
    """A booster, the rows it was trained on, and how to ask the native library about rows.

    `rounds` is how many boosting rounds predict, 0 for all of them.
    """

    booster: xgb.Booster
    rows: Reals
    types: tuple[str, ...]
    rounds: int = 0

    @property
    def space(self) -> FeatureSpace:
        return space_of(self.types, self.rows)

    def artifact(self, spelling: str = "ubj") -> bytes:
        with quiet():
            return bytes(self.booster.save_raw(spelling))

    def document(self) -> dict:
        return json.loads(self.artifact("json"))

    def model(self, spelling: str = "ubj") -> Model:
        return load_model("xgboost", self.artifact(spelling), self.space)

    def matrix(self, rows: Reals) -> xgb.DMatrix:
        return xgb.DMatrix(
            rows, feature_types=list(self.types), enable_categorical="c" in self.types, nthread=1
        )

    def native(self, rows: Reals, *, margin: bool = True) -> Reals:
        """Ask the library's own Python package, (n,) or (n, outputs); the linear booster knows no rounds."""
        rounds = 0 if self.is_linear else self.rounds
        with quiet():
            answer = self.booster.predict(
                self.matrix(rows), output_margin=margin, iteration_range=(0, rounds)
            )
        return answer.astype(np.float64)

    @property
    def is_linear(self) -> bool:
        return self.document()["learner"]["gradient_booster"]["name"] == "gblinear"

    def margins64(self, rows: Reals, rounds: int = 0) -> Reals:
        """Sum in float64, over the base margins, what the native library picks: (n,) or (n, outputs).

        That is the leaf of each tree times the tree's weight after dropout, or each number times its weight
        in a linear booster, where a gap adds nothing.
        """
        base = self.base_margins()
        if self.is_linear:
            total = base + linear_sums(self.document(), rows, len(base))
        else:
            total = base + self._leaf_sums(rows, rounds or self.rounds, len(base))
        return total[:, 0] if len(base) == 1 else total

    def _leaf_sums(self, rows: Reals, rounds: int, outputs: int) -> Reals:
        leaves = self.booster.predict(self.matrix(rows), pred_leaf=True, iteration_range=(0, rounds))
        leaves = leaves.reshape(len(rows), -1).astype(np.int64)
        booster, model = tree_parts(self.document())
        weights = model.get("weight_drop", booster.get("weight_drop", [1.0] * len(model["trees"])))
        total = np.zeros((len(rows), outputs))
        for number in range(leaves.shape[1]):
            tree, weight = model["trees"][number], float(np.float32(weights[number]))
            if "leaf_weights" in tree:
                vectors = np.array(tree["leaf_weights"], dtype=np.float32).astype(np.float64)
                picked = np.array(tree["right_children"])[leaves[:, number]]
                total += weight * vectors.reshape(-1, outputs)[picked]
            else:
                values = np.array(tree["split_conditions"], dtype=np.float32).astype(np.float64)
                total[:, model["tree_info"][number]] += weight * values[leaves[:, number]]
        return total

    def base_margins(self) -> Reals:
        """Ask the library for the margins of the same file without its trees, or with weights of zero."""
        document = copy.deepcopy(self.document())
        booster = document["learner"]["gradient_booster"]
        if booster["name"] == "gblinear":
            booster["model"]["weights"] = [0.0] * len(booster["model"]["weights"])
        else:
            booster, model = tree_parts(document)
            model.update(trees=[], tree_info=[], iteration_indptr=[0])
            model["gbtree_model_param"]["num_trees"] = "0"
            if booster["name"] == "dart":
                booster["weight_drop"] = []
            model.pop("weight_drop", None)
        # Otherwise the library would take a booster without trees for one whose base score is still unknown.
        document["learner"]["learner_model_param"]["boost_from_average"] = "0"
        with quiet():
            bare = xgb.Booster(model_file=bytearray(json.dumps(document).encode()))
            margins = bare.predict(self.matrix(self.rows[:1]), output_margin=True)
        return np.ravel(margins).astype(np.float64)


def tree_parts(document: dict) -> tuple[dict, dict]:
    """Return the booster, and the object that holds its trees, in either place where XGBoost keeps it."""
    booster = document["learner"]["gradient_booster"]
    return booster, booster["gbtree"]["model"] if "gbtree" in booster else booster["model"]


def linear_sums(document: dict, rows: Reals, outputs: int) -> Reals:
    """Add up weight times number, one by one, and the bias, in float64."""
    weights = np.array(document["learner"]["gradient_booster"]["model"]["weights"], dtype=np.float32)
    total = np.zeros((len(rows), outputs))
    for position, row in enumerate(rows.astype(np.float32).astype(np.float64)):
        for output in range(outputs):
            terms = [float(weights[len(row) * outputs + output])]
            for feature, number in enumerate(row):
                if not math.isnan(number):
                    terms.append(float(weights[feature * outputs + output]) * number)
            total[position, output] = math.fsum(terms)
    return total


def quiet() -> warnings.catch_warnings:
    """Ignore what newer versions say about boosters that they will not keep for ever."""
    return warnings.catch_warnings(action="ignore")


def space_of(types: Sequence[str], rows: Reals) -> FeatureSpace:
    """Declare the features f0, f1, ... with as many categories as the rows show."""
    features = []
    for position, kind in enumerate(types):
        if kind == "c":
            count = int(np.nanmax(rows[:, position])) + 1
            names = tuple(f"c{code}" for code in range(count))
            features.append(Feature(f"f{position}", "category", categories=names, nullable=True))
        else:
            features.append(Feature(f"f{position}", "number", nullable=True))
    return FeatureSpace(tuple(features))


def draw_rows(seed: int, count: int, types: Sequence[str], missing: float = 0.1) -> Reals:
    """Draw rows with repeated values (so that thresholds are hit exactly), gaps and categories."""
    generator = np.random.default_rng(seed)
    rows = np.round(generator.normal(size=(count, len(types))), 1).astype(np.float32).astype(np.float64)
    for position, kind in enumerate(types):
        if kind == "c":
            rows[:, position] = generator.integers(0, 7 + position, size=count)
    rows[generator.random(rows.shape) < missing] = np.nan
    return rows


def labels_of(objective: str, target: Reals, outputs: int) -> dict[str, object]:
    """Turn a real target into what the objective learns from."""
    upper = target > np.median(target)
    if objective == "survival:aft":
        bound = np.exp(target / 2)
        return {"label_lower_bound": bound, "label_upper_bound": np.where(upper, np.inf, bound)}
    if objective.startswith("rank:"):
        return {"label": upper.astype(float), "qid": np.arange(len(target)) // 40}
    if objective.startswith("multi:"):
        label = np.digitize(target, np.quantile(target, np.linspace(0, 1, outputs + 1)[1:-1]))
    elif objective == "survival:cox":
        label = np.where(upper, -1.0, 1.0) * np.exp(target / 2)
    elif objective in ("count:poisson", "reg:gamma", "reg:tweedie"):
        label = np.ceil(np.exp(target / 2))
    elif objective == "reg:quantileerror":
        label = target
    else:
        label = target[:, np.newaxis] + np.sin(np.arange(outputs) * target[:, np.newaxis])
        if objective != "reg:squarederror":
            label = (label > np.median(label, axis=0)).astype(float)
        label = label if outputs > 1 else label[:, 0]
    return {"label": label}


def train(
    types: Sequence[str],
    *,
    seed: int = 0,
    rounds: int = 12,
    count: int = 400,
    missing: float = 0.1,
    outputs: int = 1,
    **parameters,
) -> Trained:
    """Train a booster on noisy interactions of the features."""
    rows = draw_rows(seed, count, types, missing)
    filled = np.nan_to_num(rows, nan=0.4)
    signal = filled[:, 0] + np.sin(3 * filled[:, -1]) * filled[:, len(types) // 2] + (filled[:, 0] % 3 == 1)
    noise = np.random.default_rng(seed + 1).normal(size=count)
    settings = {
        "objective": "binary:logistic",
        "max_depth": 4,
        "min_child_weight": 0,
        "nthread": 1,
        "seed": seed,
    }
    settings.update(parameters)
    if settings["objective"].startswith("multi:"):
        settings["num_class"] = outputs
    if settings.get("booster") == "gblinear":
        settings = {
            name: value for name, value in settings.items() if name not in ("max_depth", "min_child_weight")
        }
    labels = labels_of(settings["objective"], signal + 0.3 * noise, outputs)
    with quiet():
        matrix = xgb.DMatrix(
            rows, feature_types=list(types), enable_categorical="c" in types, nthread=1, **labels
        )
        return Trained(xgb.train(settings, matrix, rounds), rows, tuple(types))


def chain(threshold: float, leaves: Sequence[float]) -> Trained:
    """Write one tree that tests features 0, 1, 2 ... in turn, going on to the left while each is below.

    Leaf k is reached by the first feature k that is not below the threshold, the last one if all are.
    """
    depth = len(leaves) - 1
    types = ("q",) * depth
    document = train(types, rounds=1, max_depth=1, objective="reg:squarederror", base_score=0.0).document()
    (tree,) = tree_parts(document)[1]["trees"]
    nodes = np.arange(2 * depth + 1)  # the test of feature k is node 2k - 1, its leaf node 2k + 2
    feature = (nodes + 1) // 2
    inner = ((nodes == 0) | (nodes % 2 == 1)) & (feature < depth)
    values = np.array(leaves)[np.where(nodes % 2 == 1, depth, np.maximum(nodes // 2 - 1, 0))]
    tree["tree_param"]["num_nodes"] = str(len(nodes))
    tree.update(
        left_children=np.where(inner, 2 * feature + 1, -1).tolist(),
        right_children=np.where(inner, 2 * feature + 2, -1).tolist(),
        parents=[2**31 - 1, 0, 0, *((nodes[3:] - 1) // 2 * 2 - 1).tolist()],
        split_indices=np.where(inner, feature, 0).tolist(),
        split_conditions=np.where(inner, threshold, values).tolist(),
        **{name: [0] * len(nodes) for name in ("default_left", "split_type")},
        **{name: [1.0] * len(nodes) for name in ("base_weights", "loss_changes", "sum_hessian")},
    )
    booster = xgb.Booster(model_file=bytearray(json.dumps(document).encode()))
    return Trained(booster, np.zeros((1, depth)), types)


def brute_force(
    trained: Trained, row: Reals, reference: Reals, rounds: int = 0, output: int | None = None
) -> tuple[float, Reals]:
    """Enumerate all 2^d coalitions of the interventional game (Shapley 1953); return base value and phi."""
    d = len(row)
    coalitions = np.arange(2**d)
    inside = (coalitions[:, None] >> np.arange(d) & 1) == 1
    hybrids = np.where(inside[:, None, :], row, reference[None, :, :])
    margins = trained.margins64(hybrids.reshape(-1, d), rounds)
    margins = margins if output is None else margins[:, output]
    value = margins.reshape(2**d, len(reference)).mean(axis=1)
    phi = np.zeros(d)
    for feature in range(d):
        for coalition in coalitions[~inside[:, feature]].tolist():
            size = coalition.bit_count()
            weight = math.factorial(size) * math.factorial(d - size - 1) / math.factorial(d)
            phi[feature] += weight * (value[coalition | 1 << feature] - value[coalition])
    return float(value[0]), phi
