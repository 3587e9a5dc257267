"""What follows from a change is recomputed after rounding, scored with it, and told as derived at no cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from explain.counterfactual.base import Change
from explain.counterfactual.constraints.checker import Constraints, FeatureConstraint
from explain.counterfactual.constraints.expressions import Expression
from explain.counterfactual.constraints.links import Link
from explain.counterfactual.problem import Problem, Proposal
from explain.counterfactual.search import CounterfactualSearch
from explain.counterfactual.target import Target
from explain.counterfactual.verify import verify
from explain.deadline import Deadline
from explain.features import Feature, FeatureSpace
from explain.outcome import OutcomeRule
from explain.reference import Reference

if TYPE_CHECKING:
    from conftest import Forest, Split

SPACE = FeatureSpace(
    (
        Feature("loan", "number", minimum=0.0, maximum=300.0),
        Feature("value", "number", minimum=1.0, maximum=300.0),
        Feature("ltv", "number", minimum=0.0, maximum=2.0),
        Feature("rents", "boolean"),
        Feature("owns", "boolean"),
    )
)
FREE = {name: FeatureConstraint(mutable=True) for name in ("rents", "owns")}
FREE["loan"] = FeatureConstraint(mutable=True, step=1.0)
CONSTRAINTS = Constraints(
    SPACE, FREE, 1, groups=(("rents", "owns"),), links=(Link("ltv", Expression.parse("loan / value"), 2),)
)
RULE = OutcomeRule("margin", 0.0, "decline", "approve", "high_is_adverse")
GIVEN = {"loan": 90, "value": 100, "ltv": 0.9, "rents": True, "owns": False}


@pytest.fixture
def model(make_forest: type[Forest], split: type[Split]) -> Forest:
    """Favourable below a loan to value of 0.8 alone, or for owners."""
    home = split(feature=4, threshold=0.5, left=split(value=1.0), right=split(value=-1.0))
    return make_forest(SPACE, [split(feature=2, threshold=0.8, left=split(value=-1.0), right=home)])


def test_a_proposal_is_rounded_before_what_follows_is_computed(model: Forest) -> None:
    instance = SPACE.read(GIVEN)
    rows = [
        [79.4, 100.0, 0.1, 1.0, 0.0],  # the loan is told as 79, so the ratio is 0.79
        [79.6, 100.0, 0.1, 1.0, 0.0],  # as 80, whatever the proposal says of the ratio: still adverse
        [90.0, 100.0, 0.1, 1.0, 0.0],  # nothing changed that somebody can choose
        [90.0, 100.0, 0.9, 0.0, 1.0],  # the group moves
        [90.0, 100.0, 0.9, 1.0, 1.0],  # two homes
        [79.0, 100.0, 0.79, 0.0, 1.0],  # two changes
    ]
    target = Target.of(RULE, "identity", 32)
    problem = Problem(model, target, CONSTRAINTS, instance, np.full(5, 2.0), 3, 0)
    items, dropped = verify(problem, [Proposal((0,), np.array(row), 1.0, "by_hand") for row in rows])
    assert [item.changes for item in items] == [
        (Change("loan", 90.0, 79.0), Change("ltv", 0.9, 0.79, derived=True)),
        (Change("rents", before=True, after=False), Change("owns", before=False, after=True)),
    ]
    assert [item.cost for item in items] == [11.0 / 2.0 + 1.0, 2.0]
    assert dropped == 4


def test_the_direct_search_finds_what_follows(model: Forest) -> None:
    rows = np.random.default_rng(0).uniform(1.0, 99.0, (40, 5))
    search = CounterfactualSearch.prepare(model, RULE, CONSTRAINTS, Reference.of("given", rows))
    found = search.find(SPACE.read(GIVEN), count=3, deadline=Deadline.unlimited(), seed=1)
    assert found.status == "found"
    assert {item.changes for item in found.items} == {
        (Change("loan", 90.0, 79.0), Change("ltv", 0.9, 0.79, derived=True)),
        (Change("rents", before=True, after=False), Change("owns", before=False, after=True)),
    }
