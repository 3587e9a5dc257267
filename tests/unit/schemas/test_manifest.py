"""The manifest's schema: the example of the specification, and each fault at its own pointer."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from schemas.manifest import Manifest
from schemas.manifest_schema import manifest_schema
from schemas.problem import pointed_errors

DOCS = Path(__file__).resolve().parents[3] / "docs"
EXAMPLE: dict[str, Any] = yaml.safe_load((DOCS / "manifest.example.yaml").read_text("utf-8"))


def errors_of(document: object) -> dict[str, str]:
    with pytest.raises(ValidationError) as caught:
        Manifest.model_validate(document)
    return {error.pointer: error.detail for error in pointed_errors(caught.value)}


def test_the_example_says_what_it_says() -> None:
    manifest = Manifest.model_validate(EXAMPLE)
    assert manifest.model == "boston-mortgage"
    assert manifest.outcome.threshold == 0.3
    assert manifest.features[2].categories == ("single", "two_to_four", "condo")
    assert [feature.nullable for feature in manifest.features] == [False, False, True, False]
    assert [feature.sensitive for feature in manifest.features] == [False, False, False, True]
    assert manifest.counterfactuals.features["income"].range == (0, 1000)
    assert manifest.retention is not None
    assert manifest.retention.kind == "consumer_credit"


def test_parsed_json_and_json_bytes_give_the_same() -> None:
    assert Manifest.model_validate_json(json.dumps(EXAMPLE)) == Manifest.model_validate(EXAMPLE)


def test_the_published_json_schema_is_current() -> None:
    assert (DOCS / "manifest.schema.json").read_text("utf-8") == manifest_schema(), (
        "run: python -m schemas.manifest_schema > docs/manifest.schema.json"
    )


def test_the_published_json_schema_agrees_with_the_example() -> None:
    Draft202012Validator.check_schema(json.loads(manifest_schema()))
    validator = Draft202012Validator(json.loads(manifest_schema()))
    assert list(validator.iter_errors(EXAMPLE)) == []
    assert list(validator.iter_errors({**EXAMPLE, "colour": "blue"})) != []


Change = Callable[[dict[str, Any]], object]


def put(*path: str | int, value: object) -> Change:
    def change(document: dict[str, Any]) -> None:
        at: Any = document
        for part in path[:-1]:
            at = at[part]
        at[path[-1]] = value

    return change


def drop(*path: str | int) -> Change:
    def change(document: dict[str, Any]) -> None:
        at: Any = document
        for part in path[:-1]:
            at = at[part]
        del at[path[-1]]

    return change


F, O, C = "features", "outcome", "counterfactuals"  # noqa: E741
FAULTS: list[tuple[Change, str, str]] = [
    (put("manifest", value="ofrecord/v2"), "/manifest", "ofrecord/v1"),
    (drop("manifest"), "/manifest", "is required"),
    (put("version", value=1), "/version", "must be a text"),
    (put("model", value="../etc"), "/model", "pattern"),
    (put("model", value="a" * 65), "/model", "pattern"),
    (put("family", value="pickle"), "/family", "xgboost"),
    (put("profile", value="banking"), "/profile", "lending"),
    (put("purpose", value=""), "/purpose", "at least 1"),
    (put("purpose", value="x" * 2049), "/purpose", "at most 2048"),
    (put("purpose", value="approve\x00"), "/purpose", "no control characters but line ends"),
    (
        put("factors", 0, "reason", "text", value="Income\x1b[2J insufficient"),
        "/factors/0/reason/text",
        "no control characters but line ends",
    ),
    (put("colour", value="blue"), "/colour", "is not a known field"),
    (put(O, "treshold", value=0.5), "/outcome/treshold", "is not a known field"),
    (put(O, "threshold", value="0.3"), "/outcome/threshold", "must be a number"),
    (put(O, "threshold", value=True), "/outcome/threshold", "must be a number"),
    (put(O, "threshold", value=float("nan")), "/outcome/threshold", "must be finite"),
    (put(O, "threshold", value=float("inf")), "/outcome/threshold", "must be finite"),
    (put(O, "threshold", value=10**400), "/outcome/threshold", "within 2^53"),
    (put(O, "threshold", value=0), "/outcome/threshold", "between 0 and 1"),
    (put(O, "threshold", value=1), "/outcome/threshold", "between 0 and 1"),
    (drop(O, "threshold"), "/outcome/threshold", "is required"),
    (put(O, "gray_band", value=[0.4, 0.2]), "/outcome/gray_band", "ordered"),
    (put(O, "gray_band", value=[0.4, 0.5]), "/outcome/gray_band", "contain the threshold"),
    (put(O, "gray_band", value=[-0.1, 0.5]), "/outcome/gray_band", "between 0 and 1"),
    (put(F, 1, "proxy_for", value=["religion"]), "/features/1/proxy_for/0", "not declared in protected"),
    (put(F, 1, "proxy_for", value=["race", "race"]), "/features/1/proxy_for/1", "twice"),
    (put(F, 2, "decimals", value=1), "/features/2/decimals", "numbers and integers"),
    (
        put("factors", 0, "reason", "missing", value={"code": "R06", "text": "No income"}),
        "/factors/0/reason/missing",
        "no feature of the factor is nullable",
    ),
    (put(O, "favourable", value="decline"), "/outcome/favourable", "differ"),
    (put(O, "direction", value="high_is_adverse"), "/outcome/direction", "margin and value only"),
    (put(O, "score", value="margin"), "/outcome/direction", "is required"),
    (put(O, "classes", value=["a", "b"]), "/outcome/adverse_classes", "is required"),
    (put(F, value=[]), "/features", "at least 1"),
    (put(F, value={}), "/features", "must be an array"),
    (put(F, 0, value="income"), "/features/0", "must be an object"),
    (put(F, 0, "name", value=""), "/features/0/name", "at least 1"),
    (put(F, 0, "name", value="a\nb"), "/features/0/name", "must be one line"),
    (put(F, 0, "type", value="float"), "/features/0/type", "number"),
    (put(F, 0, "nullable", value="no"), "/features/0/nullable", "must be true or false"),
    (put(F, 0, "nullable", value=0), "/features/0/nullable", "must be true or false"),
    (put(F, 0, "range", value=[5, 1]), "/features/0/range", "ordered"),
    (put(F, 0, "range", value=[5]), "/features/0/range/1", "is required"),
    (put(F, 0, "range", value=[1, 2, 3]), "/features/0/range", "at most 2"),
    (put(F, 0, "range", value=["1", 2]), "/features/0/range/0", "must be a number"),
    (put(F, 0, "categories", value=["a"]), "/features/0/categories", "is for the type category"),
    (put(F, 1, "name", value="income"), "/features/1/name", "named twice"),
    (put(F, 2, "range", value=[0, 1]), "/features/2/range", "is for numbers and integers"),
    (drop(F, 2, "categories"), "/features/2/categories", "is required"),
    (put(F, 2, "categories", value=["a", "b", "a"]), "/features/2/categories/2", "named twice"),
    (put(F, 2, "categories", value=[1, 2]), "/features/2/categories/0", "must be a text"),
    (drop("factors", 3), "/features/3", "is in no factor"),
    (put("factors", 3, "name", value="income"), "/factors/3/name", "named twice"),
    (put("factors", 3, "features", value=["age", "incom"]), "/factors/3/features/1", "is not a feature"),
    (
        put("factors", 3, "features", value=["age", "income"]),
        "/factors/3/features/1",
        "already in the factor",
    ),
    (put("factors", 3, "features", value=["age", "age"]), "/factors/3/features/1", "already in the factor"),
    (put("factors", 0, "reason", "code", value="R 1"), "/factors/0/reason/code", "pattern"),
    (put("factors", 0, "reason", "text", value="x" * 2049), "/factors/0/reason/text", "at most 2048"),
    (put("reference", "kind", value="training"), "/reference/kind", "near_cutoff_approved"),
    (put("reference", "band", value=0), "/reference/band", "greater than 0"),
    (put("reference", "minimum_rows", value=1.5), "/reference/minimum_rows", "whole number"),
    (put("reference", "minimum_rows", value=0), "/reference/minimum_rows", "must be at least 1"),
    (put(C, F, "incme", value={"mutable": False}), "/counterfactuals/features/incme", "is not a feature"),
    (put(C, F, "age", "mutable", value=True), "/counterfactuals/features/age/mutable", "sensitive"),
    (drop(C, F, "income", "mutable"), "/counterfactuals/features/income/mutable", "is required"),
    (put(C, F, "income", "step", value=0), "/counterfactuals/features/income/step", "greater than 0"),
    (put(C, F, "income", "range", value=[9, 1]), "/counterfactuals/features/income/range", "ordered"),
    (put(C, F, "age", "step", value=0.5), "/counterfactuals/features/age/step", "whole number"),
    (
        put(C, F, "property_type", value={"mutable": True, "step": 1}),
        "/counterfactuals/features/property_type/step",
        "is for numbers and integers",
    ),
    (put(C, "max_changes", value=0), "/counterfactuals/max_changes", "must be at least 1"),
    (
        put(C, "links", value=[{"feature": "x", "equals": "a / b"}]),
        "/counterfactuals/links/0/feature",
        "is not a",
    ),
    (put("protected", value=["race", "Age"]), "/protected/1", "never an input"),
    (put("protected", value=["race", "race"]), "/protected/1", "named twice"),
    (put("retention", "kind", value="forever"), "/retention/kind", "consumer_credit"),
    (drop("notice", "agency"), "/notice/agency", "is required"),
]


@pytest.mark.parametrize(("change", "pointer", "detail"), FAULTS, ids=[f"{p} {d}" for _, p, d in FAULTS])
def test_a_fault_is_named_at_its_place(change: Change, pointer: str, detail: str) -> None:
    document = copy.deepcopy(EXAMPLE)
    change(document)
    found = errors_of(document)
    assert pointer in found, found
    assert detail in found[pointer]


def test_every_fault_is_told_at_once() -> None:
    document = copy.deepcopy(EXAMPLE)
    document["outcome"]["threshold"] = 2
    document["protected"] = ["income"]
    document["features"][0]["range"] = [2, 1]
    assert set(errors_of(document)) == {"/outcome/threshold", "/protected/0", "/features/0/range"}


def test_names_with_slashes_are_escaped_in_pointers() -> None:
    document = copy.deepcopy(EXAMPLE)
    document["counterfactuals"]["features"]["a/b~c"] = {"mutable": False}
    assert list(errors_of(document)) == ["/counterfactuals/features/a~1b~0c"]


@pytest.mark.parametrize("direction", ["high_is_adverse", "low_is_adverse"])
def test_margins_have_a_direction_and_any_threshold(direction: str) -> None:
    document = copy.deepcopy(EXAMPLE)
    document["outcome"] |= {"score": "margin", "threshold": -1.5, "direction": direction}
    assert Manifest.model_validate(document).outcome.threshold == -1.5


def test_multiclass_outcomes_name_their_classes() -> None:
    document = copy.deepcopy(EXAMPLE)
    document["outcome"] |= {"classes": ["a", "b", "c"], "adverse_classes": ["b"]}
    document["outcome"]["direction"] = "low_is_adverse"
    assert set(errors_of(document)) == {"/outcome/score", "/outcome/threshold", "/outcome/direction"}
    document["outcome"]["score"] = "margin"
    del document["outcome"]["threshold"], document["outcome"]["direction"]
    assert Manifest.model_validate(document).outcome.adverse_classes == ("b",)
    document["outcome"]["adverse_classes"] = ["d", "a", "b", "c"]
    assert set(errors_of(document)) == {"/outcome/adverse_classes/0", "/outcome/adverse_classes"}


def test_a_manifest_with_a_catalogue_carries_no_reasons_itself() -> None:
    document = {**EXAMPLE, "catalogue": {"name": "words", "version": "1"}}
    found = errors_of(document)
    assert set(found) == {f"/factors/{index}/reason" for index in range(4)}
    assert set(found.values()) == {"must be left out: the manifest names a catalogue"}


def test_one_factor_at_most_counts_inquiries() -> None:
    document = copy.deepcopy(EXAMPLE)
    for index in (0, 2):
        document["factors"][index]["inquiries"] = True
    assert errors_of(document) == {"/factors/2/inquiries": "is for one factor at most"}


def test_a_gray_band_is_around_a_threshold() -> None:
    document = copy.deepcopy(EXAMPLE)
    document["outcome"] = {
        "adverse": "decline",
        "favourable": "approve",
        "score": "margin",
        "classes": ["decline", "approve"],
        "adverse_classes": ["decline"],
        "gray_band": [0, 1],
    }
    document["reference"] = {"kind": "all_applicants"}
    assert list(errors_of(document)) == ["/outcome/gray_band"]


SCORE_RANGE = "/notice/consumer_report_score/range"


@pytest.mark.parametrize(
    ("outcome", "given", "detail"),
    [
        ({}, [300, 850], "must lie between 0 and 1: the model's score is a probability"),
        ({}, [0, 1000], "must lie between 0 and 1: the model's score is a probability"),
        ({}, [0.5, 1], "must contain the threshold: the model's score can lie on both sides of it"),
        ({}, [1, 0], "must be ordered: least, greatest"),
        (
            {"score": "value", "threshold": 900, "direction": "low_is_adverse"},
            [300, 850],
            "must contain the threshold: the model's score can lie on both sides of it",
        ),
    ],
)
def test_a_disclosed_score_has_a_range_that_the_models_scores_can_have(
    outcome: dict[str, Any], given: list[float], detail: str
) -> None:
    """A probability under "scores range from 300 to 850" would be a false disclosure (FCRA 609(f)(1)(B))."""
    assert errors_of(_disclosing(outcome, given)) == {SCORE_RANGE: detail}


def test_a_range_that_the_models_scores_have_may_be_disclosed() -> None:
    points = {"score": "value", "threshold": 620, "direction": "low_is_adverse"}
    for outcome, given in (({}, [0, 1]), (points, [300, 850])):
        score = Manifest.model_validate(_disclosing(outcome, given)).notice
        assert score is not None
        assert score.consumer_report_score is not None


def _disclosing(outcome: dict[str, Any], given: list[float]) -> dict[str, Any]:
    document = copy.deepcopy(EXAMPLE)
    document["outcome"] |= outcome
    document["reference"] |= {"band": 0.05}
    document["notice"]["consumer_report_score"] = {"range": given, "source": "Example Savings Bank"}
    return document
