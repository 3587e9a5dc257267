"""A catalogue is refused where it contradicts itself, each finding at its own place."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from schemas.catalogue import CatalogueDocument
from schemas.catalogue_checks import slots_of
from schemas.catalogue_schema import catalogue_schema
from schemas.problem import pointed_errors

DOCS = Path(__file__).resolve().parents[3] / "docs"
DOCUMENT: dict[str, Any] = {
    "catalogue": "ofrecord/catalogue-v1",
    "name": "loan-reasons",
    "version": "1",
    "languages": {"en": {}, "de": {"decimal_mark": ",", "group_mark": "."}},
    "default_language": "en",
    "features": [
        {
            "name": "income",
            "labels": {"en": "income", "de": "Einkommen"},
            "units": {"en": "USD", "de": "USD"},
            "categories": {"none": {"en": "none", "de": "keines"}},
        },
        {"name": "cash", "labels": {"en": "cash", "de": "Bargeld"}},
    ],
    "factors": [
        {
            "name": "income",
            "labels": {"en": "Income", "de": "Einkommen"},
            "wordings": [
                {
                    "code": "L01",
                    "texts": {"en": "Income of {income}", "de": "Einkommen von {income.reference}"},
                    "when": [{"feature": "income", "test": "at_least", "limit": 0}],
                },
                {"code": "L02", "seed": "c1-income-insufficient", "texts": {"de": "Einkommen zu niedrig"}},
            ],
        },
        {
            "name": "cash",
            "labels": {"en": "Cash", "de": "Bargeld"},
            "wordings": [{"code": "L03", "texts": {"en": "Too little cash", "de": "Zu wenig Bargeld"}}],
        },
    ],
    "components": [
        {"code": "K01", "kind": "knockout", "texts": {"en": "Bankruptcy", "de": "Insolvenz"}},
        {"code": "K02", "kind": "judgmental", "texts": {"en": "Short employment", "de": "Zu kurz"}},
    ],
}


def found(change: Callable[[Any], object]) -> list[tuple[str, str]]:
    document = copy.deepcopy(DOCUMENT)
    change(document)
    with pytest.raises(ValidationError) as refused:
        CatalogueDocument.model_validate(document)
    return [(error.pointer, error.detail) for error in pointed_errors(refused.value)]


def test_the_document_is_read() -> None:
    read = CatalogueDocument.model_validate(DOCUMENT)
    assert read.factors[0].wordings[1].seed == "c1-income-insufficient"


@pytest.mark.parametrize(
    ("change", "pointer", "detail"),
    [
        (lambda d: d.update(default_language="fr"), "/default_language", "not one of the languages"),
        (lambda d: d["languages"].update(de={"group_mark": " "}), "/languages/de/decimal_mark", "required"),
        (lambda d: d["languages"].update(en={"group_mark": "."}), "/languages/en/group_mark", "differ"),
        (lambda d: d["factors"][1]["labels"].pop("de"), "/factors/1/labels/de", "every language"),
        (lambda d: d["factors"][1]["labels"].update(fr="x"), "/factors/1/labels/fr", "not one of"),
        (lambda d: d["factors"][0]["wordings"][0]["texts"].pop("en"),
         "/factors/0/wordings/0/texts/en", "every language"),
        (lambda d: d["factors"][0]["wordings"][1]["texts"].pop("de"),
         "/factors/0/wordings/1/texts/de", "every language"),
        (lambda d: d["factors"][0]["wordings"][0]["texts"].update(en="{wealth}"),
         "/factors/0/wordings/0/texts/en", "no known feature"),
        (lambda d: d["factors"][0]["wordings"][0]["texts"].update(en="{income"),
         "/factors/0/wordings/0/texts/en", "brace"),
        (lambda d: d["factors"][0]["wordings"].reverse(), "/factors/0/wordings/1", "never reached"),
        (lambda d: d["factors"][0]["wordings"][0]["when"][0].pop("limit"),
         "/factors/0/wordings/0/when/0/limit", "required for at_least"),
        (lambda d: d["factors"][0]["wordings"][0]["when"][0].update(test="missing"),
         "/factors/0/wordings/0/when/0/limit", "not for missing"),
        (lambda d: d["factors"][0]["wordings"][0].update(when=[{"feature": "income", "test": "one_of"}]),
         "/factors/0/wordings/0/when/0/values", "required for one_of"),
        (lambda d: d["factors"][0]["wordings"][0]["when"][0].update(values=[1]),
         "/factors/0/wordings/0/when/0/values", "is for one_of"),
        (lambda d: d["factors"][0]["wordings"][0].update(
            when=[{"feature": "income", "test": "one_of", "values": [None]}]),
         "/factors/0/wordings/0/when/0/values/0", "missing"),
        (lambda d: d["factors"][1].update(name="income"), "/factors/1/name", "twice"),
        (lambda d: d["features"][1].update(name="income"), "/features/1/name", "twice"),
        (lambda d: d["components"][1].update(code="K01"), "/components/1/code", "twice"),
        (lambda d: d["components"][0]["texts"].update(en="{income}"), "/components/0/texts/en", "no slots"),
        (lambda d: d["features"][0]["units"].pop("de"), "/features/0/units/de", "every language"),
        (lambda d: d["features"][0]["categories"]["none"].pop("de"),
         "/features/0/categories/none/de", "every language"),
        (lambda d: d["factors"][1].update(wordings=[]), "/factors/1/wordings", "at least 1"),
        (lambda d: d["components"][0].update(kind="model"), "/components/0/kind", "knockout"),
        (lambda d: d.update(version=1), "/version", "must be a text"),
    ],
)  # fmt: skip
def test_a_contradiction_is_found_at_its_place(
    change: Callable[[Any], object], pointer: str, detail: str
) -> None:
    [(where, what)] = found(change)
    assert where == pointer
    assert detail in what


def test_a_seed_needs_english() -> None:
    document = {
        **DOCUMENT,
        "languages": {"de": DOCUMENT["languages"]["de"]},
        "default_language": "de",
        "features": [],
        "components": [],
        "factors": [
            {
                "name": "income",
                "labels": {"de": "Einkommen"},
                "wordings": [
                    {"code": "L1", "seed": "c1-income-insufficient", "texts": {"de": "Einkommen zu niedrig"}}
                ],
            }
        ],
    }
    with pytest.raises(ValidationError) as refused:
        CatalogueDocument.model_validate(document)
    assert [error.pointer for error in pointed_errors(refused.value)] == ["/factors/0/wordings/0/seed"]


def test_a_features_own_name_goes_before_its_reference() -> None:
    text = "{cash} of {cash.reference}"
    assert slots_of(text, ["cash"]) == (("cash", False), ("cash", True))
    assert slots_of(text, ["cash", "cash.reference"]) == (("cash", False), ("cash.reference", False))


def test_the_published_json_schema_is_current_and_agrees() -> None:
    assert (DOCS / "catalogue.schema.json").read_text("utf-8") == catalogue_schema(), (
        "run: python -m schemas.catalogue_schema > docs/catalogue.schema.json"
    )
    Draft202012Validator.check_schema(json.loads(catalogue_schema()))
    validator = Draft202012Validator(json.loads(catalogue_schema()))
    assert list(validator.iter_errors(DOCUMENT)) == []
    assert list(validator.iter_errors({**DOCUMENT, "colour": "blue"})) != []
