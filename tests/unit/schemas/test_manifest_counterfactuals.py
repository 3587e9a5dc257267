"""What a manifest may allow a counterfactual: each contradiction with the features at its own pointer."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from schemas.manifest import Manifest
from schemas.problem import pointed_errors

DOCS = Path(__file__).resolve().parents[3] / "docs"
EXAMPLE: dict[str, Any] = yaml.safe_load((DOCS / "manifest.example.yaml").read_text("utf-8"))
FLAGS = ("rents", "owns")
EXAMPLE["features"] += [{"name": name, "type": "boolean"} for name in FLAGS]
EXAMPLE["factors"] += [{**EXAMPLE["factors"][0], "name": "home", "features": list(FLAGS)}]
EXAMPLE["counterfactuals"]["features"] |= {name: {"mutable": True} for name in FLAGS}


def document(**counterfactuals: object) -> dict[str, Any]:
    given = copy.deepcopy(EXAMPLE)
    features = counterfactuals.pop("features", {})
    given["counterfactuals"] |= counterfactuals
    given["counterfactuals"]["features"] |= features
    return given


def errors_of(given: object) -> dict[str, str]:
    with pytest.raises(ValidationError) as caught:
        Manifest.model_validate(given)
    return {
        error.pointer.removeprefix("/counterfactuals"): error.detail for error in pointed_errors(caught.value)
    }


def test_everything_at_once_is_allowed() -> None:
    manifest = Manifest.model_validate(
        document(
            features={
                "property_type": {"mutable": True, "missing": "fill", "transitions": {"single": ["condo"]}}
            },
            one_hot=[["rents", "owns"]],
            inequalities=[{"terms": {"income": 1, "age": -2}, "at_least": 5}],
            links=[{"feature": "debt_ratio", "equals": "900 / income", "decimals": 1}],
            methods=["direct", "dice_kdtree"],
        )
    )
    assert manifest.counterfactuals.one_hot == (("rents", "owns"),)
    assert manifest.counterfactuals.features["property_type"].transitions == {"single": ("condo",)}


TERMS = {"terms": {"income": 1}}
FAULTS: list[tuple[dict[str, object], str, str]] = [
    (
        {"features": {"income": {"mutable": True, "missing": "fill"}}},
        "/features/income/missing",
        "not nullable",
    ),
    (
        {"features": {"property_type": {"mutable": False, "missing": "fill"}}},
        "/features/property_type/missing",
        "not mutable",
    ),
    (
        {"features": {"property_type": {"mutable": True, "missing": "zero"}}},
        "/features/property_type/missing",
        "keep",
    ),
    (
        {"features": {"income": {"mutable": True, "transitions": {"a": ["b"]}}}},
        "/features/income/transitions",
        "is for categories",
    ),
    (
        {"features": {"property_type": {"mutable": True, "transitions": {"villa": ["condo"]}}}},
        "/features/property_type/transitions/villa",
        "not one of the categories",
    ),
    (
        {"features": {"property_type": {"mutable": True, "transitions": {"single": ["condo", "villa"]}}}},
        "/features/property_type/transitions/single/1",
        "not one of the categories",
    ),
    (
        {"features": {"property_type": {"mutable": True, "transitions": {"single": ["condo", "condo"]}}}},
        "/features/property_type/transitions/single/1",
        "twice",
    ),
    ({"one_hot": [["rents"]]}, "/one_hot/0", "at least 2"),
    ({"one_hot": [["rents", "owes"]]}, "/one_hot/0/1", "is not a feature"),
    ({"one_hot": [["rents", "property_type"]]}, "/one_hot/0/1", "is a category"),
    ({"one_hot": [["rents", "rents"]]}, "/one_hot/0/1", "named twice"),
    ({"one_hot": [["rents", "owns"], ["income", "owns"]]}, "/one_hot/1/1", "in two groups"),
    ({"one_hot": [["rents", "debt_ratio"]]}, "/one_hot/0/1", "must be mutable"),
    ({"inequalities": [TERMS]}, "/inequalities/0/at_most", "either at_most or at_least"),
    ({"inequalities": [{**TERMS, "at_most": 1, "at_least": 0}]}, "/inequalities/0/at_most", "either"),
    ({"inequalities": [{"terms": {}, "at_most": 1}]}, "/inequalities/0/terms", "at least 1"),
    (
        {"inequalities": [{"terms": {"incme": 1}, "at_most": 1}]},
        "/inequalities/0/terms/incme",
        "not a feature",
    ),
    (
        {"inequalities": [{"terms": {"rents": 1}, "at_most": 1}]},
        "/inequalities/0/terms/rents",
        "is for numbers",
    ),
    (
        {"inequalities": [{"terms": {"income": True}, "at_most": 1}]},
        "/inequalities/0/terms/income",
        "must be a number",
    ),
    ({"links": [{"feature": "ltv", "equals": "income"}]}, "/links/0/feature", "is not a feature"),
    ({"links": [{"feature": "age", "equals": "income"}]}, "/links/0/feature", "no sensitive"),
    ({"links": [{"feature": "debt_ratio", "equals": ""}]}, "/links/0/equals", "at least 1"),
    (
        {"links": [{"feature": "debt_ratio", "equals": "income", "decimals": -1}]},
        "/links/0/decimals",
        "must be at least 0",
    ),
    ({"methods": []}, "/methods", "at least 1"),
    ({"methods": ["direct", "direct"]}, "/methods/1", "twice"),
    ({"methods": ["guess"]}, "/methods/0", "direct"),
]


@pytest.mark.parametrize(("given", "pointer", "detail"), FAULTS, ids=[f"{p} {d}" for _, p, d in FAULTS])
def test_a_fault_is_named_at_its_place(given: dict[str, object], pointer: str, detail: str) -> None:
    found = errors_of(document(**copy.deepcopy(given)))
    assert pointer in found, found
    assert detail in found[pointer]


def test_a_mutable_proxy_is_refused() -> None:
    given = document(features={"debt_ratio": {"mutable": True}})
    given["features"][1]["proxy_for"] = ["race"]
    assert "proxy" in errors_of(given)["/features/debt_ratio/mutable"]
    given = document(links=[{"feature": "debt_ratio", "equals": "900 / income"}])
    given["features"][1]["proxy_for"] = ["race"]
    assert "proxy" in errors_of(given)["/links/0/feature"]
