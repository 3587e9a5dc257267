"""The measures of a set of counterfactuals, against closed forms on a model that adds up two numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from explain.counterfactual.constraints.checker import Constraints, FeatureConstraint
from explain.counterfactual.constraints.expressions import Expression
from explain.counterfactual.constraints.links import Link
from explain.counterfactual.options import scales_of
from explain.counterfactual.problem import Problem
from explain.counterfactual.target import Target
from explain.evaluation.counterfactual_metrics import (
    Population,
    diversity,
    measure,
    pairwise,
    stability,
)
from explain.evaluation.yardstick import Yardstick
from explain.features import Feature, FeatureSpace
from explain.models.base import Prediction
from explain.outcome import OutcomeRule
from explain.reference import Reference

NAN = math.nan
SPACE = FeatureSpace(
    (
        Feature("income", "number"),
        Feature("debt", "number", nullable=True),
        Feature("years", "integer"),
        Feature("kind", "category", categories=("a", "b", "c")),
        Feature("owner", "boolean", nullable=True),
    ),
    float_width=64,
)
RULE = OutcomeRule("margin", 0.0, "decline", "approve", direction="low_is_adverse")
# Median absolute deviations 2, 1 and 3; the middle row of each column is its median.
ROWS = np.array(
    [[1.0, 1.0, 1.0, 0.0, 0.0], [3.0, 2.0, 4.0, 1.0, 1.0], [5.0, 3.0, 7.0, 2.0, 1.0]], dtype=np.float64
)
BEFORE = np.array([2.0, 4.0, 4.0, 0.0, 0.0])


@dataclass(frozen=True)
class Balance:
    """Favourable where income is debt or more: the margin is their difference."""

    space: FeatureSpace = SPACE
    float_width: int = 64
    family: str = "by_hand"
    digest: str = "sha256:" + "0" * 64

    def margins(self, rows: Any) -> Any:
        return rows[:, 0] - np.nan_to_num(rows[:, 1])

    def predict(self, rows: Any) -> Prediction:
        margins = self.margins(rows)
        return Prediction(margins, margins)

    def form(self) -> Any:
        raise AssertionError("the measures ask the model itself, not its form")


def _problem(before: Any = BEFORE) -> Problem:
    free = {name: FeatureConstraint(mutable=True) for name in ("income", "debt", "kind")}
    constraints = Constraints(SPACE, free, max_changes=2)
    instance = SPACE.instance(before)
    model: Any = Balance()
    scales = scales_of(Reference.of("given", ROWS))
    return Problem(model, Target.of(RULE, "identity", 64), constraints, instance, scales, 3, 0)


UNITS = Yardstick.of(Constraints(SPACE, {}, 1), np.array([2.0, 1.0, 3.0, 1.0, 1.0]))


def test_distances_are_counted_in_spreads_and_in_categories() -> None:
    assert scales_of(Reference.of("given", ROWS)).tolist()[:3] == [2.0, 1.0, 3.0]
    rows = np.array([BEFORE, [5.0, 4.0, 1.0, 2.0, 0.0], [2.0, NAN, 4.0, 0.0, 1.0]])
    numeric, named = UNITS.parts(BEFORE, rows)
    assert numeric.tolist() == [0.0, 3.0 / 2.0 + 3.0 / 3.0, 0.0]
    assert named.tolist() == [0.0, 1.0, 2.0]
    missing = np.array([2.0, NAN, 4.0, 0.0, NAN])
    assert UNITS.distances(missing, missing[None, :]).tolist() == [0.0]
    assert UNITS.distances(missing, BEFORE[None, :]).tolist() == [2.0]
    assert UNITS.nearest(BEFORE, rows[1:]) == 2.0
    assert UNITS.nearest(BEFORE, rows[:0]) is None


def test_a_move_inside_a_one_hot_group_is_one_difference_and_a_derived_one_is_none() -> None:
    numbers = [Feature(name, "number") for name in ("x", "y", "ratio")]
    members = [Feature(name, "integer") for name in ("a", "b", "c")]
    space = FeatureSpace((*numbers, *members), 64)
    free = {name: FeatureConstraint(mutable=True) for name in ("a", "b", "c")}
    links = (Link("ratio", Expression.parse("x / y")),)
    constraints = Constraints(space, free, 3, groups=(("a", "b", "c"),), links=links)
    units = Yardstick.of(constraints, np.array([2.0, 1.0, 0.1, 7.0, 7.0, 7.0]))
    before, after = np.array([2.0, 2.0, 1.0, 1.0, 0.0, 0.0]), np.array([6.0, 2.0, 3.0, 0.0, 0.0, 1.0])
    numeric, named = units.parts(before, after[None, :])
    assert (numeric.tolist(), named.tolist()) == ([2.0], [1.0])


def test_a_long_reference_is_measured_like_a_short_one() -> None:
    rows = np.random.default_rng(3).normal(size=(10_000, 5))
    whole = UNITS.distances(BEFORE, rows)
    assert np.array_equal(whole, np.concatenate([UNITS.distances(BEFORE, row[None, :]) for row in rows]))


def test_diversity_is_the_determinant_of_the_kernel() -> None:
    near, far = np.array([4.0, 4.0, 4.0, 0.0, 0.0]), np.array([2.0, 1.0, 4.0, 1.0, 0.0])
    two = np.stack([near, far])
    d = 1.0 + 3.0 + 1.0  # income by one spread, debt by three, another kind
    assert diversity(two, UNITS) == pytest.approx(1.0 - (1.0 / (1.0 + d)) ** 2)
    assert pairwise(two, UNITS) == d
    three = np.stack([near, far, BEFORE])
    a, b, c = 1.0 / (1.0 + d), 1.0 / (1.0 + 1.0), 1.0 / (1.0 + 4.0)
    assert diversity(three, UNITS) == pytest.approx(1.0 + 2.0 * a * b * c - a * a - b * b - c * c)
    assert pairwise(three, UNITS) == pytest.approx((d + 1.0 + 4.0) / 3.0)


def test_equal_items_have_no_diversity_and_one_item_has_none_to_tell() -> None:
    assert diversity(np.stack([BEFORE, BEFORE]), UNITS) == 0.0
    assert pairwise(np.stack([BEFORE, BEFORE]), UNITS) == 0.0
    assert diversity(BEFORE[None, :], UNITS) is None
    assert pairwise(np.empty((0, 5)), UNITS) is None
    apart = np.stack([BEFORE, [1e9, *BEFORE[1:]]])
    assert diversity(apart, UNITS) == pytest.approx(1.0)


@given(st.lists(st.lists(st.floats(-9, 9), min_size=3, max_size=3), min_size=2, max_size=6))
def test_diversity_lies_between_none_and_one_in_any_order(numbers: list[list[float]]) -> None:
    rows = np.array([[*row, 0.0, 1.0] for row in numbers])
    found = diversity(rows, UNITS)
    assert found is not None
    assert 0.0 <= found <= 1.0 + 1e-12
    assert diversity(rows[::-1], UNITS) == pytest.approx(found, abs=1e-9)


def test_a_population_is_who_reaches_the_goal() -> None:
    population = Population.of(_problem(), Reference.of("given", ROWS))
    assert population.reached.tolist() == ROWS.tolist()  # every income is at least the debt
    poor = np.vstack([ROWS, [[0.0, 9.0, 4.0, 0.0, 0.0]]])
    assert len(Population.of(_problem(), Reference.of("given", poor)).reached) == 3


def test_every_number_of_a_set_by_hand() -> None:
    problem, population = _problem(), Population.of(_problem(), Reference.of("given", ROWS))
    rows = np.array(
        [
            [4.5, 4.0, 4.0, 0.0, 0.0],  # income up by 2.5
            [2.0, 1.0, 4.0, 1.0, 0.0],  # debt down by 3 and another kind
            [2.0, 4.0, 4.0, 0.0, 1.0],  # not permitted, and no better
        ]
    )
    found = measure(problem, rows, population)
    first, second, third = found.items
    assert [one.valid for one in found.items] == [True, True, False]
    assert (first.numeric, first.named, first.changed) == (1.25, 0.0, 1)
    assert (second.numeric, second.named, second.changed) == (3.0, 1.0, 2)
    assert (first.cost, second.cost) == (1.25 + 1.0, 3.0 + 1.0 + 2.0)
    assert (first.beyond, second.beyond, third.beyond) == (0.5, 1.0, -2.0)
    # the nearest who reached it: [5, 3, 7, c, true] to the first, [3, 2, 4, b, true] to the second
    assert first.nearest == 0.5 / 2.0 + 1.0 + 1.0 + 1.0 + 1.0
    assert second.nearest == 0.5 + 1.0 + 0.0 + 0.0 + 1.0
    assert found.own_nearest == 0.5 + 2.0 + 0.0 + 1.0 + 1.0
    assert found.mean("valid") == pytest.approx(2.0 / 3.0)
    assert found.mean("changed") == pytest.approx(4.0 / 3.0)
    assert (first.stays, second.stays, third.stays) == (1.0, 1.0, 0.0)
    assert (found.same_order, found.same_first, first.cost_elsewhere) == (None, None, None)
    nothing = measure(problem, rows[:0], population)
    assert (nothing.items, nothing.diversity, nothing.mean("cost")) == ((), None, None)


def test_what_is_equal_in_the_model_gives_zero_and_not_nan() -> None:
    alone = Population(np.empty((0, 5)), UNITS)
    found = measure(_problem(), BEFORE[None, :], alone)
    assert (found.items[0].numeric, found.items[0].cost, found.items[0].nearest) == (0.0, 0.0, None)
    assert (found.own_nearest, found.mean("nearest")) == (None, None)


def test_another_reference_has_other_units_and_another_order() -> None:
    problem, own = _problem(), Population.of(_problem(), Reference.of("given", ROWS))
    rows = np.array([[4.5, 4.0, 4.0, 0.0, 0.0], [2.0, 1.0, 4.0, 0.0, 0.0]])
    wide = replace(UNITS, scales=np.array([0.5, 3.0, 3.0, 1.0, 1.0]))
    found = measure(problem, rows, own, Population(ROWS[:1], wide))
    assert [one.cost for one in found.items] == [2.25, 4.0]
    assert [one.cost_elsewhere for one in found.items] == [5.0 + 1.0, 1.0 + 1.0]
    assert (found.same_order, found.same_first) == (False, False)
    assert found.items[1].nearest_elsewhere == 1.0 / 0.5 + 0.0 + 1.0
    assert found.own_nearest_elsewhere == 1.0 / 0.5 + 3.0 / 3.0 + 1.0
    same = measure(problem, rows, own, own)
    assert (same.same_order, same.same_first) == (True, True)


def test_the_share_that_stays_is_that_of_the_closed_form() -> None:
    """Income is 0.01 above the debt and the debt moves by up to 0.02: a quarter of its draws are too far."""
    problem = _problem()
    row = np.array([4.01, 4.0, 4.0, 0.0, 0.0])
    found = stability(problem, row, np.random.default_rng(1), noise=0.02, draws=40_000)
    assert found == pytest.approx(0.75, abs=0.01)
    assert stability(problem, row, np.random.default_rng(1)) == 1.0  # the usual disturbance is smaller
    again = [stability(problem, row, np.random.default_rng(7), noise=0.02) for _ in range(2)]
    assert again[0] == again[1] < 1.0


def test_what_is_derived_follows_a_disturbance() -> None:
    """The model looks at the ratio alone, which is favourable only while its lower part does not move."""

    class Ratio(Balance):
        def margins(self, rows: Any) -> Any:
            return rows[:, 2] - 1.0

    space = FeatureSpace(tuple(Feature(name, "number") for name in ("x", "y", "ratio")), 64)
    constraints = Constraints(space, {}, 1, links=(Link("ratio", Expression.parse("x / y")),))
    row, model = np.array([2.0, 2.0, 1.0]), Ratio(space)
    given: Any = model
    target = Target.of(RULE, "identity", 64)
    problem = replace(
        _problem(), model=given, target=target, constraints=constraints, instance=space.instance(row)
    )
    found = stability(problem, row, np.random.default_rng(1), noise=0.01, draws=4_000)
    assert found == pytest.approx(0.5, abs=0.03)


def test_missing_values_and_changed_ones_are_not_disturbed() -> None:
    before = np.array([-1.0, NAN, 4.0, 0.0, 0.0])
    problem = _problem(before)
    on_the_edge = np.array([0.0, NAN, 4.0, 0.0, 0.0])
    assert stability(problem, on_the_edge, np.random.default_rng(1), noise=10.0) == 1.0


def test_a_member_of_a_one_hot_group_is_not_disturbed() -> None:
    """Numbers as members, both as they were: any other value than 0 and 1 would turn the model."""

    class Whole(Balance):
        def margins(self, rows: Any) -> Any:
            return np.where(np.isin(rows[:, :2], (0.0, 1.0)).all(axis=1), 1.0, -1.0)

    space = FeatureSpace(tuple(Feature(name, "number") for name in ("rents", "owns", "x")), 64)
    free = {name: FeatureConstraint(mutable=True) for name in space.names}
    constraints = Constraints(space, free, 1, groups=(("rents", "owns"),))
    row, model = np.array([1.0, 0.0, 5.0]), Whole(space)
    given: Any = model
    problem = replace(_problem(), model=given, constraints=constraints, instance=space.instance(row))
    assert stability(problem, np.array([1.0, 0.0, 5.0]), np.random.default_rng(1), noise=0.5) == 1.0
