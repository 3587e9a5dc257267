"""Steps of numbers without a step under a linear model of several classes, and what no clock may wait for."""

from __future__ import annotations

from itertools import count

import numpy as np
import pytest
import xgboost
from numpy.typing import NDArray

from explain.contrast import Contrast
from explain.counterfactual.budget import Budget
from explain.counterfactual.concluding import conclude
from explain.counterfactual.constraints.checker import Constraints, FeatureConstraint
from explain.counterfactual.constraints.narrowing import Narrowing
from explain.counterfactual.search import CounterfactualSearch, run
from explain.counterfactual.steps.sweep import sets_within
from explain.deadline import Deadline
from explain.features import Feature, FeatureSpace
from explain.models import load_model
from explain.outcome import OutcomeRule
from explain.reference import Reference

FloatArray = NDArray[np.float64]

RULE = OutcomeRule(
    "margin", 0.0, "decline", "approve", "high_is_adverse", Contrast(("low", "middle", "high"), (0, 1))
)
RANGES = ((2.0011, 2.0014), (-0.0004, -0.0001), (0.30031, 0.30034), (1.0, 1.0), (0.4999, 0.5003))
WIDE = 300  # features of a wide model


def prepared(features: int, own: FeatureConstraint, changes: int = 1) -> CounterfactualSearch:
    """Train a linear model of three classes; each feature may change in the same way."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(600, features))
    labels = np.digitize(rows[:, 0] + 0.3 * rows[:, 1], [-0.5, 0.5])
    parameters = {"booster": "gblinear", "updater": "coord_descent", "objective": "multi:softprob"}
    goal = {"num_class": 3, "nthread": 1, "verbosity": 0, "eta": 0.5, "lambda": 0}
    booster = xgboost.train(parameters | goal, xgboost.DMatrix(rows, labels), 20)
    space = FeatureSpace(tuple(Feature(f"x{at}", "number", nullable=True) for at in range(features)), 32)
    model = load_model("xgboost", bytes(booster.save_raw("json")), space)
    constraints = Constraints(space, dict.fromkeys(space.names, own), changes)
    return CounterfactualSearch.prepare(model, RULE, constraints, Reference.of("given", rows[:200]))


@pytest.mark.parametrize("before", [-1.0, 0.3, np.nan])
@pytest.mark.parametrize("in_request", [True, False])
@pytest.mark.parametrize(("low", "high"), RANGES)
def test_a_range_between_two_values_that_are_shown_is_no_proof(
    low: float, high: float, in_request: bool, before: float
) -> None:
    """Nothing may be claimed impossible that many values of the range reach."""
    limits = (None, None) if in_request else (low, high)
    own = FeatureConstraint(mutable=True, fill=True, minimum=limits[0], maximum=limits[1])
    search = prepared(3, own)
    narrowing = Narrowing(permitted_range=dict.fromkeys(search.model.space.names, (low, high)))
    row = np.array([before, -1.0, 0.0])
    instance = search.model.space.instance(row)
    problem = search.problem(instance, count=3, seed=1, narrowing=narrowing if in_request else None)
    answer = conclude(problem, [run(search.direct(problem), problem, Budget(Deadline.unlimited(), None))])
    dense = np.repeat(row[None, :], 3 * 2_001, axis=0)
    for at in range(3):
        dense[at * 2_001 : (at + 1) * 2_001, at] = np.linspace(low, high, 2_001)
    reached = problem.target.reached(search.model.predict(dense))
    assert problem.constraints.permitted(row, dense[reached]).all()
    assert (answer.status == "found") == bool(reached.any())
    if low < high:
        assert answer.proof is None


@pytest.mark.parametrize(("direction", "before"), [("increase", 2.0105), ("decrease", 2.0012)])
def test_what_is_left_of_a_range_in_the_permitted_direction_is_looked_at(
    direction: str, before: float
) -> None:
    own = FeatureConstraint(True, "increase" if direction == "increase" else "decrease", 2.0011, 2.0114)
    search = prepared(2, own)
    problem = search.problem(search.model.space.instance(np.array([before, before])), count=3, seed=1)
    found = run(search.steps, problem, Budget(Deadline.unlimited(), None))
    assert found.effort.evaluations > 0
    assert found.proposed.proof is None


def test_a_number_that_only_may_stay_as_it_is_leaves_no_recourse() -> None:
    search = prepared(2, FeatureConstraint(mutable=True, minimum=1.0, maximum=1.0))
    problem = search.problem(search.model.space.instance(np.array([1.0, 1.0])), count=3, seed=1)
    found = run(search.steps, problem, Budget(Deadline.unlimited(), None))
    assert (found.proposed.proof, found.effort.evaluations) == ("exhaustive", 0)


def test_little_is_made_between_two_looks_at_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each row that is made is counted, and so is each look; wherever it stops, no more is begun."""
    search = prepared(WIDE, FeatureConstraint(mutable=True, step=0.01, minimum=-40.0, maximum=40.0), 3)
    problem = search.problem(search.model.space.instance(np.full(WIDE, -0.5)), count=3, seed=1)
    made: list[int] = [0]
    permitted = Constraints.permitted

    def counted(self: Constraints, before: FloatArray, rows: FloatArray) -> NDArray[np.bool_]:
        made[-1] += rows.size
        return permitted(self, before, rows)

    monkeypatch.setattr(Constraints, "permitted", counted)
    ticks = count()

    def clock() -> float:
        made.append(0)
        return float(next(ticks))

    for looks in (1, WIDE // 2, WIDE + 4, WIDE + 40, 10**6):
        made[:] = [0]
        found = run(search.steps, problem, Budget(Deadline(1e3 * looks, 0.0, clock), None))
        assert max(made) <= 2**17
        assert (found.effort.state == "finished") == (looks == 10**6)
    assert found.proposed.proposals


def test_sets_are_counted_no_further_than_wanted() -> None:
    assert sets_within([2.0, 3.0], 2, 12.0)
    assert not sets_within([2.0, 3.0], 2, 11.0)
    assert sets_within([0.0] * 10**5 + [2.0, 3.0], 1, 6.0)
    assert not sets_within([1.0] * 10**5, 100, 2_000.0)
    assert not sets_within([np.inf], 1, 2_000.0)
