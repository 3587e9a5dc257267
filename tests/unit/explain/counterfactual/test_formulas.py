"""Formulas that derive nothing are found, and no other formula is taken for one."""

from __future__ import annotations

import numpy as np
import pytest

from explain.counterfactual.constraints.checker import Constraints
from explain.counterfactual.constraints.expressions import Expression
from explain.counterfactual.constraints.formulas import _points, empty_formulas
from explain.counterfactual.constraints.links import Link
from explain.features import Feature, FeatureSpace

FEATURES = (
    Feature("loan", "number", minimum=0.0, maximum=500.0),
    Feature("value", "number", minimum=0.0),
    Feature("gain", "number"),
    Feature("nothing", "number", minimum=0.0, maximum=0.0),
    Feature("debt", "number", maximum=0.0),
    Feature("rents", "boolean"),
    Feature("rooms", "integer", minimum=1.0, maximum=9.0),
    Feature("months", "integer", minimum=0.0, maximum=100_000.0),
    *(Feature(f"flag_{at}", "boolean") for at in range(12)),
    Feature("used", "number", minimum=0.0, maximum=100.0),
    Feature("limit", "integer", minimum=0.0, maximum=2.0**53),
    Feature("limit_64", "number", minimum=0.0, maximum=2.0**53),
    Feature("limit_32", "number", minimum=0.0, maximum=3.4e38),
    Feature("late", "number", minimum=0.0, maximum=50.0),
    Feature("total", "number", minimum=0.0, maximum=1e15),
    Feature("other_total", "number", minimum=0.0, maximum=1e15),
    Feature("owed", "number", minimum=-1e15, maximum=0.0),
    Feature("balance", "number", minimum=-1e15, maximum=1e15),
    Feature("a", "number", minimum=0.0, maximum=1e200),
    Feature("b", "number", minimum=0.0, maximum=1e200),
    Feature("huge", "number", minimum=1e200, maximum=2e200),
    Feature("all_there_is", "number", minimum=-1.7e308, maximum=1.7e308),
    Feature("derived", "number"),
)
FLAGS = " * ".join(f"flag_{at}" for at in range(12))


def _faults(formula: str) -> list[tuple[str, str]]:
    link = Link("derived", Expression.parse(formula))
    constraints = Constraints(FeatureSpace(FEATURES), {}, 1, links=(link,))
    return [(fault.pointer, fault.detail) for fault in empty_formulas(constraints)]


@pytest.mark.parametrize(
    "formula",
    [
        "loan / 0",
        "loan / (3 - 2 - 1)",
        "loan / nothing",
        "loan / (value - value)",
        "1 / (rents * (1 - rents))",
        "loan + 1 / (0 * gain)",
        "1 / ((rooms - 1) * 0)",
        "loan / (rents * (1 - rents))",
        "loan / (rents * (1 - rents) * rooms)",
    ],
)
def test_a_formula_without_any_value_is_found(formula: str) -> None:
    ((pointer, detail),) = _faults(formula)
    assert pointer == "/links/0/equals"
    assert detail == "derived: the formula has no value anywhere in the declared ranges"


@pytest.mark.parametrize(
    "formula",
    [
        "5 + 0 * loan",
        "value / value",
        "gain - gain",
        "rents - rents + 2",
        "limit / limit",
        "limit_32 - limit_32 + 3",
        "balance / balance",
        "100 * total / total",
        "total / 3 / total",
        "all_there_is / all_there_is",
    ],
)
def test_a_formula_that_always_comes_to_one_value_is_found(formula: str) -> None:
    ((pointer, detail),) = _faults(formula)
    assert pointer == "/links/0/equals"
    assert "always comes to the same value" in detail


@pytest.mark.parametrize(
    "formula",
    [
        "loan / value",
        "100 * loan / (loan + value)",
        "1 / gain",
        "loan / debt",
        "value / rents",
        "1 / (rooms - 1)",
        "1 / (rooms - 9) / (rooms - 1)",
        "1 / (months - 50000)",
        f"loan / ({FLAGS})",
        "loan / (rents * (rooms - 8))",
        "nothing",
        "rents",
        "nothing * 2 + 1",
        "loan * 1e305",
        "1000000 + rooms / 1000",
    ],
)
def test_a_formula_that_can_be_computed_somewhere_is_let_be(formula: str) -> None:
    assert _faults(formula) == []


@pytest.mark.parametrize(
    "formula",
    [
        "1 - used / limit",
        "1 - used / limit_64",
        "1 - used / limit_32",
        "600 + late / total",
        "600 + late / (total * other_total)",
        "600 + late / owed",
        "600 + late / balance",
        "600 + 1 / (1 + total - total + used * limit_32)",
        "1 + 0.001 / (1 + 1000000000000000 - total)",
    ],
)
def test_a_share_of_a_wide_range_is_not_taken_for_nothing(formula: str) -> None:
    assert _faults(formula) == []


@pytest.mark.parametrize(
    "formula",
    ["a * b", "600 + a * b", "huge * huge", "rents * huge * huge", "value * 1e308 * 1e308 / value"],
)
def test_a_value_too_large_for_float64_is_neither_none_nor_constant(formula: str) -> None:
    assert _faults(formula) == []


def test_an_integer_of_a_wide_range_is_drawn_whole_and_of_every_size() -> None:
    (limit,) = (feature for feature in FEATURES if feature.name == "limit")
    drawn = _points([limit])["limit"]
    assert drawn.min() == 0.0
    assert drawn.max() == 2.0**53
    assert np.array_equal(drawn, np.rint(drawn))
    for power in range(0, 15, 3):
        assert ((drawn >= 10.0**power) & (drawn < 10.0 ** (power + 3))).sum() > 100


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_points_lie_in_the_declared_range(feature: Feature) -> None:
    drawn = _points([feature])[feature.name]
    assert np.isfinite(drawn).all()
    assert feature.minimum is None or drawn.min() == feature.minimum
    assert feature.maximum is None or drawn.max() == feature.maximum


def test_each_has_its_own_place() -> None:
    links = [
        Link("derived", Expression.parse("loan / value")),
        Link("gain", Expression.parse("loan / 0")),
        Link("debt", Expression.parse("derived / derived")),
    ]
    constraints = Constraints(FeatureSpace(FEATURES), {}, 1, links=tuple(links))
    assert [fault.pointer for fault in empty_formulas(constraints)] == ["/links/1/equals", "/links/2/equals"]
