"""What ties features together: groups, sums and links, each violation and contradiction by name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from explain.counterfactual.constraints.checker import Constraints, FeatureConstraint
from explain.counterfactual.constraints.expressions import Expression
from explain.counterfactual.constraints.inequalities import Inequality
from explain.counterfactual.constraints.links import Link
from explain.errors import ConstraintError, InvalidFeatures
from explain.features import Feature, FeatureSpace

FloatArray = NDArray[np.float64]

SPACE = FeatureSpace(
    (
        Feature("loan", "number", minimum=0.0, maximum=500.0),
        Feature("value", "number", minimum=1.0, maximum=900.0, nullable=True),
        Feature("ltv", "number", minimum=0.0, maximum=1.5, nullable=True),
        Feature("rate", "number", nullable=True),
        Feature("rents", "boolean"),
        Feature("owns", "integer"),
        Feature("kind", "category", categories=("a", "b", "c"), nullable=True),
        Feature("age", "integer", sensitive=True),
    )
)
FREE = {
    "loan": FeatureConstraint(mutable=True, step=0.5),
    "value": FeatureConstraint(mutable=True, step=1.0, fill=True),
    "rents": FeatureConstraint(mutable=True),
    "owns": FeatureConstraint(mutable=True),
    "kind": FeatureConstraint(mutable=True, fill=True, transitions={"a": frozenset({"b"})}),
}
LTV = Link("ltv", Expression.parse("loan / value"), 2)
RATE = Link("rate", Expression.parse("1 + ltv * 2"))
SUM = Inequality((("loan", 1.0), ("value", -0.9)), 0.0)
CONSTRAINTS = Constraints(SPACE, FREE, 2, groups=(("rents", "owns"),), inequalities=(SUM,), links=(RATE, LTV))
ROW = np.array([80.0, 100.0, 0.8, 2.6, 1.0, 0.0, 0.0, 44.0])


def changed(row: FloatArray = ROW, **values: float) -> FloatArray:
    after = row.copy()
    for name, value in values.items():
        after[SPACE.index(name)] = value
    return after


@pytest.mark.parametrize(
    "values",
    [
        {"loan": 60.0, "ltv": 0.6, "rate": 2.2},
        {"rents": 0.0, "owns": 1.0},
        {"rents": 0.0, "owns": 1.0, "kind": 1.0},
        {"loan": 90.0, "ltv": 0.9, "rate": 1 + 0.9 * 2},
    ],
)
def test_permitted_changes(values: dict[str, float]) -> None:
    assert CONSTRAINTS.check(ROW, changed(**values)) == ()


@pytest.mark.parametrize(
    ("values", "violation"),
    [
        ({"rents": 0.0}, "exactly one of rents, owns must be 1"),
        ({"owns": 1.0}, "exactly one of rents, owns must be 1"),
        ({"rents": 0.0, "owns": 2.0}, "exactly one of rents, owns must be 1"),
        ({"loan": 60.0}, "ltv must be loan / value"),
        ({"loan": 60.0, "ltv": 0.6}, "rate must be 1 + ltv * 2"),
        ({"ltv": 0.5, "rate": 2.0}, "ltv must be loan / value"),
        ({"loan": 91.0, "ltv": 0.91, "rate": 2.82}, "1 loan + -0.9 value <= 0 must hold"),
        ({"kind": 2.0}, "kind must be a category that it may become"),
        ({"value": np.nan}, "value must not become missing or infinite"),
    ],
)
def test_each_violation_is_named(values: dict[str, float], violation: str) -> None:
    assert violation in CONSTRAINTS.check(ROW, changed(**values))


def test_the_move_of_a_group_is_one_change_and_a_derived_one_none() -> None:
    after = changed(rents=0.0, owns=1.0, loan=60.0, ltv=0.6, rate=2.2)
    assert CONSTRAINTS.changes(ROW, after) == 2
    assert CONSTRAINTS.check(ROW, after) == ()
    after = changed(after, kind=1.0)
    assert CONSTRAINTS.check(ROW, after) == ("3 features change, at most 2 may",)


def test_derived_features_are_completed_in_order() -> None:
    rows = np.stack([changed(loan=60.0), changed(ltv=0.1, rate=9.0), changed(kind=1.0)])
    completed = CONSTRAINTS.complete(ROW, rows)
    assert completed[0].tolist() == changed(loan=60.0, ltv=0.6, rate=1 + 0.6 * 2).tolist()
    assert completed[1].tolist() == ROW.tolist()
    assert completed[2].tolist() == changed(kind=1.0).tolist()
    assert rows[1, SPACE.index("ltv")] == 0.1


def test_a_missing_part_makes_the_derived_one_missing_until_it_is_filled() -> None:
    row = changed(value=np.nan, ltv=np.nan, rate=np.nan)
    lower = changed(row, loan=10.0)
    assert np.array_equal(CONSTRAINTS.complete(row, lower[None, :])[0], lower, equal_nan=True)
    filled = CONSTRAINTS.complete(row, changed(row, value=160.0)[None, :])[0]
    assert filled[SPACE.index("ltv")] == 0.5
    assert CONSTRAINTS.check(row, filled) == ()


def test_where_the_formula_has_no_value_nothing_is_permitted() -> None:
    free = {**FREE, "value": FeatureConstraint(mutable=True, step=1.0)}
    space = replace(
        SPACE, features=(SPACE.features[0], replace(SPACE.features[1], minimum=0.0), *SPACE.features[2:])
    )
    constraints = Constraints(space, free, 2, links=(LTV,))
    row = changed(ltv=0.8)
    after = constraints.complete(row, changed(row, value=0.0)[None, :])[0]
    assert np.isnan(after[SPACE.index("ltv")])
    assert "ltv cannot be computed" in constraints.check(row, after)


def test_what_is_simple() -> None:
    assert not CONSTRAINTS.simple(ROW)
    only_kind = {"kind": FREE["kind"]}
    assert Constraints(SPACE, only_kind, 1, inequalities=(SUM,), links=(LTV,)).simple(ROW)
    too_much = changed(loan=95.0, ltv=0.95)
    assert not Constraints(SPACE, only_kind, 1, inequalities=(SUM,), links=(LTV,)).simple(too_much)


@pytest.mark.parametrize(
    ("values", "pointers"),
    [
        ({}, []),
        ({"ltv": 0.796}, []),
        ({"ltv": 0.805, "rate": 2.61}, []),
        ({"ltv": 0.79, "rate": 2.58}, ["/ltv"]),
        ({"rate": 2.7}, ["/rate"]),
        ({"ltv": np.nan, "rate": np.nan}, ["/ltv"]),
        ({"value": np.nan}, ["/ltv"]),
        ({"owns": 1.0}, ["/owns"]),
        ({"rents": 0.0}, ["/rents"]),
        ({"rents": 0.0, "owns": 3.0, "rate": 0.0}, ["/owns", "/rate"]),
    ],
)
def test_a_factual_keeps_its_groups_and_links(values: dict[str, float], pointers: list[str]) -> None:
    row = changed(**values)
    if "ltv" in values and "rate" not in values:
        row = changed(row, rate=1 + values["ltv"] * 2)
    if not pointers:
        CONSTRAINTS.check_factual(row)
        return
    with pytest.raises(InvalidFeatures) as refused:
        CONSTRAINTS.check_factual(row)
    assert [fault.pointer for fault in refused.value.errors] == pointers


@pytest.mark.parametrize(
    ("given", "pointer", "match"),
    [
        ({"groups": (("rents",),)}, "/one_hot/0", "two members"),
        ({"groups": (("rents", "nobody"),)}, "/one_hot/0/1", "nobody is no feature"),
        ({"groups": (("rents", "age"),)}, "/one_hot/0/1", "must be mutable"),
        ({"groups": (("rents", "kind"),)}, "/one_hot/0/1", "a category"),
        ({"groups": (("rents", "owns"), ("owns", "loan"))}, "/one_hot/1/0", "two groups"),
        ({"inequalities": (Inequality((("kind", 1.0),), 1.0),)}, "/inequalities/0/terms/kind", "no number"),
        ({"inequalities": (Inequality((("loan", np.inf),), 1.0),)}, "/inequalities/0/terms/loan", "finite"),
        ({"inequalities": (Inequality((), 1.0),)}, "/inequalities/0/terms", "weight is not 0"),
        ({"inequalities": (Inequality((("loan", 1.0),), -1.0),)}, "/inequalities/0", "no values"),
        ({"links": (Link("age", Expression.parse("loan"), 0),)}, "/links/0/feature", "never changes"),
        ({"links": (Link("nobody", Expression.parse("loan")),)}, "/links/0/feature", "no feature"),
        (
            {"links": (Link("ltv", Expression.parse("rate")), Link("rate", Expression.parse("ltv")))},
            "/links",
            "circle",
        ),
        ({"protected": frozenset({"loan"})}, "/features/loan/mutable", "proxy"),
    ],
)
def test_a_contradiction_has_its_place(given: dict[str, Any], pointer: str, match: str) -> None:
    with pytest.raises(ConstraintError, match=match) as refused:
        Constraints(SPACE, FREE, 2, **given)
    assert pointer in [fault.pointer for fault in refused.value.errors]


@pytest.mark.parametrize(
    ("name", "constraint", "pointer"),
    [
        ("loan", FeatureConstraint(mutable=True, step=0.5, fill=True), "/features/loan/missing"),
        ("kind", FeatureConstraint(fill=True), "/features/kind/missing"),
        ("loan", FeatureConstraint(mutable=True, transitions={}), "/features/loan/transitions"),
        ("kind", FeatureConstraint(transitions={"z": frozenset()}), "/features/kind/transitions/z"),
        ("kind", FeatureConstraint(transitions={"a": frozenset({"z"})}), "/features/kind/transitions/a"),
        ("owns", FeatureConstraint(mutable=True, step=0.5), "/features/owns/step"),
    ],
)
def test_a_feature_that_contradicts_itself(name: str, constraint: FeatureConstraint, pointer: str) -> None:
    with pytest.raises(ConstraintError) as refused:
        Constraints(SPACE, {name: constraint}, 2)
    assert [fault.pointer for fault in refused.value.errors] == [pointer]
