"""The exact search against the enumeration of every permitted row, under random constraints of every kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray

from explain.counterfactual.base import CounterfactualSet
from explain.counterfactual.budget import Budget
from explain.counterfactual.concluding import Found, conclude
from explain.counterfactual.exact.method import ExactSearch
from explain.counterfactual.problem import Problem
from explain.counterfactual.search import CounterfactualSearch, run
from explain.deadline import Deadline
from explain.models.ensemble import MISSING_NAN, MISSING_NONE, MISSING_ZERO
from explain.outcome import OutcomeRule
from explain.reference import Reference
from tests.oracles import recourse

if TYPE_CHECKING:
    from conftest import Forest, Split

FloatArray = NDArray[np.float64]
Grow = Callable[..., "Forest"]

RULE = OutcomeRule("probability_of_adverse", 0.35, "decline", "approve")
LOW_RULE = OutcomeRule("probability_of_favourable", 0.65, "decline", "approve")
THRESHOLDS = [-0.5, 0.0, 0.25, 0.5, 1.0, 1.7, 2.25, 3.0, 4.1, 6.0]


@pytest.fixture
def grow(make_forest: Any, split: Any) -> Grow:
    """Grow a random forest over all features; what counts as missing is each split's own."""

    def one(rng: np.random.Generator, depth: int) -> Split:
        if depth == 0 or rng.random() < 0.1:
            return split(value=float(rng.normal()))
        at = int(rng.integers(11))
        coded = at == recourse.KIND
        size = int(rng.integers(1, 4))
        return split(
            feature=at,
            threshold=40.0 if at == recourse.AGE else float(rng.choice(THRESHOLDS)),
            codes=tuple(sorted(rng.choice(4, size, replace=False).tolist())) if coded else None,
            default_left=bool(rng.random() < 0.5),
            missing=MISSING_NAN if coded else int(rng.choice([MISSING_NAN, MISSING_ZERO, MISSING_NONE])),
            left=one(rng, depth - 1),
            right=one(rng, depth - 1),
        )

    def forest(seed: int, trees: int = 6, depth: int = 4) -> Forest:
        rng = np.random.default_rng(seed)
        space = recourse.space_of(32 if seed % 3 else 64)
        grown = [one(rng, depth) for _ in range(trees)]
        return make_forest(space, grown, float(rng.normal()) + 1.0, "<" if seed % 2 else "<=")

    return forest


def problem_of(
    model: Any, rule: OutcomeRule, terms: recourse.Terms, row: FloatArray, reference: FloatArray
) -> tuple[CounterfactualSearch, Problem]:
    search = CounterfactualSearch.prepare(
        model, rule, terms.constraints(model.space), Reference.of("given", reference)
    )
    return search, search.problem(model.space.instance(row), count=3, seed=1)


def look(model: Any, problem: Problem, allowed: int | None = None) -> tuple[Found, CounterfactualSet]:
    found = run(ExactSearch.prepare(model), problem, Budget(Deadline.unlimited(), allowed))
    return found, conclude(problem, [found])


def assert_as_enumerated(
    answer: CounterfactualSet, good: NDArray[np.bool_], price: FloatArray, *, step: float = 0.0
) -> None:
    assert answer.complete
    assert answer.dropped == 0
    if not good.any():
        assert (answer.status, answer.items) == ("no_recourse", ())
        assert answer.proof in ("bounded", "exhaustive")
        return
    assert answer.status == "found"
    assert answer.items[0].cost == pytest.approx(price[good].min(), abs=1e-9)
    assert answer.least_cost == pytest.approx(price[good].min(), abs=1e-9)


@pytest.mark.parametrize("seed", range(300))
def test_the_optimum_and_no_recourse_are_what_enumeration_says(seed: int, grow: Grow) -> None:
    rng = np.random.default_rng(40_000 + seed)
    model = grow(seed)
    rule = RULE if seed % 4 < 2 else LOW_RULE
    terms = recourse.draw_terms(rng)
    reference = np.stack([recourse.draw_applicant(rng) for _ in range(40)])
    row = recourse.draw_applicant(rng)
    if rule.is_favourable(float(model.predict(row[None]).scores[0])):
        row = next(
            (
                other
                for other in reference
                if not rule.is_favourable(float(model.predict(other[None]).scores[0]))
            ),
            row,
        )
        if rule.is_favourable(float(model.predict(row[None]).scores[0])):
            return
    search, problem = problem_of(model, rule, terms, row, reference)
    rows = recourse.every_permitted_row(terms, row)
    good = rule.favourable_mask(model.predict(rows).scores) if len(rows) else np.zeros(0, dtype=np.bool_)
    _, answer = look(model, problem)
    assert_as_enumerated(answer, good, recourse.costs(terms, row, rows, reference))
    online = conclude(problem, [run(search.direct(problem), problem, Budget(Deadline.unlimited(), None))])
    assert online.status != "no_recourse" or not good.any()
