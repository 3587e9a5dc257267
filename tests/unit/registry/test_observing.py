"""What a model's owner is told of constraints that his own rows contradict."""

from __future__ import annotations

import re

import numpy as np
import pytest
from numpy.typing import NDArray

from explain.counterfactual.constraints.checker import Constraints, FeatureConstraint
from explain.counterfactual.constraints.expressions import Expression
from explain.counterfactual.constraints.inequalities import Inequality
from explain.counterfactual.constraints.links import Link
from explain.evaluation.warning import ModelWarning
from explain.features import Feature, FeatureSpace
from explain.reasons import Factor
from registry.errors import ReferenceContradiction
from registry.observing import observed

FloatArray = NDArray[np.float64]

NAMES = ("loan", "value", "ltv", "rents", "owns")
SPACE = FeatureSpace(tuple(Feature(name, "number", nullable=True) for name in NAMES))
FREE = {name: FeatureConstraint(mutable=True, step=1.0) for name in ("rents", "owns")}
CONSTRAINTS = Constraints(
    SPACE,
    FREE,
    2,
    groups=(("rents", "owns"),),
    inequalities=(Inequality((("loan", 1.0),), 200.0),),
    links=(Link("ltv", Expression.parse("loan / value"), 2),),
)
FACTORS = (Factor("home", ("rents", "owns")), Factor("collateral", ("loan", "value", "ltv")))


def _rows(count: int = 1000) -> FloatArray:
    """Rows that keep everything."""
    generator = np.random.default_rng(1)
    loan, value = generator.integers(50, 150, count), generator.integers(150, 400, count)
    rents = generator.integers(0, 2, count)
    return np.column_stack([loan, value, (loan / value).round(2), rents, 1 - rents]).astype(np.float64)


def _told(rows: FloatArray) -> dict[str, ModelWarning]:
    return {warning.code: warning for warning in observed(CONSTRAINTS, rows, FACTORS).warnings}


def test_rows_that_keep_everything_are_counted_and_nothing_is_warned_of() -> None:
    found = observed(CONSTRAINTS, _rows(), FACTORS)
    assert found.warnings == ()
    counted = [(one["pointer"], one["rows"], one["compared"], one["contradicted"]) for one in found.checks]
    assert counted == [
        ("/counterfactuals/one_hot/0", 1000, 1000, 0),
        ("/counterfactuals/links/0", 1000, 1000, 0),
        ("/counterfactuals/inequalities/0", 1000, 1000, 0),
    ]


def test_a_link_that_some_contradict_is_warned_of_with_counts() -> None:
    rows = _rows()
    rows[:25, 2] += 0.07
    told = _told(rows)
    assert set(told) == {"link_contradicted"}
    warning = told["link_contradicted"]
    assert (warning.factors, warning.features) == (("collateral",), ("ltv", "loan", "value"))
    assert "/counterfactuals/links/0: 25 of 1000 uploaded rows (2.5 %)" in warning.detail
    assert "422 invalid-input" in warning.detail
    (difference,) = re.findall(r"largest difference ([\d.]+)", warning.detail)
    assert 0.07 <= float(difference) <= 0.0751
    (check,) = [one for one in observed(CONSTRAINTS, rows, FACTORS).checks if one["contradicted"]]
    assert (check["pointer"], check["share"]) == ("/counterfactuals/links/0", 0.025)


def test_a_group_that_some_contradict_is_warned_of() -> None:
    rows = _rows()
    rows[:3, 3:] = 0.0
    warning = _told(rows)["group_contradicted"]
    assert (warning.factors, warning.features) == (("home",), ("rents", "owns"))
    assert "/counterfactuals/one_hot/0: 3 of 1000 uploaded rows (0.3 %)" in warning.detail
    assert "3 with no 1" in warning.detail


@pytest.mark.parametrize("count", [40, 1000])
def test_a_sum_that_rows_break_is_only_warned_of(count: int) -> None:
    rows = _rows()
    rows[:count, 0] += 250.0
    rows[:, 2] = (rows[:, 0] / rows[:, 1]).round(2)
    told = _told(rows)
    assert set(told) == {"inequality_broken"}
    assert (
        f"/counterfactuals/inequalities/0: {count} of 1000 uploaded rows" in told["inequality_broken"].detail
    )


def test_what_no_row_keeps_is_refused_at_its_place_without_a_value_of_anybody() -> None:
    rows = _rows()
    rows[:, 2] *= 100.0
    rows[:10, 1:3] = np.nan  # nothing to compare
    rows[:, 3] = 7.25
    with pytest.raises(ReferenceContradiction) as refused:
        observed(CONSTRAINTS, rows, FACTORS)
    details = {error.pointer: error.detail for error in refused.value.errors}
    assert set(details) == {"/counterfactuals/one_hot/0", "/counterfactuals/links/0"}
    link = details["/counterfactuals/links/0"]
    assert "ltv = loan / value: all 990 uploaded rows in which it can be compared contradict it" in link
    assert "about 100 times the formula's value" in link
    assert "1000 with another value than 0 and 1" in details["/counterfactuals/one_hot/0"]
    assert "7.25" not in details["/counterfactuals/one_hot/0"]


@pytest.mark.parametrize("value", [np.nan, 0.0])
def test_one_row_does_not_refuse_what_all_others_cannot_be_compared_with(value: float) -> None:
    rows = _rows()
    rows[1:, 1] = value
    rows[1:, 2] = np.nan if np.isnan(value) else 0.5
    rows[0, 2] = 7.0
    found = observed(CONSTRAINTS, rows, FACTORS)
    detail = {warning.code: warning for warning in found.warnings}["link_contradicted"].detail
    assert "/counterfactuals/links/0: 1 of 1000 uploaded rows (0.1 %)" in detail
    assert "It can be compared in 1 row, and none keeps it." in detail
    (check,) = [one for one in found.checks if one["pointer"] == "/counterfactuals/links/0"]
    assert (check["rows"], check["compared"], check["contradicted"]) == (1000, 1, 1)


def test_rows_whose_formula_has_no_value_are_not_counted_as_compared() -> None:
    rows = _rows()
    rows[:, 2] += 3.0
    rows[0, 1] = 0.0
    with pytest.raises(ReferenceContradiction, match="all 999 uploaded rows in which it can be compared"):
        observed(CONSTRAINTS, rows, FACTORS)


def test_where_every_row_contradicts_it_not_only_those_compared_are_counted() -> None:
    rows = _rows()
    rows[1:, 1] = np.nan
    rows[0, 2] = 7.0
    with pytest.raises(ReferenceContradiction, match="every uploaded row contradicts it"):
        observed(CONSTRAINTS, rows, FACTORS)


def test_where_a_part_is_missing_alone_everywhere_it_is_refused_too() -> None:
    rows = _rows()
    rows[:, 1] = np.nan
    with pytest.raises(ReferenceContradiction, match="every uploaded row contradicts it"):
        observed(CONSTRAINTS, rows, FACTORS)


def test_the_most_contradicted_are_told_first_and_no_more_than_ten() -> None:
    names = [f"x{at}" for at in range(15)]
    space = FeatureSpace(tuple(Feature(name, "number") for name in (*names, "whole")))
    links = tuple(Link(name, Expression.parse("whole * 2")) for name in names)
    rows = np.ones((100, 16))
    rows[:, :15] = 2.0
    for at in range(15):
        rows[: at + 1, at] = 3.0
    found = observed(Constraints(space, {}, 1, links=links), rows, [Factor("all", (*names, "whole"))])
    assert [one.features[0] for one in found.warnings] == [f"x{at}" for at in range(14, 4, -1)]
    assert len(found.checks) == 15
