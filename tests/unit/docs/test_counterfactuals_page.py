"""What docs/counterfactuals.md shows is loaded, and what it says of it is asked of the one checker."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from explain.counterfactual.constraints.checker import Constraints
from explain.errors import ExplainError
from registry.conversions import constraints_of, space_of
from registry.errors import RegistryError
from registry.manifests import parse_manifest
from schemas.counterfactual import CounterfactualAnswers, CounterfactualRequest

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "counterfactuals.md").read_text(encoding="utf-8")
APPLICANT: dict[str, Any] = {
    "income": 5.0,
    "loan": 190,
    "value": 200,
    "loan_to_value": 95,
    "housing_ratio": 40,
    "other_debt_ratio": 25,
    "cards": 4,
    "delinquent": True,
    "employment": "unemployed",
    "single_family": 0,
    "two_to_four": 0,
    "condo": 1,
    "age": 40,
}


def _section(title: str) -> str:
    (found,) = re.findall(rf"^#+ {re.escape(title)}\n(.*?)(?=^#+ |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    return str(found)


def _blocks(title: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", _section(title), re.MULTILINE | re.DOTALL)


def _constraints(shown: Mapping[str, Any]) -> Constraints:
    """The constraints of a manifest with the page's features and this part of it."""
    (features,) = _blocks("What may change", "yaml")
    given = yaml.safe_load(features)
    document = {
        "manifest": "ofrecord/v1",
        "model": "loans",
        "version": "1",
        "family": "xgboost",
        "profile": "general",
        "purpose": "Approve or decline a loan",
        "outcome": {
            "adverse": "decline",
            "favourable": "approve",
            "score": "probability_of_adverse",
            "threshold": 0.5,
        },
        "reference": {"kind": "all_applicants"},
        "factors": [{"name": one["name"], "features": [one["name"]]} for one in given["features"]],
        **given,
        **shown,
    }
    manifest = parse_manifest(yaml.safe_dump(document).encode(), "application/yaml").manifest
    return constraints_of(manifest, space_of(manifest, 64))


def _shown(title: str) -> Constraints:
    (sample,) = _blocks(title, "yaml")
    return _constraints(yaml.safe_load(sample))


def _violations(constraints: Constraints, before: dict[str, Any], after: dict[str, Any]) -> str:
    rows = [constraints.space.read({**APPLICANT, **before, **one}).row for one in ({}, after)]
    completed = constraints.complete(rows[0], rows[1][None, :])[0]
    return "; ".join(constraints.check(rows[0], completed))


# By section: what the applicant is, what would be different, and what the checker says (nothing: permitted).
CLAIMS: dict[str, list[tuple[dict[str, Any], dict[str, Any], str]]] = {
    "Direction, range and step": [
        ({}, {"income": 5.5}, ""),
        ({}, {"income": 4.5}, "may only increase"),
        ({}, {"income": 30.5}, "must lie in [0, 30]"),
        ({}, {"income": 5.2}, "must be a multiple of 0.5"),
        ({"income": 5.2}, {"cards": 3}, ""),
        ({}, {"cards": 3, "delinquent": False}, ""),
        ({"delinquent": False}, {"delinquent": True}, "may only decrease"),
        ({}, {"income": 6, "cards": 3, "delinquent": False}, "at most 2"),
        ({}, {"loan": 180}, "must not change"),
    ],
    "Missing values": [
        ({"income": None}, {"income": 4.5}, ""),
        ({}, {"income": None}, "must not become missing"),
    ],
    "Categories": [
        ({}, {"employment": "temporary"}, ""),
        ({}, {"employment": "permanent"}, ""),
        ({"employment": "temporary"}, {"employment": "unemployed"}, "must be a category that it may become"),
        ({"employment": "permanent"}, {"employment": "temporary"}, "must be a category that it may become"),
    ],
    "Groups of columns": [
        ({}, {"condo": 0, "two_to_four": 1}, ""),
        ({}, {"two_to_four": 1}, "exactly one of"),
        ({}, {"condo": 0}, "exactly one of"),
    ],
    "Sums within a bound": [
        ({}, {"other_debt_ratio": 20}, ""),
        ({}, {"other_debt_ratio": 21}, "<= 60"),
        ({}, {"housing_ratio": 20}, "housing_ratio"),
    ],
    "Derived features": [
        ({}, {"loan": 150}, ""),
        ({}, {"value": 250}, "must not change"),
    ],
}


@pytest.mark.parametrize("title", CLAIMS)
def test_the_checker_says_what_the_page_says(title: str) -> None:
    constraints = _shown(title)
    for before, after, said in CLAIMS[title]:
        found = _violations(constraints, before, after)
        assert said in found if said else not found, f"{before} {after}: {found}"


def test_without_a_word_a_missing_value_stays_and_a_category_may_become_any_other() -> None:
    income = {"features": {"income": {"mutable": True, "range": [0, 30], "step": 0.5}}}
    kept = _constraints({"counterfactuals": income})
    assert "must stay so" in _violations(kept, {"income": None}, {"income": 4.5})
    free = _constraints({"counterfactuals": {"features": {"employment": {"mutable": True}}}})
    assert not _violations(free, {"employment": "permanent"}, {"employment": "unemployed"})


def test_moving_a_group_is_one_change_and_a_derived_feature_is_none() -> None:
    for title, after in (
        ("Groups of columns", {"condo": 0, "two_to_four": 1}),
        ("Derived features", {"loan": 150}),
    ):
        constraints = _shown(title)
        before = constraints.space.read(APPLICANT).row
        changed = constraints.space.read({**APPLICANT, **after}).row
        completed = constraints.complete(before, changed[None, :])[0]
        assert constraints.changes(before, completed) == 1
        if title == "Derived features":
            assert completed[constraints.space.index("loan_to_value")] == 75.0


def test_nobody_chooses_a_derived_value() -> None:
    constraints = _shown("Derived features")
    rows = [constraints.space.read({**APPLICANT, **one}).row for one in ({}, {"loan_to_value": 75})]
    assert "loan_to_value must be 100 * loan / value" in "; ".join(constraints.check(*rows))


@pytest.mark.parametrize(
    ("title", "wrong"),
    [
        ("Groups of columns", {"two_to_four": 1}),
        ("Groups of columns", {"condo": 0}),
        ("Derived features", {"loan_to_value": 94.9}),
        ("Derived features", {"loan_to_value": 95.06}),
    ],
)
def test_a_request_that_contradicts_a_group_or_a_link_is_refused(title: str, wrong: dict[str, Any]) -> None:
    constraints = _shown(title)
    constraints.check_factual(constraints.space.read(APPLICANT).row)
    constraints.check_factual(constraints.space.read({**APPLICANT, "loan": 190.04}).row)
    with pytest.raises(ExplainError):
        constraints.check_factual(constraints.space.read({**APPLICANT, **wrong}).row)


RATIO = {"mutable": True, "range": [0, 100]}
GROUP = {name: {"mutable": True} for name in ("single_family", "two_to_four", "condo")}
LINK = {"feature": "loan_to_value", "equals": "100 * loan / value", "decimals": 1}
REFUSED: dict[str, list[dict[str, Any]]] = {
    "the permitted range is empty": [
        {"features": {"income": {"mutable": True, "range": [60, 70]}}},
        {"features": {"income": {"mutable": True, "range": [5.1, 5.4], "step": 0.5}}},
    ],
    "needs a step": [
        {
            "features": {"housing_ratio": RATIO},
            "inequalities": [{"terms": {"housing_ratio": 1}, "at_most": 60}],
        }
    ],
    "is named in two groups": [
        {"features": GROUP, "one_hot": [["single_family", "two_to_four"], ["two_to_four", "condo"]]}
    ],
    "links in a circle": [
        {
            "links": [
                {"feature": "housing_ratio", "equals": "other_debt_ratio * 2"},
                {"feature": "other_debt_ratio", "equals": "housing_ratio / 2"},
            ]
        }
    ],
    "a derived feature is not mutable by itself": [
        {"features": {"loan_to_value": {"mutable": True, "step": 1}}, "links": [LINK]}
    ],
    "no values of the declared ranges satisfy": [
        {"inequalities": [{"terms": {"housing_ratio": 1, "other_debt_ratio": 1}, "at_most": -1}]}
    ],
    "must be false: a sensitive feature is never changed": [{"features": {"age": {"mutable": True}}}],
    "must be keep: the feature is not nullable": [
        {"features": {"cards": {"mutable": True, "missing": "fill"}}}
    ],
    "is not one of the categories": [
        {"features": {"employment": {"mutable": True, "transitions": {"retired": ["permanent"]}}}}
    ],
    "contradicts inequality": [
        {
            "inequalities": [
                {"terms": {"housing_ratio": 1, "other_debt_ratio": 1}, "at_most": 50},
                {"terms": {"housing_ratio": 1, "other_debt_ratio": 1}, "at_least": 60},
            ]
        }
    ],
    "too fine to be counted": [
        {"features": {"income": {"mutable": True, "range": [0, 30], "step": 1e-14}}},
    ],
    "names no feature": [{"links": [{"feature": "loan_to_value", "equals": "3 / 2"}]}],
    "always comes to the same value": [{"links": [{"feature": "loan_to_value", "equals": "value / value"}]}],
    "has no value anywhere in the declared ranges": [
        {"links": [{"feature": "loan_to_value", "equals": "loan / 0"}]}
    ],
    "is no feature": [{"links": [{"feature": "loan_to_value", "equals": "loan / price"}]}],
}


def _said() -> list[str]:
    rows = re.findall(r"^\| (`.*?) \| ", _section("What is refused at registration"), re.MULTILINE)
    return [phrase for row in rows for phrase in re.findall(r"`([^`]+)`", row)]


def test_everything_said_to_be_refused_is_tried() -> None:
    assert set(_said()) - {"needs a range"} == set(REFUSED)


@pytest.mark.parametrize("said", REFUSED)
def test_what_contradicts_itself_is_refused_with_the_words_of_the_page(said: str) -> None:
    for part in REFUSED[said]:
        with pytest.raises((ExplainError, RegistryError)) as refused:
            _constraints({"counterfactuals": part})
        assert said in str(refused.value) or said in repr(getattr(refused.value, "errors", ""))


def test_a_feature_without_a_range_needs_one_in_a_sum() -> None:
    features = yaml.safe_load(_blocks("What may change", "yaml")[0])["features"]
    bare = [{**one, "range": None} if one["name"] == "housing_ratio" else one for one in features]
    part = {
        "features": {"housing_ratio": {"mutable": True, "step": 1}},
        "inequalities": [{"terms": {"housing_ratio": 1}, "at_most": 60}],
    }
    with pytest.raises((ExplainError, RegistryError)) as refused:
        _constraints({"features": bare, "counterfactuals": part})
    assert "needs a range" in str(refused.value) or "needs a range" in repr(refused.value.errors)


def test_requests_and_answers_shown_are_what_the_wire_takes() -> None:
    requests = [json.loads(one) for one in _blocks("What a request may ask", "json")]
    assert requests
    for one in requests:
        CounterfactualRequest.model_validate(one["counterfactuals"])
    (answer,) = _blocks("What is answered", "json")
    CounterfactualAnswers.model_validate(json.loads(answer))
