"""Searches of every form, stopped in many places, and what each of them answered: to be done twice.

As a program it writes its answers, so that another process, with other seeds of hashing and other numbers of
threads, can be held against this one.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import count

import numpy as np
import xgboost
from numpy.typing import NDArray

from explain.counterfactual.base import CounterfactualSet
from explain.counterfactual.budget import Budget
from explain.counterfactual.concluding import conclude
from explain.counterfactual.constraints.checker import Constraints, FeatureConstraint
from explain.counterfactual.problem import Method, Problem
from explain.counterfactual.search import CounterfactualSearch, run
from explain.deadline import Deadline
from explain.features import Feature, FeatureSpace
from explain.models import load_model
from explain.outcome import OutcomeRule
from explain.reference import Reference
from tests.oracles import tied_features as tied

FloatArray = NDArray[np.float64]

WIDTH = 6
SPACE = FeatureSpace(tuple(Feature(f"x{at}", "number", minimum=-3.0, maximum=3.0) for at in range(WIDTH)))
RULE = OutcomeRule("probability_of_adverse", 0.4, "decline", "approve")
FREE = {
    "x0": FeatureConstraint(mutable=True, direction="decrease", step=0.05),
    "x1": FeatureConstraint(mutable=True, step=0.1),
    "x2": FeatureConstraint(mutable=True, step=0.1),
    "x3": FeatureConstraint(mutable=True, direction="increase", step=0.05),
}
FORMS = ("trees", "linear", "tied")
LOANS = 30
STOPS = (1, 2, 3, 4, 6, 9, 14, 22, 40, None)
"""After how many looks at the clock the time is up; None: never."""


def rows_of(seed: int, size: int) -> FloatArray:
    return np.round(np.random.default_rng(seed).normal(size=(size, WIDTH)), 2).clip(-3.0, 3.0)


def prepare(form: str) -> CounterfactualSearch:
    if form == "tied":
        return prepare_tied()
    rows = rows_of(5, 500)
    labels = (rows[:, 0] + rows[:, 1] * rows[:, 2] - 0.5 * rows[:, 3] > 0.1).astype(int)
    parameters: dict[str, object] = {"objective": "binary:logistic", "nthread": 1, "seed": 1}
    parameters["verbosity"] = 0  # newer ones warn of a linear booster
    parameters |= (
        {"booster": "gblinear", "updater": "coord_descent"} if form == "linear" else {"max_depth": 4}
    )
    booster = xgboost.train(parameters, xgboost.DMatrix(rows, labels), 20)
    model = load_model("xgboost", bytes(booster.save_raw("json")), SPACE)
    constraints = Constraints(SPACE, FREE, max_changes=3)
    return CounterfactualSearch.prepare(model, RULE, constraints, Reference.of("given", rows[:200]))


def prepare_tied() -> CounterfactualSearch:
    """A model whose features are tied to each other, in a space too large to be swept."""
    rows, space = tied.applicants(np.random.default_rng(5), 500, LOANS), tied.space_of(LOANS)
    filled = np.nan_to_num(rows, nan=1.0)
    labels = 2 * filled[:, tied.RATIO] - filled[:, tied.POINTS] - filled[:, tied.SCORE] > -1.0
    types = ["c" if feature.type == "category" else "q" for feature in space.features]
    data = xgboost.DMatrix(rows, labels, feature_types=types, enable_categorical=True)
    parameters = {"objective": "binary:logistic", "nthread": 1, "seed": 1, "max_depth": 4}
    model = load_model("xgboost", bytes(xgboost.train(parameters, data, 20).save_raw("json")), space)
    constraints = tied.constraints_of(space, 3, LOANS)
    return CounterfactualSearch.prepare(model, RULE, constraints, Reference.of("given", rows[:200]))


def ticking(looks: int | None) -> Deadline:
    """A deadline that is looked at so many times before it has passed."""
    ticks = count()
    return Deadline.unlimited() if looks is None else Deadline(1e3 * looks, 0.0, lambda: float(next(ticks)))


def problems(search: CounterfactualSearch, size: int) -> Iterator[Problem]:
    space = search.model.space
    is_tied = space.names != SPACE.names
    rows = tied.applicants(np.random.default_rng(9), 400, LOANS) if is_tied else rows_of(9, 400)
    for row in rows[search.model.predict(rows).scores >= RULE.threshold][:size]:
        yield search.problem(space.instance(row), count=3, seed=1)


def method_of(search: CounterfactualSearch, problem: Problem) -> Method:
    method = search.direct(problem)
    assert method is not None
    return method


def searched(search: CounterfactualSearch, problem: Problem, looks: int | None) -> CounterfactualSet:
    budget = Budget(ticking(looks), None)
    return conclude(problem, [run(method_of(search, problem), problem, budget)])


def answers(search: CounterfactualSearch, size: int) -> Iterator[tuple[Problem, CounterfactualSet]]:
    """What is answered to each of so many problems, wherever the search is stopped."""
    for problem in problems(search, size):
        for looks in STOPS:
            yield problem, searched(search, problem, looks)


def told(form: str, size: int) -> str:
    """All answers of one form, every number to its last digit."""
    return "\n".join(repr(answer) for _, answer in answers(prepare(form), size))


if __name__ == "__main__":
    sys.stdout.write(told(sys.argv[1], int(sys.argv[2])))
