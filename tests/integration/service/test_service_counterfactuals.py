"""What a request may ask of the counterfactuals, and what is refused: in its place, nothing stored."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

PERMITTED = {"income": [30, 200]}
DERIVED = {"feature": "debt_ratio", "equals": "5.2 * loan_amount / income", "decimals": 1}

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a feature that may not change": (
        {"features_to_vary": ["income", "dependents"]},
        "/features_to_vary/1",
    ),
    "a feature that is none": ({"features_to_vary": ["wealth"]}, "/features_to_vary/0"),
    "a range beyond the manifest's": ({"permitted_range": {"income": [0, 2000]}}, "/permitted_range/income"),
    "a range the wrong way round": ({"permitted_range": {"income": [50, 30]}}, "/permitted_range/income"),
    "a range between two steps": (
        {"permitted_range": {"income": [30.01, 30.02]}},
        "/permitted_range/income",
    ),
    "a range of what may not change": (
        {"permitted_range": {"property_type": ["condo"]}},
        "/permitted_range/property_type",
    ),
    "a range that is none": ({"permitted_range": {"income": [30]}}, "/permitted_range/income"),
    "more changes": ({"max_changes": 4}, "/max_changes"),
    "a search that is not the manifest's": ({"methods": ["direct", "dice_kdtree"]}, "/methods/1"),
    "a class of a model without classes": ({"target": {"class": "approve"}}, "/target/class"),
    "half a goal": ({"target": {"score": 0.2}}, "/target/direction"),
    "no probability": ({"target": {"score": 1.5, "direction": "below"}}, "/target/score"),
    "a goal that is none, though nothing is wanted": (
        {"count": 0, "target": {"class": "approve"}},
        "/target/class",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_asked_in_vain_is_refused_in_its_place(running: Any, name: str) -> None:
    asked, pointer = REFUSED[name]
    before = running.entries()
    for features in ({}, {"income": 150.0, "debt_ratio": 10.0, "loan_amount": 60}):  # of a favourable one too
        sent = running.request(features={**running.features, **features}, counterfactuals=asked)
        refused = running.explain(sent)
        assert refused.status_code == 422, refused.text
        assert refused.json()["type"] == "/problems/invalid-input"
        assert [error["pointer"] for error in refused.json()["errors"]] == ["/counterfactuals" + pointer]
    assert running.entries() == before
    path = "/v1/models/loans/explanations/batch"
    (row,) = running.http.post(path, json={"decisions": [sent]}).json()["answers"]
    assert row["problem"]["errors"] == refused.json()["errors"]
    assert running.entries() == before


def test_a_goal_that_is_reached_is_a_problem_of_its_own(running: Any) -> None:
    score = running.explain(running.request(counterfactuals={"count": 0})).json()["decision"]["score"]
    before = running.entries()
    for target in (
        {"score": (1 + score) / 2, "direction": "below"},
        {"score": score, "direction": "above"},
    ):
        refused = running.explain(running.request(counterfactuals={"target": target}))
        assert refused.status_code == 422
        assert refused.json()["type"] == "/problems/target-reached"
        assert [error["pointer"] for error in refused.json()["errors"]] == ["/counterfactuals/target"]
    assert running.entries() == before
    just_below = {"target": {"score": score, "direction": "below"}}  # a score less than it: not yet
    assert running.explain(running.request(counterfactuals=just_below)).status_code == 201


def test_every_item_keeps_to_the_narrower_limits(running: Any) -> None:
    asked = {
        "count": 5,
        "features_to_vary": ["income", "loan_amount"],
        "permitted_range": {"loan_amount": [100, 240]},
        "max_changes": 2,
    }
    told = running.explain(running.request(counterfactuals=asked)).json()["counterfactuals"]
    assert told["items"]
    for item in told["items"]:
        changed = {change["feature"]: change["to"] for change in item["changes"]}
        assert set(changed) <= {"income", "loan_amount"}
        assert 100 <= changed.get("loan_amount", 100) <= 240
    wide = running.explain(running.request(counterfactuals={"count": 5})).json()["counterfactuals"]
    assert any(change["feature"] == "debt_ratio" for item in wide["items"] for change in item["changes"])
    single = running.explain(running.request(counterfactuals={"count": 5, "max_changes": 1})).json()
    assert all(len(item["changes"]) == 1 for item in single["counterfactuals"]["items"])


def test_what_is_left_of_the_freedom_is_searched_to_its_end(running: Any) -> None:
    asked = {"features_to_vary": ["loan_amount"], "permitted_range": {"loan_amount": [258, 259]}}
    told = running.explain(running.request(counterfactuals=asked)).json()["counterfactuals"]
    assert (told["status"], told["items"], told["complete"]) == ("no_recourse", [], True)
    assert told["proof"] in ("exhaustive", "bounded")
    assert told["evaluation_id"] is None


def _between(running: Any, least: float, below: float) -> dict[str, Any]:
    """The features of somebody with such a score: on the favourable side, and not clearly."""
    offered = [{**running.features, "income": 21.0 + at, "loan_amount": 240 - at} for at in range(120)]
    rows = [running.request(features=one, counterfactuals={"count": 0}) for one in offered]
    sent = running.http.post("/v1/models/loans/explanations/batch", json={"decisions": rows}).json()
    scores = [answer["explanation"]["decision"]["score"] for answer in sent["answers"]]
    return next(one for one, score in zip(offered, scores, strict=True) if least <= score < below)


def test_an_explicit_goal_is_searched_for_a_favourable_decision_too(running: Any, upload: Any) -> None:
    manifest = {**yaml.safe_load(upload.manifest), "profile": "clinical", "model": "risk"}
    clinical = upload.with_manifest(**{name: manifest[name] for name in ("profile", "model")})
    assert running.register(clinical).status_code == 201
    assert running.approve("risk").status_code == 200
    features = _between(running, 0.2, 0.5)
    asked = {"count": 2, "target": {"score": 0.2, "direction": "below"}}
    for row in (running.features, features):
        answer = running.explain(running.request(features=row, counterfactuals=asked), "risk").json()
        told = answer["counterfactuals"]
        assert told["status"] in ("found", "partial"), told
        for item in told["items"]:
            assert item["score"] < 0.2
            changed = {change["feature"]: change["to"] for change in item["changes"]}
            sent = running.request(features={**row, **changed}, counterfactuals={"count": 0})
            assert running.explain(sent, "risk").json()["decision"]["score"] == item["score"]
    without = running.explain(running.request(features=features), "risk").json()["counterfactuals"]
    assert without["status"] == "not_needed"


def test_the_question_is_part_of_the_decision(running: Any) -> None:
    asked = {"features_to_vary": ["income", "loan_amount"], "permitted_range": PERMITTED}
    request = running.request(counterfactuals=asked)
    first = running.explain(request).json()
    same = {"permitted_range": {"income": [30.0, 200.0]}, "features_to_vary": ["loan_amount", "income"]}
    again = running.explain({**request, "counterfactuals": same}).json()
    assert {**again, "timings_ms": first["timings_ms"]} == first
    read = running.http.get(f"/v1/explanations/{first['explanation_id']}").json()
    assert read["counterfactuals"] == first["counterfactuals"]
    for other in ({}, {**asked, "max_changes": 2}, {**asked, "permitted_range": {"income": [30, 201]}}):
        assert running.explain({**request, "counterfactuals": other}).status_code == 409


def _linked(upload: Any, model: str, contradicting: int) -> Any:
    """A registration with a derived feature, which these first rows of the reference contradict."""
    table = pd.read_csv(io.BytesIO(upload.reference), keep_default_na=False)
    derived = (5.2 * table["loan_amount"] / table["income"]).round(1)
    table["debt_ratio"] = derived + np.where(np.arange(len(table)) < contradicting, 3.0, 0.0)
    freedom = yaml.safe_load(upload.manifest)["counterfactuals"]
    features = {**freedom["features"], "debt_ratio": {"mutable": False}}
    given = upload.with_manifest(
        model=model, counterfactuals={**freedom, "features": features, "links": [DERIVED]}
    )
    return replace(given, reference=table.to_csv(index=False).encode())


@pytest.fixture(scope="module")
def linked(running: Any, upload: Any) -> str:
    """A model with a derived feature, which a tenth of its reference contradicts."""
    made = running.register(_linked(upload, "linked", 60))
    assert made.status_code == 201, made.text
    assert running.approve("linked").status_code == 200
    return "linked"


def test_rows_that_contradict_a_link_are_told_to_the_owner(running: Any, linked: str) -> None:
    capability = running.http.get(f"/v1/models/{linked}/versions/1").json()["capability"]
    (told,) = [one for one in capability["warnings"] if one["code"] == "link_contradicted"]
    assert told["features"] == ["debt_ratio", "loan_amount", "income"]
    assert "/counterfactuals/links/0: 60 of 600 uploaded rows (10 %)" in told["detail"]
    assert "422 invalid-input" in told["detail"]
    assert capability["constraint_checks"] == [
        {
            "pointer": "/counterfactuals/links/0",
            "rows": 600,
            "compared": 600,
            "contradicted": 60,
            "share": 0.1,
            "largest_difference": pytest.approx(3.0, abs=0.06),
        }
    ]


def test_a_link_that_no_row_keeps_is_not_registered(running: Any, upload: Any) -> None:
    before = running.entries()
    refused = running.register(_linked(upload, "unlinked", 600))
    assert refused.status_code == 422, refused.text
    assert refused.json()["type"] == "/problems/reference-contradiction"
    (fault,) = refused.json()["errors"]
    assert fault["pointer"] == "/manifest/counterfactuals/links/0"
    assert "all 600 uploaded rows" in fault["detail"]
    assert running.entries() == before
    assert running.http.get("/v1/models/unlinked").status_code == 404


def test_a_row_that_contradicts_a_link_has_no_counterfactual(running: Any, linked: str) -> None:
    before = running.entries()
    refused = running.explain(running.request(), linked)  # 5.2 * 260 / 21 is not 64.5
    assert refused.status_code == 422, refused.text
    assert [error["pointer"] for error in refused.json()["errors"]] == ["/features/debt_ratio"]
    assert running.entries() == before
    assert running.explain(running.request(counterfactuals={"count": 0}), linked).status_code == 201
    right = {**running.features, "debt_ratio": 64.4}  # 5.2 * 260 / 21 = 64.38
    told = running.explain(running.request(features=right), linked).json()["counterfactuals"]
    assert told["items"], told
    for item in told["items"]:
        changes = {change["feature"]: change for change in item["changes"]}
        changed = {**right, **{name: change["to"] for name, change in changes.items()}}
        assert changes["debt_ratio"]["derived"]
        assert changed["debt_ratio"] == pytest.approx(
            5.2 * changed["loan_amount"] / changed["income"], abs=0.05
        )
        assert not any(change["derived"] for name, change in changes.items() if name != "debt_ratio")


CONTRADICTING: dict[str, tuple[dict[str, Any], str]] = {
    "an empty range": ({"features": {"income": {"mutable": True, "range": [5, 1]}}}, "/features/income"),
    "a link on what may change": (
        {"features": {"debt_ratio": {"mutable": True}}, "links": [DERIVED]},
        "/links/0",
    ),
    "a link without a value": ({"links": [{**DERIVED, "equals": "loan_amount / 0"}]}, "/links/0/equals"),
    "a link to nothing": ({"links": [{**DERIVED, "equals": "loan_amount / wealth"}]}, "/links/0"),
    "what no values satisfy": (
        {
            "features": {"income": {"mutable": True, "range": [0, 1000], "step": 1}},
            "inequalities": [{"terms": {"income": 1}, "at_most": -1}],
        },
        "/inequalities/0",
    ),
    "a transition from no category": (
        {"features": {"property_type": {"mutable": True, "transitions": {"castle": ["condo"]}}}},
        "/features/property_type",
    ),
}


@pytest.mark.parametrize("name", CONTRADICTING)
def test_constraints_that_contradict_each_other_are_not_registered(
    running: Any, upload: Any, name: str
) -> None:
    counterfactuals, pointer = CONTRADICTING[name]
    before = running.entries()
    given = upload.with_manifest(model="torn", counterfactuals={"max_changes": 2, **counterfactuals})
    refused = running.register(given)
    assert refused.status_code == 422, refused.text
    pointers = [error["pointer"] for error in refused.json()["errors"]]
    assert any(found.startswith("/manifest/counterfactuals" + pointer) for found in pointers), pointers
    assert running.entries() == before
    assert running.http.get("/v1/models/torn").status_code == 404
