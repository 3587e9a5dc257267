"""Which counterfactuals are shown: by brute force over all subsets, and case by case."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from explain.counterfactual.choosing import DEARER, DEARER_AT_LEAST, NEARNESS, choose
from explain.counterfactual.constraints.checker import Constraints, FeatureConstraint
from explain.counterfactual.problem import Problem, Proposal
from explain.counterfactual.target import Target
from explain.features import Feature, FeatureSpace
from explain.outcome import OutcomeRule
from tests.unit.explain.counterfactual.conftest import Forest, Split

FloatArray = NDArray[np.float64]
FREE = FeatureConstraint(mutable=True)
RULE = OutcomeRule("probability_of_adverse", 0.5, "decline", "approve")
NUMBERS = FeatureSpace(tuple(Feature(name, "number", nullable=True) for name in "abcdef"))
SCALES = np.array([1.0, 2.0, 0.5, 1.0, 10.0, 3.0])


def problem_of(space: FeatureSpace, row: FloatArray, scales: FloatArray, **declared: object) -> Problem:
    """A problem whose model has no say in the choice."""
    filled = {
        feature.name: FeatureConstraint(mutable=True, fill=feature.nullable) for feature in space.features
    }
    constraints = Constraints(space, {**filled, **declared.pop("by_feature", {})}, 3, **declared)  # type: ignore[arg-type, dict-item]
    model = Forest(space, [Split(value=1.0)])
    target = Target.of(RULE, "logit", 32)
    return Problem(model, target, constraints, space.instance(row), scales, 4, 0)


PLAIN = problem_of(NUMBERS, np.zeros(6), SCALES)


def proposal(cost: float, problem: Problem = PLAIN, **changes: float) -> Proposal:
    row = problem.instance.row.copy()
    at = sorted(problem.constraints.space.index(name) for name in changes)
    for name, value in changes.items():
        row[problem.constraints.space.index(name)] = value
    return Proposal(tuple(at), row, cost, "by_hand")


def distance(one: Proposal, other: Proposal) -> float:
    return float((np.abs(one.row - other.row) / SCALES).sum())


def diversity(chosen: list[Proposal]) -> float:
    return float(np.linalg.det([[1.0 / (1.0 + distance(a, b)) for b in chosen] for a in chosen]))


def worth(chosen: list[Proposal]) -> float:
    """Return what a set is worth by definition: the logarithm of its diversity less what it costs."""
    cheapest = chosen[0].cost
    slack = max(DEARER * cheapest, DEARER_AT_LEAST)
    return np.log(diversity(chosen)) - NEARNESS * sum(it.cost - cheapest for it in chosen) / slack


def drawn(rng: np.random.Generator, size: int) -> list[Proposal]:
    """Proposals of one to three changes, each costing its distance and 1 for each change."""
    found = []
    for _ in range(size):
        row = np.zeros(6)
        at = rng.choice(6, size=rng.integers(1, 4), replace=False)
        row[at] = np.round(rng.normal(size=len(at)) * 2 * SCALES[at], 1)
        features = tuple(np.flatnonzero(row).tolist())
        found.append(Proposal(features, row, float((np.abs(row) / SCALES).sum()) + len(features), "by_hand"))
    return [it for it in found if it.features]


def contains(larger: Proposal, simpler: Proposal) -> bool:
    """Tell, change by change, whether one asks for all that another asks for, and more."""
    return all(
        simpler.row[at] * larger.row[at] > 0 and abs(larger.row[at]) >= abs(simpler.row[at])
        for at in simpler.features
    )


@pytest.mark.parametrize("seed", range(40))
def test_the_choice_is_greedy_by_definition_and_near_the_best_of_all_subsets(seed: int) -> None:
    rng = np.random.default_rng(seed)
    ordered = sorted(
        drawn(rng, 14), key=lambda it: (it.cost, it.features, it.row[list(it.features)].tolist())
    )
    simple = [it for at, it in enumerate(ordered) if not any(contains(it, other) for other in ordered[:at])]
    slack = max(DEARER * simple[0].cost, DEARER_AT_LEAST)
    near = [it for it in simple if it.cost <= simple[0].cost + slack]
    chosen = choose(PLAIN, rng.permutation(np.array(ordered, dtype=object)).tolist(), 4)
    step = near[:1]
    while len(step) < min(4, len(near)):
        left = [it for it in near if it not in step]
        step.append(max(left, key=lambda it: worth([*step, it])))
    assert chosen[: len(step)] == step
    assert chosen[len(step) :] == [it for it in simple if it not in near][: 4 - len(step)]
    if len(near) > 4:
        best = max(worth([near[0], *others]) for others in itertools.combinations(near[1:], 3))
        assert worth(chosen) >= best - 0.15
        assert diversity(chosen) >= diversity(near[:4]) - 0.02  # nearness may cost that little


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_fewer_are_the_first_of_more(count: int) -> None:
    proposals = drawn(np.random.default_rng(7), 60)
    assert choose(PLAIN, proposals, count) == choose(PLAIN, proposals, 12)[:count]
    assert choose(PLAIN, proposals, count)[0].cost == min(it.cost for it in proposals)


def test_longer_versions_of_a_shown_way_are_left_out() -> None:
    cheap, longer = proposal(2.0, a=1.0), proposal(3.0, a=2.0)
    contained, other = proposal(4.0, a=1.0, b=1.0), proposal(5.0, b=-1.0, c=1.0)
    opposite = proposal(2.5, a=-1.0)
    chosen = choose(PLAIN, [other, contained, longer, opposite, cheap], 5)
    assert chosen[0] == cheap
    assert set(chosen) == {cheap, other, opposite}
    assert choose(PLAIN, [other, cheap, opposite], 1) == [cheap]
    assert choose(PLAIN, [], 3) == []
    assert choose(PLAIN, [cheap], 0) == []


def test_what_is_much_dearer_comes_last_and_by_cost() -> None:
    cheap, beside, far, farther = (
        proposal(3.0, a=1.0),
        proposal(3.1, a=-0.1, b=1.0),
        proposal(30.0, c=9.0),
        proposal(40.0, d=-30.0),
    )
    assert choose(PLAIN, [farther, far, beside, cheap], 4) == [cheap, beside, far, farther]


def test_another_category_is_another_way_not_a_longer_one() -> None:
    space = FeatureSpace((Feature("kind", "category", categories=("a", "b", "c")), Feature("x", "number")))
    problem = problem_of(space, np.zeros(2), np.ones(2))
    first, second = proposal(2.0, problem, kind=1.0), proposal(2.0, problem, kind=2.0)
    more = proposal(3.5, problem, kind=2.0, x=0.5)
    assert choose(problem, [more, second, first], 4) == [first, second]


def test_a_value_given_where_one_is_missing() -> None:
    row = np.array([np.nan, 0.0, 0.0, 0.0, 0.0, 0.0])
    problem = problem_of(NUMBERS, row, SCALES)
    low, high = proposal(2.0, problem, a=1.0), proposal(2.0, problem, a=5.0)
    without, more = proposal(2.5, problem, b=3.0), proposal(3.0, problem, a=1.0, b=2.0)
    assert set(choose(problem, [low, high, without, more], 4)) == {low, high, without}


def test_derived_features_and_the_two_sides_of_a_group_are_no_diversity_of_their_own() -> None:
    """The move of a group is one difference: beside it a number that moves further is the more diverse."""
    names = ("rent", "own", "other", "x")
    types = ("integer", "integer", "integer", "number")
    space = FeatureSpace(
        tuple(Feature(n, t, minimum=0, maximum=9) for n, t in zip(names, types, strict=True))  # type: ignore[arg-type]
    )
    row = np.array([1.0, 0.0, 0.0, 1.0])
    problem = problem_of(space, row, np.ones(4), groups=(("rent", "own", "other"),))
    first = proposal(2.0, problem, rent=0.0, own=1.0)
    moved = proposal(2.5, problem, rent=0.0, other=1.0)
    number = proposal(2.5, problem, x=2.5)
    assert choose(problem, [moved, number, first], 2) == [first, number]
