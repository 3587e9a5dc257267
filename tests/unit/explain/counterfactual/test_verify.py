"""Verification drops whatever does not hold, and the choice shows different ways."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from explain.counterfactual.base import Change
from explain.counterfactual.constraints.checker import Constraints, FeatureConstraint
from explain.counterfactual.problem import Problem, Proposal
from explain.counterfactual.search import CounterfactualSearch
from explain.counterfactual.target import Target, link_of
from explain.counterfactual.verify import verify
from explain.deadline import Deadline
from explain.features import Feature, FeatureSpace
from explain.models.base import Prediction
from explain.outcome import OutcomeRule
from explain.reference import Reference

if TYPE_CHECKING:
    from conftest import Forest, Split

SPACE = FeatureSpace((Feature("x", "number", nullable=True), Feature("n", "integer")))
RULE = OutcomeRule("margin", 0.0, "decline", "approve", "high_is_adverse")
CONSTRAINTS = Constraints(
    SPACE,
    {"x": FeatureConstraint(mutable=True, step=0.1, maximum=9.0), "n": FeatureConstraint(mutable=True)},
    max_changes=1,
)


@pytest.fixture
def model(make_forest: type[Forest], split: type[Split]) -> Forest:
    """Adverse below x = 2.5, favourable above; n matters nowhere."""
    tree = split(feature=0, threshold=2.5, left=split(value=1.0), right=split(value=-1.0))
    return make_forest(SPACE, [tree])


def test_each_failing_proposal_is_dropped_and_counted(model: Forest) -> None:
    instance = SPACE.read({"x": 1.0, "n": 3})
    target = Target.of(RULE, "identity", 32)
    rows = [
        np.array([2.5, 3.0]),  # holds
        np.array([2.4, 3.0]),  # still adverse
        np.array([1.0, 3.0]),  # nothing changed
        np.array([9.1, 3.0]),  # out of range
        np.array([2.6, 4.0]),  # two changes
        np.array([np.nan, 3.0]),  # became missing
        np.array([1.0, np.inf]),  # cannot even be read
        np.array([2.4900001, 3.0]),  # holds once rounded to 2.5
        np.array([2.54, 3.0]),  # holds as 2.5
        np.array([1.04, 3.0]),  # rounds back to where it was
    ]
    problem = Problem(model, target, CONSTRAINTS, instance, np.array([0.5, 1.0]), 3, 0)
    items, dropped = verify(problem, [Proposal((0,), row, 1.0, "by_hand") for row in rows])
    assert [item.changes for item in items] == [(Change("x", 1.0, 2.5),)] * 3
    assert dropped == 7
    assert items[0].cost == pytest.approx(1.5 / 0.5 + 1)
    assert (items[0].margin, items[0].score, items[0].outcome) == (-1.0, -1.0, "approve")


def test_the_nearest_grid_value_across_the_threshold_is_offered(model: Forest) -> None:
    reference = Reference.of("given", np.column_stack([np.arange(40) / 10, np.arange(40)]))
    search = CounterfactualSearch.prepare(model, RULE, CONSTRAINTS, reference)
    answer = search.find(SPACE.read({"x": 1.03, "n": 3}), count=3, deadline=Deadline.unlimited(), seed=0)
    assert [item.changes for item in answer.items] == [(Change("x", 1.03, 2.5),)]
    missing = search.find(SPACE.read({"x": None, "n": 3}), count=3, deadline=Deadline.unlimited(), seed=0)
    assert missing.status == "no_recourse"


@pytest.mark.parametrize("nudge", [0.0, 1e-6])
def test_a_hair_beyond_the_threshold_is_not_enough_and_proves_nothing(
    nudge: float, make_forest: type[Forest], split: type[Split]
) -> None:
    tree = split(feature=0, threshold=2.5, left=split(value=1.0), right=split(value=-nudge))
    model = make_forest(SPACE, [tree])
    reference = Reference.of("given", np.zeros((5, 2)))
    search = CounterfactualSearch.prepare(model, RULE, CONSTRAINTS, reference)
    answer = search.find(SPACE.read({"x": 1.0, "n": 3}), count=3, deadline=Deadline.unlimited(), seed=0)
    assert answer.status == ("unresolved" if nudge else "no_recourse")


@pytest.mark.parametrize(
    ("rule", "margin", "score", "threshold"),
    [
        (OutcomeRule("probability_of_adverse", 0.5, "n", "y"), 1.0, 0.731059, 0.0),
        (OutcomeRule("probability_of_favourable", 0.8, "n", "y"), 1.0, 0.731059, np.log(4.0)),
        (OutcomeRule("margin", 1.5, "n", "y", "low_is_adverse"), 1.0, 0.73, 1.5),
        (OutcomeRule("value", 1.5, "n", "y", "low_is_adverse"), 1.0, 1.0, 1.5),
        (OutcomeRule("value", 1.5, "n", "y", "low_is_adverse"), 2.0, float(np.exp(2.0)), np.log(1.5)),
        (OutcomeRule("value", 0.8, "n", "y", "low_is_adverse"), 1.0, 1 / (1 + np.exp(-1.0)), np.log(4.0)),
        (OutcomeRule("probability_of_adverse", 0.0, "n", "y"), 1.0, 0.731059, -np.inf),
    ],
)
def test_the_threshold_as_a_margin(
    rule: OutcomeRule, margin: float, score: float, threshold: float, model: Forest
) -> None:
    link = link_of(rule, Prediction(np.array([margin]), np.array([score])))
    assert link is not None
    assert Target.of(rule, link, 32).threshold == pytest.approx(threshold)


def test_an_unknown_link_is_left_alone(model: Forest) -> None:
    rule = OutcomeRule("value", 1.5, "n", "y", "low_is_adverse")
    assert link_of(rule, Prediction(np.array([1.0]), np.array([17.0]))) is None
    assert Target.of(rule, None, 32).threshold is None


def test_where_two_links_cross_one_row_does_not_tell_them_apart(model: Forest) -> None:
    """The logistic curve meets the diagonal at 0.659: such a row alone says nothing about the link."""
    rule = OutcomeRule("probability_of_adverse", 0.3, "n", "y")
    crossing = 0.6590460684
    alone = Prediction(np.array([crossing]), np.array([crossing]))
    assert link_of(rule, alone) is None
    for other, score, threshold in ((0.2, 0.2, 0.3), (0.2, 1 / (1 + np.exp(-0.2)), np.log(0.3 / 0.7))):
        link = link_of(rule, Prediction(np.array([crossing, other]), np.array([crossing, score])))
        assert link is not None
        assert Target.of(rule, link, 32).threshold == pytest.approx(threshold)
