"""The steps against the enumeration of every permitted row, on real models of tied features."""

from __future__ import annotations

from collections import Counter

import lightgbm
import numpy as np
import pytest
import skops.io
import xgboost
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesClassifier

from explain.contrast import Contrast
from explain.counterfactual.aim import Aim
from explain.counterfactual.budget import Budget
from explain.counterfactual.concluding import conclude
from explain.counterfactual.search import CounterfactualSearch, run
from explain.deadline import Deadline
from explain.models import load_model
from explain.models.base import Model
from explain.outcome import OutcomeRule
from explain.reference import Reference
from tests.oracles import tied_features as tied

FloatArray = NDArray[np.float64]

KNOWN = 300  # rows of the reference; applicants come after them
CLASSES = ("good", "fair", "poor")
BINARY = OutcomeRule("probability_of_adverse", 0.2, "decline", "approve")
TERNARY = OutcomeRule(
    "margin", 0.0, "decline", "approve", "high_is_adverse", Contrast(CLASSES, adverse=(1, 2))
)
WORST = 1.25  # how many times the least cost the first answer may cost where a space is not swept
KINDS = ("xgboost", "lightgbm", "sklearn", "linear")
PLAIN = ("sklearn", "linear")  # that read no categories or no missing values


def labels_of(rows: FloatArray, classes: int, rng: np.random.Generator) -> NDArray[np.int64]:
    filled = np.nan_to_num(rows, nan=1.0)
    score = 2.0 * filled[:, tied.RATIO].clip(0, 3) - filled[:, tied.POINTS] - filled[:, tied.SCORE]
    score += filled[:, tied.OWN] * filled[:, tied.JOB] + (filled[:, tied.VALUE] % 3 == 0)
    score += rng.normal(size=len(rows)) * 0.4
    cuts = np.quantile(score, [0.35] if classes == 2 else [0.33, 0.66])
    return np.digitize(score, cuts)


def train(kind: str, classes: int, rows: FloatArray, labels: NDArray[np.int64], most: int) -> Model:
    space = tied.space_of(most, plain=kind in PLAIN)
    if kind == "sklearn":
        forest = ExtraTreesClassifier(12, max_depth=6, random_state=1, n_jobs=1).fit(rows, labels)
        return load_model("sklearn", skops.io.dumps(forest), space)
    if kind == "lightgbm":
        data = lightgbm.Dataset(
            rows, labels, feature_name=list(space.names), categorical_feature=[tied.JOB], free_raw_data=False
        )
        parameters = {"num_threads": 1, "verbose": -1, "min_data_in_leaf": 5, "seed": 1}
        goal = {"objective": "binary"} if classes == 2 else {"objective": "multiclass", "num_class": classes}
        text = lightgbm.train(parameters | goal, data, 15).model_to_string()
        return load_model("lightgbm", text.encode(), space)
    parameters = {"nthread": 1, "seed": 1, "verbosity": 0}  # newer ones warn of a linear booster
    goal = (
        {"objective": "binary:logistic"} if classes == 2 else {"objective": "multi:softprob", "num_class": 3}
    )
    shape = {"booster": "gblinear", "updater": "coord_descent"} if kind == "linear" else {"max_depth": 4}
    types = ["c" if feature.type == "category" else "q" for feature in space.features]
    data = xgboost.DMatrix(rows, labels, feature_types=types, enable_categorical=True)
    booster = xgboost.train(parameters | goal | shape, data, 15)
    return load_model("xgboost", bytes(booster.save_raw("ubj")), space)


class Case:
    """One model, its rule, and applicants whom it declines."""

    def __init__(self, kind: str, classes: int, most: int, max_changes: int) -> None:
        rng = np.random.default_rng(most * 10 + classes)
        self.plain = kind in PLAIN
        rows = tied.applicants(rng, 900, most, missing=0.0 if self.plain else 0.2)
        self.most, self.max_changes = most, max_changes
        self.model = train(kind, classes, rows, labels_of(rows, classes, rng), most)
        self.rule = BINARY if classes == 2 else TERNARY
        self.reference = rows[:KNOWN]
        permitted = tied.constraints_of(self.model.space, max_changes, most)
        reference = Reference.of("given", self.reference)
        self.search = CounterfactualSearch.prepare(self.model, self.rule, permitted, reference)
        self.declined = rows[KNOWN:][~self.favourable(rows[KNOWN:], self.rule)]

    def favourable(self, rows: FloatArray, rule: OutcomeRule) -> NDArray[np.bool_]:
        prediction = self.model.predict(rows)
        return rule.favourable_mask(rule.scores_of(prediction.margins, prediction.scores))

    def enumerated(self, row: FloatArray, rule: OutcomeRule) -> tuple[FloatArray, FloatArray]:
        """Return all permitted rows on the goal's side and their costs."""
        rows = tied.every_permitted_row(row, self.most, self.max_changes, self.most)
        good = rows[self.favourable(rows, rule)] if len(rows) else rows
        return good, tied.costs(row, good, self.reference, plain=self.plain)

    def row_of(self, row: FloatArray, changes: dict[str, object]) -> FloatArray:
        """Send an answer back as a caller would."""
        space = self.model.space
        return space.read(dict(zip(space.names, space.instance(row).values, strict=True)) | changes).row


def same(rows: FloatArray, row: FloatArray) -> NDArray[np.bool_]:
    return np.asarray((np.nan_to_num(rows, nan=-9.0) == np.nan_to_num(row, nan=-9.0)).all(axis=1))


def judge(case: Case, row: FloatArray, aim: Aim | None = None, rule: OutcomeRule | None = None) -> str:
    """Hold one answer against the enumeration; return its status, and whether it is the cheapest."""
    problem = case.search.problem(case.model.space.instance(row), count=4, seed=1, aim=aim)
    method = case.search.direct(problem)
    assert method.name == "step_search"
    found = run(method, problem, Budget(Deadline.unlimited(), None))
    answer = conclude(problem, [found])
    good, costs = case.enumerated(row, rule or case.rule)
    assert answer.dropped == 0
    if answer.status == "no_recourse":
        assert answer.proof == "exhaustive"
        assert not len(good)
        return answer.status
    if not len(good):
        assert answer.status == "unresolved"
        return answer.status
    for item in answer.items:
        at = np.flatnonzero(same(good, case.row_of(row, {one.feature: one.after for one in item.changes})))
        assert len(at) == 1, "not among the permitted rows that reach the goal"
        assert item.cost == pytest.approx(costs[at[0]], abs=1e-9)
        assert {one.feature for one in item.changes if one.derived} <= {"ratio"}
    if answer.least_cost is not None:
        assert answer.least_cost == pytest.approx(costs.min(), abs=1e-9)
        assert answer.items[0].cost == pytest.approx(costs.min(), abs=1e-9)
    assert answer.status == "found"
    assert answer.items[0].cost <= WORST * costs.min()
    return "cheapest" if answer.items[0].cost <= costs.min() + 1e-9 else "found"


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_a_small_space_is_answered_as_enumeration_says(kind: str, classes: int) -> None:
    """Nothing is left open: the cheapest change, or the proof that there is none."""
    seen: Counter[str] = Counter()
    for max_changes in (1, 2):
        case = Case(kind, classes, 3, max_changes)
        seen.update(judge(case, row) for row in case.declined[:30])
    assert set(seen) <= {"cheapest", "no_recourse"}
    assert seen["cheapest"] >= 10


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_a_larger_space_is_searched_nearly_as_well(kind: str, classes: int) -> None:
    case = Case(kind, classes, 12, 3)
    seen = Counter(judge(case, row) for row in case.declined[:15])
    assert set(seen) <= {"cheapest", "found", "unresolved", "no_recourse"}
    assert seen["cheapest"] >= 0.8 * (seen["cheapest"] + seen["found"])


@pytest.mark.parametrize("wanted", CLASSES)
def test_one_of_several_classes_is_reached_by_name(wanted: str) -> None:
    case = Case("xgboost", 3, 4, 2)
    others = tuple(at for at, name in enumerate(CLASSES) if name != wanted)
    rule = OutcomeRule("margin", 0.0, "decline", "approve", "high_is_adverse", Contrast(CLASSES, others))
    rows = case.declined[~case.favourable(case.declined, rule)][:20]
    seen = Counter(judge(case, row, Aim(wanted_class=wanted), rule) for row in rows)
    assert set(seen) <= {"cheapest", "no_recourse"}
    assert seen["cheapest"]
