"""One decision through the whole service: explained, on record, read back, proved."""

from __future__ import annotations

import math
from typing import Any
from uuid import UUID

from audit.note import Verifier
from audit.receipt import Receipt, verify_receipt
from audit.verify import verify_evidence
from schemas.answer import Explanation


def _first_answer(answer: dict[str, Any]) -> dict[str, Any]:
    """What the contract calls the first answer: without times, ids, the audit timing and the index."""
    receipt = {name: value for name, value in answer["receipt"].items() if name != "index"}
    return {
        **{name: value for name, value in answer.items() if name not in ("timings_ms", "late", "standing")},
        "receipt": receipt,
    }


def test_a_declined_applicant_gets_reasons_a_way_out_and_a_receipt(running: Any) -> None:
    request = running.request(counterfactuals={"count": 2, "required": True})
    response = running.explain(request)
    assert response.status_code == 201, response.text
    answer = response.json()
    Explanation.model_validate(answer)
    assert answer["decision"]["outcome"] == "decline"
    assert not answer["late"]
    phi = [row["phi"] for row in answer["attribution"]["values"]]
    native = answer["attribution"]["reconciliation"]["expected"]
    assert math.isclose(answer["attribution"]["base_value"] + math.fsum(phi), native, abs_tol=1e-4)
    assert math.isclose(1 / (1 + math.exp(-native)), answer["decision"]["score"], rel_tol=1e-5)
    assert 1 <= len(answer["reasons"]) <= 4
    contributions = [reason["contribution"] for reason in answer["reasons"]]
    assert contributions == sorted(contributions, reverse=True)
    assert all(contribution > 0 for contribution in contributions)
    assert answer["counterfactuals"]["status"] == "found"
    assert all(
        item["verified"] and item["outcome"] == "approve" for item in answer["counterfactuals"]["items"]
    )
    assert set(answer["timings_ms"]) == {"attribution", "reasons", "counterfactuals", "audit", "total"}
    assert response.headers["server-timing"].startswith("attribution;dur=")
    receipt = Receipt.from_json(answer["receipt"])
    assert verify_receipt(receipt, [Verifier.parse(vkey) for vkey in running.vkeys]) is True


def test_a_favourable_decision_has_no_reasons_and_needs_no_counterfactual(running: Any) -> None:
    features = {**running.features, "income": 150.0, "debt_ratio": 10.0, "loan_amount": 60}
    answer = running.explain(running.request(features=features)).json()
    assert answer["decision"]["outcome"] == "approve"
    assert answer["reasons"] == []
    assert answer["counterfactuals"] == {
        "status": "not_needed",
        "complete": True,
        "items": [],
        "evaluation_id": None,
        "proof": None,
        "searches": [],
    }


def test_none_asked_for_none_searched(running: Any) -> None:
    answer = running.explain(running.request(counterfactuals={"count": 0})).json()
    assert answer["counterfactuals"]["status"] == "not_requested"


def test_a_counterfactual_keeps_to_the_manifest(running: Any) -> None:
    items = running.explain(running.request(counterfactuals={"count": 3})).json()["counterfactuals"]["items"]
    assert items
    for item in items:
        for change in item["changes"]:
            assert change["feature"] in ("income", "loan_amount", "debt_ratio")
            assert (change["to"] > change["from"]) == (change["feature"] == "income")
        changed = {change["feature"]: change["to"] for change in item["changes"]}
        again = running.explain(running.request(features={**running.features, **changed}))
        assert again.json()["decision"]["outcome"] == "approve"
        assert again.json()["decision"]["score"] == item["score"]


def test_missing_and_unusual_inputs_are_shown(running: Any) -> None:
    features = {**running.features, "debt_ratio": None, "income": 2000.0}
    answer = running.explain(running.request(features=features)).json()
    told = {(warning["code"], warning["feature"]) for warning in answer["warnings"]}
    assert told == {("missing", "debt_ratio"), ("out_of_range", "income")}


def test_protected_attributes_are_checked_not_kept_and_not_echoed(running: Any) -> None:
    before = running.entries()
    response = running.explain(running.request(protected={"sex": "zzz-secret"}))
    assert response.status_code == 201
    assert "zzz-secret" not in response.text
    assert [warning["code"] for warning in response.json()["warnings"]] == ["protected_not_stored"]
    stored = running.services.log.read(_uuid(response.json()["explanation_id"]))
    assert b"zzz-secret" not in running.services.log.open(stored)
    refused = running.explain(running.request(protected={"height": "zzz-secret"}))
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "/protected/height"
    assert "zzz-secret" not in refused.text
    assert running.entries() == before + 1


def test_reading_back_is_logged_first_and_gives_the_first_answer(running: Any) -> None:
    request = running.request()
    first = running.explain(request).json()
    reads = running.entries("explanation.read")
    read = running.http.get(f"/v1/explanations/{first['explanation_id']}")
    assert read.status_code == 200
    assert _first_answer(read.json()) == _first_answer(first)
    assert ("standing" in first, read.json()["standing"]) == (False, None)
    assert running.entries("explanation.read") == reads + 1
    found = running.http.get(
        "/v1/explanations", params={"model": "loans", "decision_id": request["decision_id"]}
    )
    assert [_first_answer(answer) for answer in found.json()["explanations"]] == [_first_answer(first)]
    assert running.entries("explanation.read") == reads + 2
    logged = running.services.log.about(_uuid(first["explanation_id"]))
    assert [entry.entry.type for entry in logged] == ["explanation.read"] * 2
    assert {entry.entry.actor for entry in logged} == {"tester"}


def test_finding_nothing_is_an_empty_list_and_no_entry(running: Any) -> None:
    before = running.entries()
    for params in ({"model": "loans", "decision_id": "nobody"}, {"model": "nothing", "decision_id": "A-1"}):
        assert running.http.get("/v1/explanations", params=params).json() == {"explanations": []}
    assert running.entries() == before


def test_the_evidence_file_proves_offline(running: Any) -> None:
    first = running.explain(running.request()).json()
    where = f"/v1/explanations/{first['explanation_id']}/proof"
    reads = running.entries("explanation.read")
    for query in ({}, {"disclose": "none"}):
        assert running.http.get(where, params=query).status_code == 202
    running.integrate()
    assert running.entries("explanation.read") == reads
    evidence = running.http.get(where)
    assert evidence.status_code == 200
    verified = verify_evidence(evidence.content, running.vkeys)
    assert str(verified.entry.entry_id) == first["explanation_id"]
    assert verified.private is not None
    assert verified.private["decision_id"] == first["decision_id"]
    assert verified.receipt_checked
    assert running.entries("explanation.read") == reads + 1
    closed = verify_evidence(running.http.get(where, params={"disclose": "none"}).content, running.vkeys)
    assert closed.plaintext is None
    assert running.entries("explanation.read") == reads + 2
    about = running.services.log.about(UUID(first["explanation_id"]), "explanation.read")
    assert [one.entry.body["disclosed"] for one in about] == [True, False]
    assert {one.entry.body["how"] for one in about} == {"proof"}
    index = running.http.get(f"/v1/explanations/{first['explanation_id']}").json()["receipt"]["index"]
    assert index == verified.index


def test_a_decision_the_model_would_not_make_is_an_incident_and_no_explanation(running: Any) -> None:
    score = running.explain(running.request()).json()["decision"]["score"]
    agreed = running.request(
        decided={"outcome": "decline", "score": round(score, 2), "at": "2025-11-20T10:15:00Z"}
    )
    assert running.explain(agreed).status_code == 201
    incidents, created = running.entries("incident.raised"), running.entries("explanation.created")
    for decided in (
        {"outcome": "approve"},
        {"score": score + 0.01},
        {"outcome": "decline", "score": 1 - score},
    ):
        refused = running.explain(running.request(decided=decided))
        assert refused.status_code == 409
        assert refused.json()["type"] == "/problems/decision-mismatch"
    assert running.entries("incident.raised") == incidents + 3
    assert running.entries("explanation.created") == created


def test_a_required_counterfactual_that_is_not_found_is_an_incident_and_no_reasons(
    running: Any, upload: Any
) -> None:
    fixed = {"features": {name: {"mutable": False} for name in running.features}, "max_changes": 3}
    assert running.register(upload.with_manifest(model="fixed", counterfactuals=fixed)).status_code == 201
    assert running.approve("fixed").status_code == 200
    told = running.explain(running.request(), "fixed").json()["counterfactuals"]
    assert (told["status"], told["items"]) == ("no_recourse", [])
    created, incidents = running.entries("explanation.created"), running.entries("incident.raised")
    request = running.request(counterfactuals={"count": 1, "required": True})
    refused = running.explain(request, "fixed")
    assert refused.status_code == 503
    assert refused.json()["type"] == "/problems/counterfactual-unavailable"
    assert "It is proved that no permitted change" in refused.json()["detail"]
    assert "reasons" not in refused.json()
    assert running.entries("explanation.created") == created
    assert running.entries("incident.raised") == incidents + 1


def _uuid(text: str) -> UUID:
    return UUID(text)
