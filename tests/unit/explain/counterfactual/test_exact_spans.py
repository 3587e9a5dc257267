"""The exact search of a linear model where a missing value may be filled, and the bounds that are told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xgboost as xgb

from explain.counterfactual.base import Effort
from explain.counterfactual.budget import Budget
from explain.counterfactual.concluding import Found, conclude
from explain.counterfactual.constraints.checker import Constraints, FeatureConstraint
from explain.counterfactual.exact.method import ExactSearch
from explain.counterfactual.problem import Problem, Proposed
from explain.counterfactual.search import CounterfactualSearch, run
from explain.deadline import Deadline
from explain.features import Feature, FeatureSpace
from explain.models import load_model
from explain.models.base import Model
from explain.outcome import OutcomeRule
from explain.reference import Reference
from tests.oracles.boosters import quiet

SPACE = FeatureSpace(tuple(Feature(name, "number", nullable=True) for name in "abc"), 32)
ROWS = np.random.default_rng(0).normal(size=(600, 3))
RULE = OutcomeRule("probability_of_adverse", 0.5, "deny", "ok")


@pytest.fixture(scope="module")
def linear() -> Model:
    asked = {"objective": "binary:logistic", "booster": "gblinear", "updater": "coord_descent", "lambda": 0}
    labels = (ROWS[:, 0] + 0.3 * ROWS[:, 1] < 0.5).astype(int)
    with quiet():
        booster = xgb.train(asked | {"nthread": 1, "seed": 1}, xgb.DMatrix(ROWS, labels, nthread=1), 80)
        return load_model("xgboost", bytes(booster.save_raw("json")), SPACE)


def problem_of(model: Model, filled: FeatureConstraint, *, alone: bool) -> Problem:
    other = {"b": FeatureConstraint(mutable=True, step=0.1, minimum=-50.0, maximum=50.0)}
    constraints = Constraints(SPACE, {"a": filled} | ({} if alone else other), 1)
    search = CounterfactualSearch.prepare(model, RULE, constraints, Reference.of("given", ROWS[:200]))
    return search.problem(SPACE.instance(np.array([np.nan, -1.0, 0.0])), count=3, seed=1)


def looked(problem: Problem) -> Found:
    return run(ExactSearch.prepare(problem.model), problem, Budget(Deadline.unlimited(), None))


@pytest.mark.parametrize("alone", [True, False])
@pytest.mark.parametrize(
    ("low", "high", "step"),
    [
        (2.0, 2.0, None),
        (2.0011, 2.0014, None),
        (-9.0, 9.0, None),
        (2.0, 2.0, 1e-4),
        (2.00005, 2.00015, 1e-4),
        (-40.0, 40.0, 1e-3),  # too many values to be listed
    ],
)
def test_a_missing_value_is_filled_from_any_range(
    linear: Model, low: float, high: float, step: float | None, *, alone: bool
) -> None:
    filled = FeatureConstraint(mutable=True, fill=True, minimum=low, maximum=high, step=step)
    problem = problem_of(linear, filled, alone=alone)
    found = looked(problem)
    answer = conclude(problem, [found])
    assert answer.status == "found"
    assert answer.items[0].changes[0].feature == "a"
    assert answer.items[0].cost == pytest.approx(2.0)
    assert found.proposed.least_cost == pytest.approx(2.0)


def test_the_value_nearest_to_0_fills_where_only_that_will_do(linear: Model) -> None:
    """What is filled counts as 0 while it is missing; the goal lies at 0 alone."""
    filled = FeatureConstraint(mutable=True, fill=True, minimum=0.0, maximum=0.0)
    problem = problem_of(linear, filled, alone=True)
    own = problem.instance.row.copy()
    own[0] = 0.0
    reached = bool(problem.target.reached(linear.predict(own[None, :]))[0])
    assert (conclude(problem, [looked(problem)]).status == "found") == reached


@pytest.mark.parametrize("bound", [2.5, 4.99, np.inf])
def test_a_bound_above_a_verified_item_is_not_told(linear: Model, bound: float) -> None:
    filled = FeatureConstraint(mutable=True, fill=True, minimum=2.0, maximum=2.0)
    problem = problem_of(linear, filled, alone=False)
    found = looked(problem)
    wrong = Found(Effort("other", "finished", 1), Proposed(least_cost=bound))
    assert conclude(problem, [found]).least_cost == pytest.approx(2.0)
    assert conclude(problem, [found, wrong]).least_cost is None


def test_a_cheaper_row_too_near_the_threshold_to_count_lowers_the_bound(linear: Model) -> None:
    filled = FeatureConstraint(mutable=True, fill=True, minimum=2.0, maximum=2.0)
    problem = problem_of(linear, filled, alone=False)
    row = problem.instance.row.copy()
    row[0] = 2.0
    margin = float(linear.margins(row[None, :])[0])
    rule = OutcomeRule("margin", margin + 1e-3, "deny", "ok", "high_is_adverse")
    target = replace(problem.target, rule=rule, threshold=rule.threshold, clearance=2e-3, tolerance=2e-2)
    found = looked(replace(problem, target=target))
    assert all(one.cost > 2.0 for one in found.proposed.proposals)
    assert found.proposed.least_cost is None or found.proposed.least_cost <= 2.0
