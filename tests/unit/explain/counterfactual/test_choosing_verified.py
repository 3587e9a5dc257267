"""Nothing unverified is chosen: what fails is dropped, counted, and replaced by the next."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from explain.counterfactual.base import Effort
from explain.counterfactual.choosing import choose
from explain.counterfactual.concluding import Found, conclude
from explain.counterfactual.constraints.checker import Constraints, FeatureConstraint
from explain.counterfactual.problem import Problem, Proposal, Proposed
from explain.counterfactual.target import Target
from explain.counterfactual.verify import verify
from explain.features import Feature, FeatureSpace
from explain.outcome import OutcomeRule
from tests.unit.explain.counterfactual.conftest import Forest, Split

FloatArray = NDArray[np.float64]
SPACE = FeatureSpace(tuple(Feature(name, "number", minimum=-9.0, maximum=9.0) for name in "abcd"))
RULE = OutcomeRule("probability_of_adverse", 0.5, "decline", "approve")


def problem_of(count: int) -> Problem:
    """Each feature at 1 or more lowers the margin by 2 from 1; steps of 0.5."""
    trees = [
        Split(feature=at, threshold=1.0, left=Split(value=0.0), right=Split(value=-2.0)) for at in range(4)
    ]
    model = Forest(SPACE, trees, base_margin=1.0)
    free = {name: FeatureConstraint(mutable=True, step=0.5) for name in "abc"}
    constraints = Constraints(SPACE, free, 2)
    instance = SPACE.instance(np.zeros(4))
    return Problem(model, Target.of(RULE, "logit", 32), constraints, instance, np.ones(4), count, 0)


def proposal(cost: float, method: str = "one", **changes: float) -> Proposal:
    row = np.zeros(4)
    for name, value in changes.items():
        row["abcd".index(name)] = value
    return Proposal(tuple(np.flatnonzero(row).tolist()), row, cost, method)


def found(*proposals: Proposal, method: str = "one", proof: str | None = None) -> Found:
    return Found(Effort(method, "finished", 5), Proposed(proposals, proof))  # type: ignore[arg-type]


def shown(items: object) -> list[dict[str, object]]:
    return [{change.feature: change.after for change in item.changes} for item in items]  # type: ignore[attr-defined]


def test_what_fails_is_replaced_and_counted_and_the_rest_is_not_even_verified() -> None:
    problem = problem_of(2)
    short, forbidden = proposal(1.2, a=0.5), proposal(1.3, d=2.0)
    many = proposal(2.9, a=1.0, b=1.0, c=-1.0)
    good = [proposal(2.0, a=1.0), proposal(2.1, b=1.0), proposal(2.5, c=1.0)]
    answer = conclude(problem, [found(short, forbidden, many, *good)])
    assert answer.status == "found"
    assert answer.dropped == 2  # the one with too many changes contains a good one: nobody chose it
    assert shown(answer.items) == [{"a": 1.0}, {"b": 1.0}]
    assert all(item.verified for item in answer.items)


def test_only_failures_are_no_proof_and_no_answer() -> None:
    answer = conclude(problem_of(3), [found(proposal(1.0, a=0.5), proposal(1.0, d=5.0), proof="exhaustive")])
    assert (answer.status, answer.items, answer.dropped, answer.proof) == ("unresolved", (), 2, None)
    nothing = conclude(problem_of(3), [found(proof="exhaustive")])
    assert (nothing.status, nothing.proof, nothing.complete) == ("no_recourse", "exhaustive", True)


def test_a_row_of_several_methods_counts_once_as_the_first_ones() -> None:
    one, other = proposal(2.0, a=1.0), proposal(2.0, "two", a=1.0)
    beside = proposal(2.04, "two", a=1.04)  # the same once it is rounded to its step
    answer = conclude(problem_of(4), [found(one), found(other, beside, method="two")])
    assert [(item.method, item.cost) for item in answer.items] == [("one", 2.0)]
    assert answer.dropped == 0
    assert [effort.method for effort in answer.effort] == ["one", "two"]
    assert answer.evaluations == 10


def test_rounding_comes_before_the_verdict_and_the_cost_is_of_what_is_shown() -> None:
    rounded_up, rounded_off = proposal(1.8, a=0.8), proposal(1.7, b=0.7)
    answer = conclude(problem_of(4), [found(rounded_up, rounded_off)])
    assert shown(answer.items) == [{"a": 1.0}]
    assert [item.cost for item in answer.items] == [2.0]
    assert answer.dropped == 1


@pytest.mark.parametrize("seed", range(30))
def test_the_choice_is_that_among_all_proposals_that_hold(seed: int) -> None:
    """Verifying everything first, at any price, and choosing then, gives the same answer in any order."""
    rng = np.random.default_rng(seed)
    proposals = []
    for _ in range(60):
        row = np.zeros(4)
        at = rng.choice(4, size=rng.integers(1, 4), replace=False, p=[0.3, 0.3, 0.3, 0.1])
        row[at] = rng.choice([-3.0, -1.0, 0.5, 1.0, 1.5, 2.0, 4.0], size=len(at))
        cost = float(np.abs(row).sum()) + len(at)
        proposals.append(Proposal(tuple(sorted(at.tolist())), row, cost, "one"))
    problem = problem_of(4)
    holding = [it for it in proposals if verify(problem, [it])[1] == 0]
    expected = verify(problem, sorted(choose(problem, holding, 4), key=lambda it: it.cost))[0]
    answer = conclude(problem, [found(*proposals[:30]), found(*proposals[30:])])
    again = conclude(problem, [found(*reversed(proposals))])
    assert {item.changes for item in answer.items} == {item.changes for item in expected}
    assert [item.changes for item in again.items] == [item.changes for item in answer.items]
    assert [item.cost for item in answer.items] == sorted(item.cost for item in answer.items)


def test_good_proposals_cost_one_native_batch() -> None:
    problem = problem_of(4)
    asked = 0
    plain = problem.model.predict

    class Counted:
        def __getattr__(self, name: str) -> object:
            return getattr(problem.model, name)

        def predict(self, rows: FloatArray) -> object:
            nonlocal asked
            asked += 1
            return plain(rows)

    counted = Problem(
        Counted(),
        problem.target,
        problem.constraints,
        problem.instance,
        problem.scales,
        4,
        0,  # type: ignore[arg-type]
    )
    conclude(counted, [found(*(proposal(2.0 + at / 10, **{name: 1.0}) for at, name in enumerate("abc")))])
    assert asked == 1
