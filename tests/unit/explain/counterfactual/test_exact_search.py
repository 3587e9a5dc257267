"""The exact search where enumeration ends: budgets, ranges without steps or ends, unknown margins."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xgboost as xgb
from numpy.typing import NDArray

from explain.counterfactual.base import CounterfactualSet
from explain.counterfactual.budget import Budget
from explain.counterfactual.concluding import Found, conclude
from explain.counterfactual.constraints.checker import Constraints, FeatureConstraint
from explain.counterfactual.exact.method import ExactSearch
from explain.counterfactual.problem import Problem
from explain.counterfactual.search import CounterfactualSearch, run
from explain.counterfactual.target import Target
from explain.deadline import Deadline
from explain.features import Feature, FeatureSpace
from explain.models import load_model
from explain.models.base import Model
from explain.outcome import OutcomeRule
from explain.reference import Reference
from tests.oracles.boosters import quiet

FloatArray = NDArray[np.float64]

WIDTH = 8
SPACE = FeatureSpace(tuple(Feature(f"x{at}", "number") for at in range(WIDTH)))
RULE = OutcomeRule("probability_of_adverse", 0.3, "decline", "approve")


@pytest.fixture(scope="module")
def rows() -> FloatArray:
    return np.round(np.random.default_rng(3).normal(size=(500, WIDTH)), 2)


def trained(rows: FloatArray, **parameters: object) -> Model:
    labels = (rows[:, 0] + rows[:, 1] * rows[:, 2] - 0.5 * rows[:, 3] + 0.3 * rows[:, 4] > 0.1).astype(int)
    asked = {"objective": "binary:logistic", "nthread": 1, "seed": 1, **parameters}
    with quiet():
        raw = bytes(xgb.train(asked, xgb.DMatrix(rows, labels, nthread=1), 30).save_raw("ubj"))
    return load_model("xgboost", raw, SPACE)


@pytest.fixture(scope="module")
def trees(rows: FloatArray) -> Model:
    return trained(rows, max_depth=4, eta=0.3)


@pytest.fixture(scope="module")
def linear(rows: FloatArray) -> Model:
    return trained(rows, booster="gblinear", updater="coord_descent")


def stepped() -> Constraints:
    free = {
        f"x{at}": FeatureConstraint(mutable=True, step=0.05, minimum=-3.0, maximum=3.0) for at in range(6)
    }
    return Constraints(SPACE, free, max_changes=3)


def problems(
    model: Model, constraints: Constraints, rows: FloatArray, size: int, count: int = 1
) -> list[Problem]:
    search = CounterfactualSearch.prepare(model, RULE, constraints, Reference.of("given", rows[:200]))
    declined = rows[model.predict(rows).scores >= RULE.threshold][:size]
    return [search.problem(SPACE.instance(row), count=count, seed=1) for row in declined]


def look(model: Model, problem: Problem, allowed: int | None = None) -> tuple[Found, CounterfactualSet]:
    found = run(ExactSearch.prepare(model), problem, Budget(Deadline.unlimited(), allowed))
    return found, conclude(problem, [found])


def test_a_stopped_search_proves_a_lower_bound_and_repeats_from_its_effort(
    trees: Model, rows: FloatArray
) -> None:
    statuses = set()
    for problem in problems(trees, stepped(), rows, 6):
        optimum = look(trees, problem)[1].items[0].cost
        bounds = []
        for allowed in (1, 20, 60, 150, 400):
            found, answer = look(trees, problem, allowed)
            statuses.add(answer.status)
            if found.effort.state == "finished":
                assert answer.items[0].cost == optimum
                continue
            assert answer.least_cost is not None
            bounds.append(answer.least_cost)
            assert answer.least_cost <= optimum + 1e-9
            assert all(item.cost >= optimum - 1e-9 for item in answer.items)
            assert look(trees, problem, found.effort.evaluations)[1] == answer
        assert bounds == sorted(bounds)
    assert {"partial", "unresolved"} <= statuses


def test_several_proposals_change_different_features(trees: Model, rows: FloatArray) -> None:
    for problem in problems(trees, stepped(), rows, 6, count=3):
        found, answer = look(trees, problem)
        features = [proposal.features for proposal in found.proposed.proposals]
        assert len(set(features)) == len(features) >= 2
        assert answer.items[0].cost == pytest.approx(answer.least_cost)


def test_ranges_without_steps_have_a_bound_below_every_value(trees: Model, rows: FloatArray) -> None:
    """The proved cost is that of a cell's very edge; no random value may undercut it."""
    free = {f"x{at}": FeatureConstraint(mutable=True) for at in range(4)}
    rng = np.random.default_rng(1)
    for problem in problems(trees, Constraints(SPACE, free, 2), rows, 6):
        found, answer = look(trees, problem)
        row, least = problem.instance.row, answer.least_cost
        assert found.effort.state == "finished"
        assert least is not None
        assert answer.items[0].cost - 0.1 < least <= answer.items[0].cost
        tried = np.repeat(row[None], 20_000, axis=0)
        tried[:, rng.permutation(4)[:2]] += rng.normal(size=(20_000, 2)) * (rng.random((20_000, 2)) < 0.7)
        good = tried[problem.target.reached(trees.predict(tried))]
        price = (np.abs(good - row) / problem.scales + (good != row)).sum(axis=1)
        assert price.min(initial=np.inf) >= least - 1e-9


def test_a_linear_model_without_steps_or_ends(linear: Model, rows: FloatArray) -> None:
    """Its optimum is known: one feature alone where one suffices, at the least distance for its weight."""
    free = {
        "x0": FeatureConstraint(mutable=True),
        "x3": FeatureConstraint(mutable=True, direction="increase"),
        "x4": FeatureConstraint(mutable=True, minimum=-50.0, maximum=50.0),
    }
    form = linear.form()
    weights = form.weights[0]  # type: ignore[union-attr]
    for problem in problems(linear, Constraints(SPACE, free, 1), rows, 8):
        found, answer = look(linear, problem)
        row = problem.instance.row
        excess = float(problem.target.adversity(linear.margins(row[None]))[0])
        alone = [1.0 + excess / abs(weights[at]) / problem.scales[at] for at in (0, 3, 4)]
        assert found.effort.state == "finished"
        assert answer.items[0].cost == pytest.approx(min(alone), abs=0.03)
        assert answer.least_cost is not None
        assert answer.least_cost <= min(alone) + 1e-3
        assert answer.items[0].cost - answer.least_cost < 0.03


def test_a_linear_model_is_searched_as_the_direct_search_does(linear: Model, rows: FloatArray) -> None:
    for constraints in (stepped(), replace(stepped(), max_changes=2)):
        search = CounterfactualSearch.prepare(linear, RULE, constraints, Reference.of("given", rows[:200]))
        for problem in problems(linear, constraints, rows, 8):
            answer = look(linear, problem)[1]
            direct = search.find(problem.instance, count=1, deadline=Deadline.unlimited(), seed=1)
            assert answer.status == direct.status
            if answer.items:
                assert answer.items[0].cost <= direct.items[0].cost + 1e-9
                assert answer.least_cost == pytest.approx(answer.items[0].cost)


def test_an_unknown_margin_over_a_large_space_is_left_alone(trees: Model, rows: FloatArray) -> None:
    (known,) = problems(trees, stepped(), rows, 1)
    problem = replace(known, target=Target.of(RULE, None, 32))
    found, answer = look(trees, problem)
    assert (answer.status, answer.proof, found.proposed.least_cost) == ("unresolved", None, None)


def test_a_threshold_that_no_margin_passes_is_settled_at_once(trees: Model, rows: FloatArray) -> None:
    (known,) = problems(trees, stepped(), rows, 1)
    never = replace(RULE, threshold=0.0)
    problem = replace(known, target=Target.of(never, "logit", 32))
    found, answer = look(trees, problem)
    assert (answer.status, answer.proof, found.effort.evaluations) == ("no_recourse", "bounded", 1)


def test_nothing_that_may_change_is_a_proof(trees: Model, rows: FloatArray) -> None:
    (problem,) = problems(trees, Constraints(SPACE, {}, 3), rows, 1)
    assert look(trees, problem)[1].proof == "exhaustive"
