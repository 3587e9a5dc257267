"""Recourse as the native libraries have it: every permitted row enumerated and scored by the library alone.

What enumeration finds infeasible the exact search answers `no_recourse`; what it finds feasible, no search.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import lightgbm as lgb
import numpy as np
import pytest
import skops.io
import xgboost as xgb
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

from explain.contrast import Contrast
from explain.counterfactual.base import CounterfactualSet
from explain.counterfactual.budget import Budget
from explain.counterfactual.concluding import conclude
from explain.counterfactual.exact.method import ExactSearch
from explain.counterfactual.problem import Method, Problem
from explain.counterfactual.search import CounterfactualSearch, run
from explain.counterfactual.target import Target
from explain.deadline import Deadline
from explain.models import load_model
from explain.models.base import Model
from explain.outcome import OutcomeRule
from explain.reference import Reference
from tests.oracles import recourse
from tests.oracles.boosters import quiet

FloatArray = NDArray[np.float64]

CLASSES = Contrast(("deny", "grant", "refer"), (0, 2))
RULES = {
    1: OutcomeRule("probability_of_adverse", 0.45, "decline", "approve"),
    3: OutcomeRule("margin", 0.0, "other", "grant", "high_is_adverse", CLASSES),
}
ROWS = 12


def applicants(seed: int, size: int) -> FloatArray:
    rng = np.random.default_rng(seed)
    return np.stack([recourse.draw_applicant(rng) for _ in range(size)])


def labels(rows: FloatArray, classes: int) -> NDArray[np.int64]:
    filled = np.nan_to_num(rows, nan=1.0)
    score = filled[:, recourse.RATIO] - 0.3 * filled[:, recourse.YEARS] + filled[:, recourse.RATE] / 2
    score += np.where(filled[:, recourse.KIND] == 2, 1.0, 0.0) * filled[:, recourse.RENT]
    return np.searchsorted(np.quantile(score, [0.5] if classes == 1 else [0.4, 0.7]), score).astype(np.int64)


def boosted(rows: FloatArray, outputs: int, booster: str) -> Model:
    coded = booster != "gblinear"
    types = ["c" if at == recourse.KIND and coded else "q" for at in range(11)]
    asked: dict[str, object] = {"booster": booster, "max_depth": 3, "eta": 0.5, "nthread": 1, "seed": 3}
    if not coded:
        asked = {"booster": booster, "nthread": 1, "seed": 3, "updater": "coord_descent"}
    classes = {"objective": "multi:softprob", "num_class": 3}
    asked |= {"objective": "binary:logistic"} if outputs == 1 else classes
    data = xgb.DMatrix(rows, labels(rows, outputs), feature_types=types, enable_categorical=coded, nthread=1)
    with quiet():
        raw = bytes(xgb.train(asked, data, 12).save_raw("ubj"))
    return load_model("xgboost", raw, recourse.space_of(32, coded=coded))


def lightgbm(rows: FloatArray, outputs: int) -> Model:
    """Zero counts as missing, so that every number has a window around it."""
    asked = {"objective": "binary", "zero_as_missing": True, "min_data_in_leaf": 4, "num_leaves": 8}
    asked |= {"verbose": -1, "num_threads": 1, "seed": 3, "learning_rate": 0.4}
    data = lgb.Dataset(rows, labels(rows, outputs), free_raw_data=False)
    text = lgb.train(asked, data, 12).model_to_string()
    return load_model("lightgbm", text.encode(), recourse.space_of(64, coded=False))


def sklearn(rows: FloatArray, outputs: int, kind: str) -> Model:
    estimator = (
        HistGradientBoostingClassifier(max_iter=8, max_depth=3, min_samples_leaf=4, random_state=3)
        if kind == "histogram"
        else RandomForestClassifier(8, max_depth=4, random_state=3)
    )
    estimator.fit(rows, labels(rows, outputs))
    return load_model("sklearn", skops.io.dumps(estimator), recourse.space_of(64, coded=False))


def model_of(family: str, rows: FloatArray, outputs: int) -> Model:
    name, _, kind = family.partition(":")
    if name == "lightgbm":
        return lightgbm(rows, outputs)
    return boosted(rows, outputs, kind) if name == "xgboost" else sklearn(rows, outputs, kind)


def answered(method: Method, problem: Problem) -> CounterfactualSet:
    return conclude(problem, [run(method, problem, Budget(Deadline.unlimited(), None))])


def judged(problem: Problem, rows: FloatArray) -> tuple[NDArray[np.bool_], str]:
    """Ask the native library which rows reach the goal, and say what the answer must be.

    Where the only favourable rows lie too near the threshold to be shown, nothing is proved.
    """
    if not len(rows):
        return np.zeros(0, dtype=np.bool_), "no_recourse"
    prediction = problem.model.predict(rows)
    good = problem.target.reached(prediction)
    if good.any():
        return good, "found"
    return good, "unresolved" if problem.target.favourable(prediction).any() else "no_recourse"


@pytest.mark.parametrize(
    ("family", "outputs"),
    [
        ("xgboost:gbtree", 1),
        ("xgboost:dart", 1),
        ("xgboost:gblinear", 1),
        ("xgboost:gbtree", 3),
        ("xgboost:gblinear", 3),
        ("lightgbm", 1),
        ("sklearn:histogram", 1),
        ("sklearn:histogram", 3),
        ("sklearn:forest", 1),
        ("sklearn:forest", 3),
    ],
)
def test_no_recourse_is_claimed_where_there_is_none_and_nowhere_else(family: str, outputs: int) -> None:
    reference = applicants(1, 300)
    model, rule = model_of(family, reference, outputs), RULES[outputs]
    exact = ExactSearch.prepare(model)
    statuses: Counter[str] = Counter()
    for seed in range(16):
        rng = np.random.default_rng(seed)
        terms = recourse.draw_terms(rng, coded=model.space.features[recourse.KIND].type == "category")
        constraints = terms.constraints(model.space)
        search = CounterfactualSearch.prepare(model, rule, constraints, Reference.of("given", reference))
        drawn = applicants(100 + seed, 40)
        scores = rule.scores_of(*_asked(model, drawn))
        for row in drawn[~rule.favourable_mask(scores)][: ROWS // 4]:
            problem = search.problem(model.space.instance(row), count=2, seed=1)
            rows = recourse.every_permitted_row(terms, row)
            good, expected = judged(problem, rows)
            answer = answered(exact, problem)
            statuses[answer.status] += 1
            assert answer.status == expected
            assert answer.dropped == 0
            if good.any():
                optimum = recourse.costs(terms, row, rows, reference)[good].min()
                assert answer.items[0].cost == pytest.approx(optimum, abs=1e-9)
                assert answer.least_cost == pytest.approx(optimum, abs=1e-9)
                assert answered(search.direct(problem), problem).status != "no_recourse"
    assert min(statuses["found"], statuses["no_recourse"]) >= 3


def _asked(model: Model, rows: FloatArray) -> tuple[FloatArray, FloatArray]:
    prediction = model.predict(rows)
    return prediction.margins, prediction.scores


def test_without_a_known_margin_a_small_space_is_scored_as_a_whole() -> None:
    reference = applicants(1, 300)
    model, rule = model_of("xgboost:gbtree", reference, 1), RULES[1]
    exact, statuses = ExactSearch.prepare(model), Counter[str]()
    for seed in range(12):
        rng = np.random.default_rng(seed)
        terms = recourse.draw_terms(rng)
        search = CounterfactualSearch.prepare(
            model, rule, terms.constraints(model.space), Reference.of("given", reference)
        )
        drawn = applicants(100 + seed, 40)
        row = drawn[model.predict(drawn).scores >= rule.threshold][0]
        known = search.problem(model.space.instance(row), count=2, seed=1)
        problem = replace(known, target=Target.of(rule, None, model.float_width))
        rows = recourse.every_permitted_row(terms, row)
        good, expected = judged(problem, rows)
        answer = answered(exact, problem)
        statuses[answer.status] += 1
        assert answer.status == expected
        if good.any():
            optimum = recourse.costs(terms, row, rows, reference)[good].min()
            assert answer.items[0].cost == pytest.approx(optimum, abs=1e-9)
    assert min(statuses["found"], statuses["no_recourse"]) >= 2
