"""Rows beside the constraints: counted as the checker judges each of them alone."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from explain.counterfactual.constraints.checker import Constraints, FeatureConstraint
from explain.counterfactual.constraints.expressions import Expression
from explain.counterfactual.constraints.inequalities import Inequality
from explain.counterfactual.constraints.links import Link
from explain.counterfactual.constraints.observed import Observed, observe
from explain.errors import InvalidFeatures
from explain.features import Feature, FeatureSpace

FloatArray = NDArray[np.float64]

SPACE = FeatureSpace(
    (
        Feature("loan", "number", minimum=0.0),
        Feature("value", "number", minimum=0.0, nullable=True),
        Feature("ltv", "number", nullable=True),
        Feature("rents", "integer", nullable=True),
        Feature("owns", "integer", nullable=True),
    )
)
FREE = {name: FeatureConstraint(mutable=True) for name in ("rents", "owns")}
NAN = float("nan")
GROUP = ("rents", "owns")
SUM = Inequality((("loan", 1.0), ("value", -0.9)), 0.0)


def _constraints(formula: str = "loan / value", decimals: int | None = 2) -> Constraints:
    link = Link("ltv", Expression.parse(formula), decimals)
    return Constraints(SPACE, FREE, 2, groups=(GROUP,), inequalities=(SUM,), links=(link,))


def _observed(rows: list[list[float]], constraints: Constraints | None = None) -> dict[str, Observed]:
    return {one.kind: one for one in observe(constraints or _constraints(), np.array(rows))}


GOOD = [80.0, 100.0, 0.8, 1.0, 0.0]
WRONG = [80.0, 100.0, 9.0, 1.0, 0.0]
LACKING = [80.0, NAN, NAN, 1.0, 0.0]  # admitted, and not compared
UNDEFINED = [80.0, 0.0, 9.0, 1.0, 0.0]  # likewise
HALF = [80.0, NAN, 0.8, 1.0, 0.0]  # contradicts, and is not compared


def test_what_agrees_is_counted_as_agreeing() -> None:
    found = _observed([GOOD, [50.0, 100.0, 0.5, 0.0, 1.0]])
    for one in found.values():
        assert (one.rows, one.compared, one.agreeing, one.contradicted) == (2, 2, 2, 0)
        assert (one.difference, one.remark, one.hopeless) == (None, "", False)
    assert [one.pointer for one in found.values()] == ["/one_hot/0", "/links/0", "/inequalities/0"]
    assert [one.features for one in found.values()] == [GROUP, ("ltv", "loan", "value"), ("loan", "value")]


def test_a_link_is_compared_where_its_formula_has_a_value() -> None:
    rows = [
        GOOD,
        [80.0, 100.0, 0.85, 1.0, 0.0],  # 0.05 beside
        [30.0, 100.0, 0.1, 1.0, 0.0],  # 0.2 beside
        [80.0, NAN, NAN, 1.0, 0.0],  # both missing: agrees, and cannot be compared
        [80.0, NAN, 0.8, 1.0, 0.0],  # a part missing alone
        [80.0, 100.0, NAN, 1.0, 0.0],  # the value missing alone
        [80.0, 0.0, 3.0, 1.0, 0.0],  # no value of the formula: anything will do
    ]
    link = _observed(rows)["link"]
    assert (link.rows, link.compared, link.agreeing, link.contradicted) == (7, 4, 1, 4)
    assert link.difference == 0.2
    assert link.remark == "2 with the value or a part missing alone"
    assert not link.hopeless


def test_a_group_tells_what_is_wrong_with_it() -> None:
    others = [(0.0, 0.0), (0.0, 0.0), (1.0, 1.0), (2.0, 0.0), (NAN, 1.0)]
    group = _observed([GOOD, *([*GOOD[:3], *one] for one in others)])["group"]
    assert (group.rows, group.compared, group.agreeing, group.contradicted) == (6, 5, 1, 5)
    assert group.remark == (
        "2 with no 1, 1 with more than one 1, 1 with a missing value, 1 with another value than 0 and 1"
    )


def test_a_sum_is_broken_by_what_goes_beyond_its_bound() -> None:
    rows = [GOOD, [95.0, 100.0, 0.95, 1.0, 0.0], [92.0, 100.0, 0.92, 1.0, 0.0], [95.0, NAN, NAN, 1.0, 0.0]]
    found = _observed(rows)["inequality"]
    assert (found.rows, found.compared, found.agreeing, found.contradicted) == (4, 3, 1, 2)
    assert found.difference == 5.0


@pytest.mark.parametrize(
    ("rows", "hopeless"),
    [
        ([[80.0, 100.0, 9.0, 1.0, 0.0]], True),
        ([[80.0, 100.0, 9.0, 1.0, 0.0], GOOD], False),
        ([WRONG, LACKING], False),
        ([WRONG] * 19 + [LACKING], False),
        ([WRONG] * 20 + [LACKING], True),
        ([WRONG] * 20 + [LACKING] * 20, True),
        ([WRONG] * 20 + [LACKING] * 21, False),
        ([WRONG] * 500 + [LACKING] * 499 + [GOOD], False),
        ([WRONG] + [UNDEFINED] * 999, False),
        ([WRONG] + [HALF] * 3, True),
        ([WRONG] + [HALF] * 3 + [LACKING], False),
        ([[80.0, NAN, 0.8, 1.0, 0.0]], True),
        ([[80.0, NAN, 0.8, 1.0, 0.0], [80.0, NAN, NAN, 1.0, 0.0]], False),
        ([[80.0, 0.0, 9.0, 1.0, 0.0]], False),
    ],
)
def test_hopeless_is_what_no_row_keeps_of_enough_that_could(rows: list[list[float]], hopeless: bool) -> None:
    assert _observed(rows)["link"].hopeless is hopeless


def test_another_unit_is_recognized() -> None:
    values = np.linspace(100.0, 300.0, 50)
    loans = np.linspace(50.0, 310.0, 50)
    rows = np.column_stack([loans, values, (100 * loans / values).round(1), np.ones(50), np.zeros(50)])
    link = _observed(rows.tolist())["link"]
    assert link.hopeless
    assert "about 100 times the formula's value" in link.remark


def test_values_that_were_rounded_before_are_recognized() -> None:
    values, loans = np.linspace(100.0, 300.0, 50), np.linspace(50.0, 310.0, 50)
    rows = np.column_stack([loans, values, (loans / values).round(2), np.ones(50), np.zeros(50)])
    for decimals in (None, 4):
        link = _observed(rows.tolist(), _constraints(decimals=decimals))["link"]
        assert link.contradicted > 40
        assert link.remark == "they would agree with `decimals: 2`"
    assert _observed(rows.tolist(), _constraints(decimals=2))["link"].contradicted == 0


def _refused(constraints: Constraints, row: FloatArray) -> bool:
    try:
        constraints.check_factual(row)
    except InvalidFeatures:
        return True
    return False


@pytest.mark.parametrize("decimals", [None, 0, 2])
def test_many_rows_are_judged_as_each_alone(decimals: int | None) -> None:
    generator = np.random.default_rng(5)
    loan = generator.choice([0.0, 50.0, 80.0, 123.4], 400)
    value = generator.choice([0.0, 100.0, 77.7, NAN], 400)
    with np.errstate(all="ignore"):
        near = loan / value + generator.choice([0.0, 1e-9, 0.004, 0.006, 0.4, 0.6, NAN], 400)
    ltv = np.where(np.isinf(near), 1.0, near)
    flags = generator.choice([0.0, 1.0, 1.0, 0.0, 2.0, NAN], (400, 2))
    rows = np.column_stack([loan, value, ltv, flags])
    constraints = _constraints(decimals=decimals)
    refused = np.array([_refused(constraints, row) for row in rows])
    assert 0 < refused.sum() < 400
    assert np.array_equal(constraints.admitted(rows), ~refused)
    found = _observed(rows.tolist(), constraints)
    either = found["link"].contradicted + found["group"].contradicted
    assert max(found["link"].contradicted, found["group"].contradicted) <= refused.sum() <= either
