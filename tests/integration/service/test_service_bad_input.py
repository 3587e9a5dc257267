"""Every bad request gets its problem with a pointer, and nothing is stored."""

from __future__ import annotations

import json
from typing import Any

import pytest

JSON = {"content-type": "application/json"}


def _problem(response: Any) -> dict[str, Any]:
    assert response.headers["content-type"] == "application/problem+json", response.text
    document: dict[str, Any] = response.json()
    assert document["status"] == response.status_code
    assert document["instance"] == response.headers["x-request-id"]
    return document


def _without(features: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in features.items() if key != name}


FEATURES = {
    "income": 21.0,
    "debt_ratio": 64.5,
    "loan_amount": 260,
    "dependents": 2,
    "self_employed": True,
    "property_type": "condo",
}
BAD_FEATURES = {
    "missing": (_without(FEATURES, "income"), "/features/income"),
    "extra": ({**FEATURES, "height": 180}, "/features/height"),
    "misspelt": ({**_without(FEATURES, "income"), "incme": 21.0}, "/features/incme"),
    "text for a number": ({**FEATURES, "income": "21"}, "/features/income"),
    "true for a number": ({**FEATURES, "income": True}, "/features/income"),
    "a fraction for an integer": ({**FEATURES, "dependents": 2.5}, "/features/dependents"),
    "a number for a boolean": ({**FEATURES, "self_employed": 1}, "/features/self_employed"),
    "null where it may not be": ({**FEATURES, "income": None}, "/features/income"),
    "an unseen category": ({**FEATURES, "property_type": "castle"}, "/features/property_type"),
    "a code for a category": ({**FEATURES, "property_type": 1}, "/features/property_type"),
    "beyond 32-bit numbers": ({**FEATURES, "income": 3.5e38}, "/features/income"),
    "an array": ({**FEATURES, "income": [21.0]}, "/features/income"),
    "an object": ({**FEATURES, "income": {"value": 21.0}}, "/features/income"),
    "no features at all": ({}, "/features/income"),
}
BAD_MEMBERS = {
    "no decision id": ({"decision_id": None}, "/decision_id"),
    "an empty decision id": ({"decision_id": ""}, "/decision_id"),
    "an unknown member": ({"model": "loans"}, "/model"),
    "a budget too small": ({"budget_ms": 19}, "/budget_ms"),
    "a budget too large": ({"budget_ms": 60_001}, "/budget_ms"),
    "a budget in text": ({"budget_ms": "200"}, "/budget_ms"),
    "too many counterfactuals": ({"counterfactuals": {"count": 11}}, "/counterfactuals/count"),
    "required but none wanted": (
        {"counterfactuals": {"count": 0, "required": True}},
        "/counterfactuals/required",
    ),
    "a component": ({"components": [{"name": "scorecard", "kind": "model"}]}, "/components/0/result"),
    "a time without a zone": ({"decided": {"at": "2026-11-20T10:15:00"}}, "/decided/at"),
    "features as an array": ({"features": [1, 2]}, "/features"),
    "protected as text": ({"protected": "female"}, "/protected"),
    "a protected object": ({"protected": {"sex": {"is": "female"}}}, "/protected/sex"),
}
BAD_TEXT = {
    "NaN": (b'{"decision_id":"x","features":{"income":NaN}}', "/features/income"),
    "Infinity": (b'{"decision_id":"x","features":{"income":Infinity}}', "/features/income"),
    "minus infinity": (b'{"decision_id":"x","features":{"income":-Infinity}}', "/features/income"),
    "1e400": (b'{"decision_id":"x","features":{"income":1e400}}', "/features/income"),
    "twice": (b'{"decision_id":"x","features":{"income":1,"income":2}}', "/features/income"),
    "two decisions": (b'{"decision_id":"x","decision_id":"y","features":{}}', "/decision_id"),
    "a huge integer": (b'{"decision_id":"x","features":{"income":' + b"9" * 400 + b"}}", "/features/income"),
    "half a character": (b'{"decision_id":"\\ud800","features":{}}', "/decision_id"),
    "not UTF-8": (b'{"decision_id":"\xff"}', ""),
    "not JSON": (b"income=21", ""),
    "nothing": (b"", ""),
    "an array": (b"[]", ""),
    "something after the end": (b"{} {}", ""),
    "very deep": (b"[" * 50_000, ""),
}


@pytest.mark.parametrize("case", BAD_FEATURES, ids=str)
def test_features(running: Any, case: str) -> None:
    features, pointer = BAD_FEATURES[case]
    _refused(running, json.dumps(running.request(features=features)).encode(), pointer)


@pytest.mark.parametrize("case", BAD_MEMBERS, ids=str)
def test_members(running: Any, case: str) -> None:
    members, pointer = BAD_MEMBERS[case]
    document = {name: value for name, value in running.request(**members).items() if value is not None}
    _refused(running, json.dumps(document).encode(), pointer)


@pytest.mark.parametrize("case", BAD_TEXT, ids=str)
def test_documents(running: Any, case: str) -> None:
    raw, pointer = BAD_TEXT[case]
    _refused(running, raw, pointer)


def _refused(running: Any, raw: bytes, pointer: str) -> None:
    before = running.entries()
    response = running.http.post("/v1/models/loans/explanations", content=raw, headers=JSON)
    problem = _problem(response)
    assert (problem["type"], problem["status"]) == ("/problems/invalid-input", 422), response.text
    assert pointer in [error["pointer"] for error in problem["errors"]]
    assert not problem["detail"].startswith("/")  # places are named in `errors`, and only there
    assert running.entries() == before


def test_a_misspelt_name_is_helped(running: Any) -> None:
    features, _ = BAD_FEATURES["misspelt"]
    errors = {
        error["pointer"]: error["detail"]
        for error in running.explain(running.request(features=features)).json()["errors"]
    }
    assert "did you mean 'income'" in errors["/features/incme"]
    assert "/features/income" in errors


def test_too_large_a_body(running: Any) -> None:
    before = running.entries()
    document = {**running.request(), "purpose": "x" * 200_000}
    assert _problem(running.explain(document))["type"] == "/problems/body-too-large"

    def pieces() -> Any:
        yield from (b" " * 10_000 for _ in range(50))

    response = running.http.post("/v1/models/loans/explanations", content=pieces(), headers=JSON)
    assert _problem(response)["type"] == "/problems/body-too-large"
    assert running.entries() == before


def test_the_wrong_content_type(running: Any) -> None:
    response = running.http.post("/v1/models/loans/explanations", data={"decision_id": "x"})
    assert _problem(response)["type"] == "/problems/unsupported-media-type"


def test_an_unknown_model_and_version(running: Any) -> None:
    before = running.entries()
    assert _problem(running.explain(running.request(), "no-such-model"))["type"] == "/problems/not-found"
    assert _problem(running.explain(running.request(version="99")))["type"] == "/problems/not-found"
    assert running.entries() == before


def test_an_unapproved_version(running: Any, upload: Any) -> None:
    assert running.register(upload.with_manifest(model="waiting")).status_code == 201
    before = running.entries()
    for document in (running.request(), running.request(version="1")):
        problem = _problem(running.explain(document, "waiting"))
        assert (problem["type"], problem["status"]) == ("/problems/model-not-approved", 409)
    assert running.entries() == before


def test_ids_that_are_none(running: Any) -> None:
    before = running.entries()
    unknown = "0193b8a0-0000-7000-8000-000000000000"
    paths = [f"/v1/explanations/{given}" for given in ("1", unknown, f"{unknown}/proof", unknown.upper())]
    paths += [f"/v1/evaluations/{given}" for given in ("x", unknown)]
    for path in paths:
        assert _problem(running.http.get(path))["type"] == "/problems/not-found"
    assert running.entries() == before


def test_an_entry_that_is_no_explanation_is_not_read_as_one(running: Any) -> None:
    running.integrate()
    entry = running.services.log.entry_at(0).entry
    assert entry.type != "explanation.created"
    assert running.http.get(f"/v1/explanations/{entry.entry_id}").status_code == 404
    assert running.http.get(f"/v1/explanations/{entry.entry_id}/proof").status_code == 404


def test_addresses_of_later_releases_are_absent(running: Any) -> None:
    later = [
        ("POST", "/v1/outcomes"),
        ("GET", "/v1/schedules"),
        ("GET", "/console/"),
        ("GET", "/v1/models/"),
    ]
    for method, path in later:
        assert _problem(running.http.request(method, path))["type"] == "/problems/not-found"
    assert _problem(running.http.put("/v1/models"))["type"] == "/problems/method-not-allowed"


def test_queries(running: Any) -> None:
    for path in (
        "/v1/explanations",
        "/v1/explanations?model=loans",
        "/v1/log/proofs/inclusion?index=x&tree_size=1",
    ):
        problem = _problem(running.http.get(path))
        assert (problem["type"], problem["status"]) == ("/problems/invalid-input", 422)
        assert problem["errors"]


@pytest.mark.parametrize(
    "address", ["notices?model=a%00b", "models?cursor=%00", "catalogues?cursor=%00", "notices?a%00=b"]
)
def test_an_address_with_a_nul_is_refused_and_no_fault_of_ours(running: Any, address: str) -> None:
    refused = running.http.get(f"/v1/{address}")
    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/invalid-input")
    assert refused.json()["errors"][0]["pointer"].startswith("/")
