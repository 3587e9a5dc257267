"""Proofs beside the native library's own rounding, by asking it about every permitted row."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pytest
import xgboost as xgb
from numpy.typing import NDArray

from explain.counterfactual.aim import Aim
from explain.counterfactual.budget import Budget
from explain.counterfactual.concluding import conclude
from explain.counterfactual.constraints.checker import Constraints, FeatureConstraint
from explain.counterfactual.exact.method import ExactSearch
from explain.counterfactual.problem import Method, Problem
from explain.counterfactual.rounding import sum_rounding
from explain.counterfactual.search import CounterfactualSearch, run
from explain.deadline import Deadline
from explain.features import Feature, FeatureSpace
from explain.models import load_model
from explain.models.base import Model, tree_form
from explain.outcome import OutcomeRule
from explain.reference import Reference
from tests.oracles.boosters import quiet

FloatArray = NDArray[np.float64]
Stump = tuple[float, float]

SPACE = FeatureSpace((Feature("a", "number", minimum=0, maximum=3), Feature("b", "number")), 32)
ROWS = np.array([[0.0, 0.0], [1.0, 0.0], [2.0, 0.0], [3.0, 0.0]] * 20)
FREE = Constraints(SPACE, {"a": FeatureConstraint(mutable=True, step=1.0)}, 1)
PROBABILITY = OutcomeRule("probability_of_favourable", 0.5, "deny", "ok")


@cache
def trained(trees: int, objective: str) -> str:
    """Return so many stumps on `a` as the library writes them."""
    asked = {
        "objective": objective,
        "max_depth": 1,
        "min_child_weight": 0,
        "lambda": 0,
        "eta": 0.1,
        "nthread": 1,
    }
    base = 0.5 if "logistic" in objective else 0.0
    with quiet():
        matrix = xgb.DMatrix(ROWS, (ROWS[:, 0] > 1).astype(int), nthread=1)
        return bytes(xgb.train(asked | {"base_score": base}, matrix, trees).save_raw("json")).decode()


def forest(stumps: list[Stump], objective: str) -> Model:
    """Return a model of stumps with these leaves; one that did not split has the second."""
    read = json.loads(trained(len(stumps), objective))
    for tree, leaves in zip(read["learner"]["gradient_booster"]["model"]["trees"], stumps, strict=True):
        ends = [tree[side][0] for side in ("left_children", "right_children")]
        for at, value in zip([0, 0] if ends[0] == -1 else ends, (leaves[0], leaves[1]), strict=True):
            tree["split_conditions"][at] = tree["base_weights"][at] = value
    return load_model("xgboost", json.dumps(read).encode(), SPACE)


def asked_of(model: Model, rule: OutcomeRule, aim: Aim | None = None) -> tuple[Problem, list[Method]]:
    search = CounterfactualSearch.prepare(model, rule, FREE, Reference.of("given", ROWS))
    problem = search.problem(SPACE.instance(np.zeros(2)), count=1, seed=1, aim=aim)
    return problem, [search.direct(problem), ExactSearch.prepare(model)]


def claims_no_recourse(problem: Problem, method: Method) -> bool:
    found = run(method, problem, Budget(Deadline.unlimited(), None))
    return conclude(problem, [found]).status == "no_recourse"


@pytest.mark.parametrize("goal", [0.99, 0.9999, 0.999999, 0.9999999, 1.0 - 1e-8, 1e-6, 1e-30])
@pytest.mark.parametrize("direction", ["above", "below"])
def test_no_proof_against_a_goal_that_a_rounded_probability_reaches(goal: float, direction: str) -> None:
    margin = float(np.log(goal / (1.0 - goal)))
    start = -90.0 if direction == "above" else 90.0
    for off in np.linspace(-0.4, 0.4, 17):
        model = forest([(start, margin + float(off))], "binary:logistic")
        scores = model.predict(ROWS[:4]).scores
        reached = (scores >= goal) if direction == "above" else (scores < goal)
        if reached[0]:
            continue
        problem, methods = asked_of(model, PROBABILITY, Aim(goal, direction))  # type: ignore[arg-type]
        assert reached.any() <= (not any(claims_no_recourse(problem, one) for one in methods))


@pytest.mark.parametrize("size", [1e3, 1e4, 1e5, 1e6, 1e7])
def test_no_proof_against_what_cancelling_leaves_round_to(size: float) -> None:
    model = forest([(1.0, -0.3), (size, size), (-size, -size)], "reg:squarederror")
    native = model.margins(ROWS[:4])
    for off in (-1e-5, 1e-5, 2e-4, 1e-3, 1e-2, 0.1):
        for edge in (float(native.min()), -0.3):
            rule = OutcomeRule("value", edge + off, "deny", "ok", "high_is_adverse")
            if rule.favourable_mask(native[:1])[0]:
                continue
            problem, methods = asked_of(model, rule)
            reachable = bool(rule.favourable_mask(native).any())
            assert not (reachable and any(claims_no_recourse(problem, one) for one in methods))


def test_what_lies_far_off_is_still_proved_unreachable() -> None:
    rule = OutcomeRule("value", -0.301, "deny", "ok", "high_is_adverse")
    problem, methods = asked_of(forest([(1.0, -0.3)], "reg:squarederror"), rule)
    assert all(claims_no_recourse(problem, one) for one in methods)


def test_the_bound_covers_the_native_sums_and_grows_with_what_cancels() -> None:
    rng = np.random.default_rng(5)
    for scale in (1.0, 1e3, 1e6):
        leaves = [
            (float(one), float(two)) for one, two in rng.normal(size=(60, 2)).astype(np.float32) * scale
        ]
        model = forest(leaves, "reg:squarederror")
        form = tree_form(model)
        exact = [form.base_margin + sum(side[at] for side in leaves) for at in (0, 0, 1, 1)]
        assert np.abs(model.margins(ROWS[:4]) - exact).max() <= sum_rounding(form)[0] <= 1e-3 * scale
