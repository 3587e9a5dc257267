"""Steps as fine as float64 can count, against decimals; finer ones are refused, so that no proof is false."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from explain.counterfactual.base import CounterfactualSet
from explain.counterfactual.budget import Budget
from explain.counterfactual.concluding import conclude
from explain.counterfactual.constraints.checker import Constraints, FeatureConstraint
from explain.counterfactual.constraints.grid import Grid
from explain.counterfactual.constraints.narrowing import Narrowing
from explain.counterfactual.exact.spans import linear_variable
from explain.counterfactual.search import CounterfactualSearch, run
from explain.deadline import Deadline
from explain.errors import ConstraintError, InvalidNarrowing
from explain.features import Feature, FeatureSpace
from explain.outcome import OutcomeRule
from explain.reference import Reference

if TYPE_CHECKING:
    from conftest import Forest, Split

RULE = OutcomeRule("margin", 0.0, "decline", "approve", "high_is_adverse")
STEP = "0.003"
GRID = Grid.of(float(STEP))
LAST = math.floor(Decimal(GRID.counted) / Decimal(STEP))  # the last multiple that is counted


def value_of(multiple: int) -> float:
    return float(Decimal(STEP) * multiple)


def constraints_of(low: float | None, high: float | None, *, fill: bool = False) -> Constraints:
    space = FeatureSpace((Feature("wealth", "number", nullable=True),), float_width=64)
    free = FeatureConstraint(mutable=True, step=float(STEP), minimum=low, maximum=high, fill=fill)
    return Constraints(space, {"wealth": free}, 1)


@given(
    step=st.sampled_from(["0.003", "1e-12", "0.7", "1.0", "12.5", "0.000123", "70000.0"]),
    down=st.integers(0, 2_000),
    sign=st.sampled_from([-1, 1]),
)
def test_up_to_its_end_a_grid_counts_exactly(step: str, down: int, sign: int) -> None:
    grid = Grid.of(float(step))
    multiple = sign * (math.floor(Decimal(grid.counted) / Decimal(step)) - down)
    near = np.array([multiple - 1.0, multiple, multiple + 1.0])
    values = grid.values(near)
    assert values.tolist() == [float(Decimal(step) * int(one)) for one in near.tolist()]
    assert len(set(values.tolist())) == 3
    assert grid.nearest(values).tolist() == near.tolist()
    between = np.array([math.nextafter(values[1], math.inf), math.nextafter(values[1], -math.inf)])
    assert not grid.holds(between).any()
    assert grid.nearest(between).tolist() == [multiple, multiple]


@pytest.mark.parametrize(
    ("step", "low", "high"),
    [(1e-9, 0.0, 1e8), (3e-9, -1e8, 0.0), (1e-15, 0.0, 1.2), (1.0, 0.0, 2.0**50 + 1), (1e-9, -1e8, None)],
)
def test_finer_steps_are_refused_at_their_place(step: float, low: float, high: float | None) -> None:
    space = FeatureSpace((Feature("wealth", "number"),))
    free = FeatureConstraint(mutable=True, step=step, minimum=low, maximum=high)
    with pytest.raises(ConstraintError, match="too fine to be counted") as refused:
        Constraints(space, {"wealth": free}, 1)
    assert [fault.pointer for fault in refused.value.errors] == ["/features/wealth/step"]


def test_a_step_that_can_just_be_counted_is_none_to_refuse() -> None:
    assert constraints_of(0.0, GRID.counted).limits(0) == (0.0, GRID.counted)


def asked(
    make_forest: type[Forest], tree: Split, constraints: Constraints, before: float, *, exact: bool
) -> CounterfactualSet:
    model = make_forest(constraints.space, [tree])
    rows = np.linspace(value_of(LAST - 40), value_of(LAST + 40), 30)[:, None]
    search = CounterfactualSearch.prepare(model, RULE, constraints, Reference.of("given", rows))
    problem = search.problem(constraints.space.instance(np.array([before])), count=1, seed=1)
    method = search.exact if exact else search.direct(problem)
    return conclude(problem, [run(method, problem, Budget(Deadline.unlimited(), None))])


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("seed", range(40))
def test_answers_near_the_end_are_those_of_enumeration(
    make_forest: type[Forest], split: type[Split], seed: int, exact: bool
) -> None:
    """Good between two thresholds a few steps apart; the range ends there, or has no end of its own."""
    rng = np.random.default_rng(seed)
    open_ended, missing = bool(seed % 2), seed % 5 == 4
    high = None if open_ended else value_of(LAST - int(rng.integers(0, 4)))
    constraints = constraints_of(value_of(LAST - 40), high, fill=missing)
    before = math.nan if missing else value_of(LAST - int(rng.integers(10, 60)))
    lower = value_of(LAST + int(rng.integers(-9, 3))) + float(rng.choice([0.0, 0.001, 0.002]))
    upper = lower + float(rng.choice([0.001, 0.002, 0.004, 0.007]))
    good = split(
        feature=0,
        threshold=lower,
        left=split(value=1.0),
        right=split(feature=0, threshold=upper, left=split(value=-1.0), right=split(value=1.0)),
    )
    permitted = [value_of(one) for one in range(LAST - 40, LAST + 1)]
    reached = [one for one in permitted if (high is None or one <= high) and lower <= one < upper]
    found = asked(make_forest, good, constraints, before, exact=exact)
    assert (found.status, bool(found.items)) == (("found", True) if reached else ("no_recourse", False))
    assert all(item.changes[0].after in reached for item in found.items)


def test_what_lies_beyond_the_end_neither_changes_nor_is_proposed() -> None:
    constraints = constraints_of(0.0, None)
    end, beyond = value_of(LAST), GRID.counted * 4.0
    assert constraints.changeable(np.array([beyond])) == []
    assert constraints.changeable(np.array([end])) == [0]
    far = Grid.of(float(STEP)).values(np.array([LAST * 4.0]))
    assert not constraints.allowed(0, 0.0, far).any()
    assert constraints.allowed(0, 0.0, np.array([end])).all()
    assert "wealth is too large for its steps to be counted" in constraints.check(
        np.array([beyond]), np.array([end])
    )


def test_a_request_cannot_ask_for_what_cannot_be_counted() -> None:
    constraints = constraints_of(0.0, None)
    with pytest.raises(InvalidNarrowing, match="no steps that can be counted"):
        constraints.narrowed(Narrowing(permitted_range={"wealth": (2.0**53, 2.0**54)}))
    cut = constraints.narrowed(Narrowing(permitted_range={"wealth": (0.0, 2.0**60)}))
    assert cut.limits(0) == (0.0, GRID.counted)


def test_the_spans_of_a_range_without_an_end_leave_out_nothing_that_can_be_counted(
    make_forest: type[Forest], split: type[Split]
) -> None:
    constraints = constraints_of(0.0, None)
    model = make_forest(constraints.space, [split(value=1.0)])
    reference = Reference.of("given", np.linspace(0.0, 100.0, 30)[:, None])
    search = CounterfactualSearch.prepare(model, RULE, constraints, reference)
    problem = search.problem(constraints.space.instance(np.array([50.0])), count=1, seed=1)
    variable = linear_variable(problem, 0, GRID.counted * 7.3)
    assert variable is not None
    low, high = variable.ends[:, 0], variable.ends[:, 1]
    assert high[-1] >= value_of(LAST)
    assert (low[1:] <= high[:-1]).all()
