"""Steps over windows around zero, missing values and unknown links, and where nothing may change."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray

from explain.counterfactual.budget import Budget
from explain.counterfactual.constraints.checker import Constraints, FeatureConstraint
from explain.counterfactual.constraints.expressions import Expression
from explain.counterfactual.constraints.inequalities import Inequality
from explain.counterfactual.constraints.links import Link
from explain.counterfactual.problem import Problem, Proposed
from explain.counterfactual.search import CounterfactualSearch
from explain.counterfactual.steps.search import StepSearch
from explain.deadline import Deadline
from explain.features import Feature, FeatureSpace
from explain.models.base import Prediction
from explain.models.ensemble import MISSING_NAN, MISSING_NONE, MISSING_ZERO
from explain.outcome import OutcomeRule
from explain.reference import Reference

if TYPE_CHECKING:
    from conftest import Forest, Split

FloatArray = NDArray[np.float64]

TINY = float(np.float32(1e-35))
TENTH = 0.1  # no float32 number
THRESHOLDS = (-1.5, -TENTH, -TINY, 0.0, 1e-40, TINY, TENTH, TENTH + 1e-12, 1.0)
WITNESSES = (-2.0, -1.5, -TENTH, -2e-35, -TINY, -1e-36, 0.0, 1e-40, TINY, 2e-35, TENTH, 0.5, 1.0, 2.5)
RULE = OutcomeRule("margin", 0.0, "decline", "approve", "high_is_adverse")
VALUE = OutcomeRule("value", 0.0, "decline", "approve", "high_is_adverse")
X, Y, HALF, KIND = range(4)


def space_of(width: int) -> FeatureSpace:
    return FeatureSpace(
        (
            Feature("x", "number", minimum=-3.0, maximum=3.0, nullable=True),
            Feature("y", "integer", minimum=-2.0, maximum=2.0),
            Feature("half", "number", minimum=-1.0, maximum=1.0),
            Feature("kind", "category", categories=("a", "b", "c"), nullable=True),
        ),
        64 if width == 64 else 32,
    )


def constraints_of(space: FeatureSpace) -> Constraints:
    """`half` is half of y, and x has no step: only its cells can be looked at."""
    return Constraints(
        space,
        {
            "x": FeatureConstraint(mutable=True, fill=True),
            "y": FeatureConstraint(mutable=True),
            "kind": FeatureConstraint(mutable=True, fill=True),
        },
        max_changes=2,
        links=(Link("half", Expression.parse("y / 2"), None),),
    )


def grow(rng: np.random.Generator, split: type[Split], depth: int) -> Split:
    if depth == 0:
        return split(value=float(rng.normal()) + 0.25)
    at = int(rng.integers(4))
    return split(
        feature=at,
        threshold=float(rng.choice((-0.5, 0.0, 0.5, 1.0) if at in (Y, HALF) else THRESHOLDS)),
        codes=tuple(np.flatnonzero(rng.random(3) < 0.5).tolist()) if at == KIND else None,
        default_left=bool(rng.random() < 0.5),
        missing=int(rng.choice((MISSING_NAN, MISSING_ZERO, MISSING_NONE))),
        left=grow(rng, split, depth - 1),
        right=grow(rng, split, depth - 1),
    )


def permitted_rows(row: FloatArray) -> FloatArray:
    """At least one row of every cell that two changes can reach."""
    found = []
    missing = [np.nan] if np.isnan(row[KIND]) else []
    for x in {*WITNESSES, float(row[X])} if not np.isnan(row[X]) else {*WITNESSES, np.nan}:
        for y in range(-2, 3):
            for kind in (0.0, 1.0, 2.0, *missing):
                other = np.array([x, y, y / 2, kind])
                differ = (other != row) & ~(np.isnan(other) & np.isnan(row))
                if 0 < differ[[X, Y, KIND]].sum() <= 2:
                    found.append(other)
    return np.array(found)


def proposed(search: CounterfactualSearch, row: FloatArray) -> tuple[Problem, Proposed]:
    problem = search.problem(search.model.space.instance(row), count=3, seed=1)
    return problem, search.steps.propose(problem, Budget(Deadline.unlimited(), None))


def judged(search: CounterfactualSearch, row: FloatArray, rule: OutcomeRule) -> bool:
    """Hold a sweep against the enumeration; tell whether anything reaches the goal."""
    problem, answer = proposed(search, row)
    prediction = search.model.predict(permitted_rows(row))
    feasible = bool(rule.favourable_mask(rule.scores_of(prediction.margins, prediction.scores)).any())
    assert bool(answer.proposals) == feasible
    assert answer.proof == (None if feasible else "exhaustive")
    assert answer.least_cost is None or np.isnan(row[X])  # x has no grid: another value may be nearer
    for one in answer.proposals:
        assert problem.constraints.check(row, one.row) == ()
        assert problem.target.reached(search.model.predict(one.row[None, :])).all()
    return feasible


@pytest.mark.parametrize("comparison", ["<", "<="])
@pytest.mark.parametrize("width", [32, 64])
def test_windows_missing_values_and_rounding_leave_no_cell_out(
    width: int, comparison: str, make_forest: type[Forest], split: type[Split]
) -> None:
    seen: Counter[bool] = Counter()
    for seed in range(40):
        rng = np.random.default_rng(seed)
        space = space_of(width)
        model = make_forest(space, [grow(rng, split, 3) for _ in range(3)], 0.4, comparison)
        reference = Reference.of("given", np.tile([0.5, 1.0, 0.5, 0.0], (30, 1)))
        search = CounterfactualSearch.prepare(model, RULE, constraints_of(space), reference)
        y = float(rng.integers(-2, 3))
        row = np.array([rng.choice((*WITNESSES, np.nan)), y, y / 2, rng.choice((0.0, 1.0, 2.0, np.nan))])
        if model.margins(row[None, :])[0] >= 0.0:
            seen[judged(search, row, RULE)] += 1
    assert min(seen[True], seen[False]) >= 3


def test_a_score_that_is_no_known_function_of_the_margin_is_reached_all_the_same(
    make_forest: type[Forest], split: type[Split]
) -> None:
    class Curved(make_forest):  # type: ignore[valid-type, misc]
        def predict(self, rows: FloatArray) -> Prediction:
            margins = self.margins(rows)
            return Prediction(margins, margins**3 + margins)

    seen: Counter[bool] = Counter()
    for seed in range(30):
        rng = np.random.default_rng(100 + seed)
        space = space_of(32)
        model = Curved(space, [grow(rng, split, 3) for _ in range(3)], 0.4, "<")
        rows = np.array([[0.5, y, y / 2, kind] for y in range(-2, 3) for kind in range(3)], dtype=np.float64)
        reference = Reference.of("given", np.tile(rows, (3, 1)))
        search = CounterfactualSearch.prepare(model, VALUE, constraints_of(space), reference)
        row = rows[int(rng.integers(len(rows)))]
        problem, _ = proposed(search, row)
        assert isinstance(search.direct(problem), StepSearch)
        if search.link is None and model.predict(row[None, :]).scores[0] >= 0.0:
            seen[judged(search, row, VALUE)] += 1
    assert seen[True] >= 3
    assert seen[False]


def test_where_nothing_may_change_there_is_no_recourse(make_forest: type[Forest], split: type[Split]) -> None:
    space = space_of(32)
    model = make_forest(space, [split(value=1.0)])
    reference = Reference.of("given", np.tile([0.5, 1.0, 0.5, 0.0], (30, 1)))
    link = Link("half", Expression.parse("y / 2"), None)
    search = CounterfactualSearch.prepare(model, RULE, Constraints(space, {}, 2, links=(link,)), reference)
    assert proposed(search, np.array([0.5, 1.0, 0.5, 0.0]))[1].proof == "exhaustive"


def test_an_inequality_broken_by_what_stays_leaves_no_recourse(
    make_forest: type[Forest], split: type[Split]
) -> None:
    """The applicant's own x breaks it, and x may not change: no change of y is permitted."""
    space = space_of(32)
    leaves = split(feature=Y, threshold=0.5, left=split(value=1.0), right=split(value=-1.0))
    model = make_forest(space, [leaves])
    reference = Reference.of("given", np.tile([0.5, 1.0, 0.5, 0.0], (30, 1)))
    constraints = Constraints(
        space,
        {"y": FeatureConstraint(mutable=True)},
        2,
        inequalities=(Inequality((("x", 1.0),), 1.0),),
    )
    search = CounterfactualSearch.prepare(model, RULE, constraints, reference)
    assert proposed(search, np.array([2.0, 0.0, 0.0, 0.0]))[1].proof == "exhaustive"
    assert proposed(search, np.array([1.0, 0.0, 0.0, 0.0]))[1].proposals
