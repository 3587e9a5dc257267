"""Formulas that derive nothing are found, and no other formula is taken for one."""

from __future__ import annotations

import pytest

from explain.counterfactual.constraints.checker import Constraints
from explain.counterfactual.constraints.expressions import Expression
from explain.counterfactual.constraints.formulas import empty_formulas
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
        "value * 1e308 * 1e308 / value",
        "1 / ((rooms - 1) * 0)",
        "loan / (rents * (1 - rents))",
        "loan / (rents * (1 - rents) * rooms)",
    ],
)
def test_a_formula_without_any_value_is_found(formula: str) -> None:
    ((pointer, detail),) = _faults(formula)
    assert pointer == "/links/0/equals"
    assert detail == "derived: the formula has no value anywhere in the declared ranges"


@pytest.mark.parametrize("formula", ["5 + 0 * loan", "value / value", "gain - gain", "rents - rents + 2"])
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


def test_each_has_its_own_place() -> None:
    links = [
        Link("derived", Expression.parse("loan / value")),
        Link("gain", Expression.parse("loan / 0")),
        Link("debt", Expression.parse("derived / derived")),
    ]
    constraints = Constraints(FeatureSpace(FEATURES), {}, 1, links=tuple(links))
    assert [fault.pointer for fault in empty_formulas(constraints)] == ["/links/1/equals", "/links/2/equals"]
