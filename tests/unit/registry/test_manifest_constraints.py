"""Constraints that contradict each other: refused with the manifest, by name, at their own pointer."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from registry.errors import ManifestInvalid
from registry.manifests import parse_manifest, read_stored_manifest

DOCS = Path(__file__).resolve().parents[3] / "docs"
EXAMPLE: dict[str, Any] = yaml.safe_load((DOCS / "manifest.example.yaml").read_text("utf-8"))
MORE = [
    {"name": "loan", "type": "number", "range": [0, 500]},
    {"name": "value", "type": "number", "range": [1, 900]},
    {"name": "loan share", "type": "number", "range": [0, 500]},
    {"name": "months", "type": "integer", "range": [0, 360]},
    {"name": "rents", "type": "boolean"},
    {"name": "owns", "type": "integer", "range": [0, 1]},
    {"name": "half", "type": "integer", "range": [1, 4]},
    {"name": "gift", "type": "number", "range": [0, 90], "nullable": True},
]
EXAMPLE["features"] += MORE
EXAMPLE["factors"] += [
    {**EXAMPLE["factors"][0], "name": "more", "features": [feature["name"] for feature in MORE]}
]
STEPPED = {"mutable": True, "step": 0.5, "range": [0, 400]}
EXAMPLE["counterfactuals"]["features"] |= {
    "loan": STEPPED,
    "value": {"mutable": False},
    "rents": {"mutable": True},
    "owns": {"mutable": True},
    "half": {"mutable": True},
}


def manifest(**counterfactuals: object) -> bytes:
    given = copy.deepcopy(EXAMPLE)
    features = counterfactuals.pop("features", {})
    given["counterfactuals"] |= counterfactuals
    given["counterfactuals"]["features"] |= features
    return json.dumps(given).encode()


def errors_of(**counterfactuals: object) -> dict[str, str]:
    with pytest.raises(ManifestInvalid) as caught:
        parse_manifest(manifest(**counterfactuals))
    return {error.pointer.removeprefix("/counterfactuals"): error.detail for error in caught.value.errors}


def link(feature: str, equals: str, decimals: int | None = None) -> dict[str, object]:
    return {"links": [{"feature": feature, "equals": equals, "decimals": decimals}]}


def at_most(bound: float, **terms: float) -> dict[str, object]:
    return {"inequalities": [{"terms": terms, "at_most": bound}]}


def test_constraints_that_agree_are_read_and_read_back() -> None:
    given = manifest(
        one_hot=[["rents", "owns"]],
        links=[
            {"feature": "loan share", "equals": "loan / value", "decimals": 2},
            {"feature": "debt_ratio", "equals": "(`loan share` + 1) * income"},
        ],
        inequalities=[{"terms": {"loan": 1, "value": -0.9}, "at_most": 0}],
    )
    parsed = parse_manifest(given)
    assert read_stored_manifest(parsed.canonical).manifest == parsed.manifest


FAULTS: list[tuple[dict[str, object], str, str]] = [
    (
        {"features": {"income": {"mutable": True, "range": [2000, 3000]}}},
        "/features/income/range",
        "empty",
    ),
    (
        {"features": {"months": {"mutable": True, "range": [61, 71], "step": 12}}},
        "/features/months/range",
        "no multiple of 12",
    ),
    (
        {"features": {"loan": {"mutable": True, "step": 1e-20}}},
        "/features/loan/step",
        "too fine or too coarse",
    ),
    ({"one_hot": [["rents", "half"]]}, "/one_hot/0/1", "leaves out 0 or 1"),
    (
        {"one_hot": [["rents", "owns"]], "features": {"owns": {"mutable": True, "step": 2}}},
        "/one_hot/0/1",
        "step leaves out 1",
    ),
    (link("loan share", "loan +"), "/links/0/equals", "no feature or number"),
    (link("loan share", "loan ** 2"), "/links/0/equals", "no feature or number"),
    (link("loan share", "loan.real"), "/links/0/equals", "cannot be read"),
    (link("loan share", "abs(loan)"), "/links/0/equals", "goes on after its end"),
    (link("loan share", "(loan"), "/links/0/equals", "closing parenthesis"),
    (link("loan share", "3 / 2"), "/links/0/equals", "names no feature"),
    (link("loan share", "loan / vale"), "/links/0/equals", "vale is no feature"),
    (link("loan share", "loan / property_type"), "/links/0/equals", "is a category"),
    (link("loan share", "gift / value"), "/links/0/feature", "must be nullable"),
    (link("loan share", "600 + loan / value"), "/links/0/equals", "declared ranges"),
    (link("loan share", "`loan share` + 1"), "/links", "circle"),
    (link("loan share", "loan / 0"), "/links/0/equals", "has no value anywhere"),
    (link("loan share", "loan / (value - value)"), "/links/0/equals", "has no value anywhere"),
    (link("loan share", "loan / (rents * (1 - rents))"), "/links/0/equals", "has no value anywhere"),
    (link("loan share", "7 + 0 * loan"), "/links/0/equals", "always comes to the same value"),
    (link("loan share", "value / value"), "/links/0/equals", "always comes to the same value"),
    (link("loan", "value / 2"), "/links/0/feature", "not mutable by itself"),
    (
        {**link("rents", "value"), "features": {"rents": {"mutable": False}}},
        "/links/0/feature",
        "is a boolean",
    ),
    (link("months", "value / 3"), "/links/0/decimals", "needs 0 decimals"),
    (
        {
            "links": [
                {"feature": "loan share", "equals": "months"},
                {"feature": "months", "equals": "`loan share` * 2", "decimals": 0},
            ]
        },
        "/links",
        "links in a circle: loan share, months",
    ),
    (
        {"links": [{"feature": "loan share", "equals": one} for one in ("value", "months")]},
        "/links/1/feature",
        "derived twice",
    ),
    (
        {**link("loan share", "debt_ratio"), "features": {"debt_ratio": {"mutable": True, "range": [0, 9]}}},
        "/links/0/equals",
        "debt_ratio needs a step",
    ),
    (
        {**link("loan share", "debt_ratio"), "features": {"debt_ratio": {"mutable": True, "step": 1}}},
        "/links/0/equals",
        "debt_ratio needs a range",
    ),
    (
        {**at_most(5, debt_ratio=1), "features": {"debt_ratio": {"mutable": True, "step": 1}}},
        "/inequalities/0/terms/debt_ratio",
        "needs a range",
    ),
    (at_most(5, loan=0), "/inequalities/0/terms", "weight is not 0"),
    (at_most(-1, loan=1, value=1), "/inequalities/0", "no values of the declared ranges"),
]


@pytest.mark.parametrize(("given", "pointer", "detail"), FAULTS, ids=[f"{p} {d}" for _, p, d in FAULTS])
def test_a_contradiction_is_named_at_its_place(given: dict[str, object], pointer: str, detail: str) -> None:
    found = errors_of(**copy.deepcopy(given))
    assert pointer in found, found
    assert detail in found[pointer]


def test_every_contradiction_is_told_at_once() -> None:
    assert set(
        errors_of(
            features={"income": {"mutable": True, "range": [2000, 3000]}},
            **link("loan share", "loan / vale"),
            **at_most(-1, value=1),
        )
    ) == {"/features/income/range", "/links/0/equals", "/inequalities/0"}


def test_sums_bounded_from_both_sides_leave_something_between() -> None:
    def bounded(least: float, most: float) -> list[dict[str, object]]:
        return [
            {"terms": {"loan": 1, "value": 1}, "at_most": most},
            {"terms": {"value": 2, "loan": 2}, "at_least": 2 * least},
        ]

    assert "contradicts inequality 0" in errors_of(inequalities=bounded(150, 60))["/inequalities/1"]
    parse_manifest(manifest(inequalities=bounded(60, 60)))
    parse_manifest(manifest(inequalities=bounded(60, 150)))
