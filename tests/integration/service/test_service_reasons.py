"""Reasons at which a notice stops, key factors, and the dates of a notice, over HTTP."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest
import yaml

from explain.errors import ExplainError
from schemas.answer import Explanation
from service.explanations import submitting
from tests.integration.service.combined_systems import (
    FACTORS,
    JUDGED,
    adverse_factors,
    combined_loans,
    component,
    model,
)

NOTICE = {"creditor": "Bank", "address": "1 Main Street", "agency": "CFPB, Washington"}


def _manifest(upload: Any, model: str, marks: dict[str, dict[str, object]], **changes: Any) -> Any:
    """The manifest of `loans` with marks on features, which may not change then, under another name."""
    manifest = yaml.safe_load(upload.manifest)
    marked = [{**feature, **marks.get(feature["name"], {})} for feature in manifest["features"]]
    freedom = manifest["counterfactuals"]
    freedom["features"] |= {name: {"mutable": False} for name in marks}
    return upload.with_manifest(model=model, features=marked, counterfactuals=freedom, **changes)


def _serve(running: Any, upload: Any) -> None:
    made = running.register(upload)
    assert made.status_code == 201, made.text
    assert running.approve(made.json()["model"]).status_code == 200


@pytest.fixture(scope="module")
def marked(running: Any, upload: Any) -> str:
    """A model that scores a sensitive input and a declared proxy; both are principal for the applicant."""
    marks = {"income": {"sensitive": True}, "property_type": {"proxy_for": ["race"]}}
    _serve(running, _manifest(upload, "marked", marks))
    return "marked"


def _incidents(running: Any, answer: dict[str, Any]) -> list[Any]:
    about = running.services.log.about(running.uuid(answer["explanation_id"]))
    return [stored for stored in about if stored.entry.type == "incident.raised"]


def _marked_reasons(answer: dict[str, Any]) -> dict[str, list[str]]:
    marks = ("sensitive", "proxy")
    return {mark: [reason["factor"] for reason in answer["reasons"] if reason[mark]] for mark in marks}


def test_a_reason_that_stops_a_notice_is_answered_and_an_incident(running: Any, marked: str) -> None:
    request = running.request()
    response = running.explain(request, marked)
    assert response.status_code == 201
    answer = response.json()
    Explanation.model_validate(answer)
    assert _marked_reasons(answer) == {"sensitive": ["income"], "proxy": ["collateral"]}
    warned = {warning["code"] for warning in answer["warnings"]}
    assert {"sensitive_reason", "proxy_reason"} <= warned
    in_order = [reason["factor"] for reason in answer["reasons"] if reason["sensitive"] or reason["proxy"]]
    assert answer["notice"]["blocked"] == in_order
    raised = {stored.entry.body["kind"]: stored for stored in _incidents(running, answer)}
    assert set(raised) == {"sensitive-reason", "proxy-reason"}
    for kind, factor in (("sensitive-reason", "income"), ("proxy-reason", "collateral")):
        entry, private = raised[kind].entry, orjson.loads(running.services.log.open(raised[kind]))
        assert (entry.body["model"], entry.body["version"]) == (marked, "1")
        assert not any(
            text in str(entry) for text in (request["decision_id"], request["subject_ref"], factor)
        )
        assert private["factors"] == [factor]
        assert private["decision_id"] == request["decision_id"]
    explained = running.services.log.read(running.uuid(answer["explanation_id"])).entry
    assert explained.body["notice_blocked"] is True


def test_the_incident_is_raised_once_however_often_the_decision_is_sent(running: Any, marked: str) -> None:
    request = running.request()
    with ThreadPoolExecutor(8) as pool:
        answers = [sent.json() for sent in pool.map(lambda _: running.explain(request, marked), range(8))]
    entries = running.entries()
    again = running.explain(request, marked).json()
    assert {answer["explanation_id"] for answer in answers} == {again["explanation_id"]}
    assert len(_incidents(running, again)) == 2
    assert running.entries() == entries + 1  # that it was read


@pytest.mark.parametrize("how", ["retry", "read", "batch"])
def test_a_call_that_ended_before_its_incident_is_made_good_by_the_next(
    running: Any, marked: str, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ended(*_: object) -> bool:
        raise ExplainError("the process went away")

    request = running.request()
    with monkeypatch.context() as patched:
        patched.setattr(submitting, "escalate", ended)
        assert running.explain(request, marked).status_code == 500
    before = running.entries("incident.raised")
    if how == "retry":
        answer = running.explain(request, marked).json()
    elif how == "read":
        asked = {"model": marked, "decision_id": request["decision_id"]}
        (answer,) = running.http.get("/v1/explanations", params=asked).json()["explanations"]
    else:
        sent = running.http.post(f"/v1/models/{marked}/explanations/batch", json={"decisions": [request]})
        answer = sent.json()["answers"][0]["explanation"]
    assert len(_incidents(running, answer)) == 2
    assert running.explain(request, marked).json()["explanation_id"] == answer["explanation_id"]
    assert running.entries("incident.raised") == before + 2


def test_in_a_batch_too(running: Any, marked: str) -> None:
    favourable = {**running.features, "income": 150.0, "debt_ratio": 10.0, "loan_amount": 60}
    rows = [running.request(), running.request(features=favourable), running.request()]
    rows.append(dict(rows[0]))
    before = running.entries("incident.raised")
    sent = running.http.post(f"/v1/models/{marked}/explanations/batch", json={"decisions": rows})
    answers = [row["explanation"] for row in sent.json()["answers"]]
    assert [len(_incidents(running, answer)) for answer in answers] == [2, 0, 2, 2]
    assert running.entries("incident.raised") == before + 4


def test_nothing_stops_the_notice_of_plain_reasons(running: Any) -> None:
    answer = running.explain(running.request()).json()
    assert answer["notice"] == {"clock": "unknown", "due_at": None, "blocked": []}
    assert _incidents(running, answer) == []


def test_a_principal_factor_that_others_left_no_place_for_stops_the_notice_too(
    running: Any, upload: Any
) -> None:
    combining = combined_loans(running, upload)
    plain = combining.explain(combining.declined, model("failed"))
    first, second, third, *_ = adverse_factors(plain)
    crowd = [component("eligibility", "knockout", "failed", "K01", "K02"), model("failed"), JUDGED]
    factors = [{"name": name, "features": features} for name, features in FACTORS.items()]
    marks: dict[str, dict[str, object]] = {FACTORS[second][0]: {"sensitive": True}}
    marks[FACTORS[third][0]] = {"proxy_for": ["race"]}
    catalogue = {"name": "loans-en", "version": "1"}
    _serve(running, _manifest(upload, "crowded", marks, factors=factors, catalogue=catalogue, notice=NOTICE))
    request = combining.request(combining.declined, *crowd)
    answer = running.explain(request, "crowded").json()
    Explanation.model_validate(answer)
    assert [reason["factor"] for reason in answer["reasons"]] == ["K01", "K02", first, "J01"]
    assert answer["notice"]["blocked"] == [second, third]
    assert {"sensitive_reason", "proxy_reason"} <= {warning["code"] for warning in answer["warnings"]}
    raised = {one.entry.body["kind"]: one for one in _incidents(running, answer)}
    assert set(raised) == {"sensitive-reason", "proxy-reason"}
    for kind, factor in (("sensitive-reason", second), ("proxy-reason", third)):
        private = orjson.loads(running.services.log.open(raised[kind]))
        assert private["factors"] == [factor]
    refused = running.http.get(f"/v1/explanations/{answer['explanation_id']}/notice")
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/notice-blocked")
    aside = [crowd[0], model("not_used"), JUDGED]
    unused = running.explain(combining.request(combining.declined, *aside), "crowded").json()
    assert (unused["notice"]["blocked"], _incidents(running, unused)) == ([], [])


def test_a_sensitive_key_factor_of_a_disclosed_score_stops_the_notice_too(running: Any, upload: Any) -> None:
    """A fixed rule denied whom the model approved: what moved its score is no reason, but would be told."""
    combining = combined_loans(running, upload)
    factors = [{"name": name, "features": features} for name, features in FACTORS.items()]
    notice = {**NOTICE, "consumer_report_score": {"range": [0, 1], "source": "Bank"}}
    catalogue = {"name": "loans-en", "version": "1"}
    of_all = {"catalogue": catalogue, "factors": factors, "notice": notice}
    _serve(running, _manifest(upload, "disclosing", {}, **of_all))
    rule = component("eligibility", "knockout", "failed", "K01")
    request = combining.request(combining.approved, rule, model("passed"))
    log = running.services.log

    def private(answer: dict[str, Any]) -> Any:
        return orjson.loads(log.open(log.read(running.uuid(answer["explanation_id"]))))

    plain = running.explain(request, "disclosing").json()
    told = [one["factor"] for one in private(plain)["key_factors"]]
    assert told
    assert plain["notice"]["blocked"] == []
    marks = {FACTORS[told[0]][0]: {"sensitive": True}}
    _serve(running, _manifest(upload, "disclosing-sensitive", marks, **of_all))
    answer = running.explain(request, "disclosing-sensitive").json()
    assert [reason["factor"] for reason in answer["reasons"]] == ["K01"]
    assert answer["notice"]["blocked"] == [told[0]]
    assert log.read(running.uuid(answer["explanation_id"])).entry.body["notice_blocked"] is True
    (raised,) = _incidents(running, answer)
    assert raised.entry.body["kind"] == "sensitive-reason"
    assert orjson.loads(log.open(raised))["factors"] == [told[0]]
    refused = running.http.get(f"/v1/explanations/{answer['explanation_id']}/notice")
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/notice-blocked")


def test_a_notice_is_owed_where_lenders_live(running: Any, upload: Any) -> None:
    marks = {"income": {"sensitive": True}}
    _serve(running, _manifest(upload, "elsewhere", marks, profile="general"))
    answer = running.explain(running.request(), "elsewhere").json()
    assert (answer["decision"]["outcome"], answer["notice"]) == ("decline", None)
    body = running.services.log.read(running.uuid(answer["explanation_id"])).entry.body
    assert not {"notice_clock", "notice_due_at"} & body.keys()
    assert body["notice_blocked"] is True
    assert len(_incidents(running, answer)) == 1


def test_an_action_on_an_account_counts_from_the_entry_or_from_the_decision(running: Any) -> None:
    taken = {"action": "account_termination", "completed_at": "2025-11-12T08:00:00Z"}
    answer = running.explain(running.request(application=taken)).json()
    recorded = datetime.fromisoformat(answer["receipt"]["time"])
    assert answer["notice"]["clock"] == "existing_account"
    assert datetime.fromisoformat(answer["notice"]["due_at"]) == recorded + timedelta(days=30)
    decided = {"at": "2025-11-20T10:15:00+01:00"}
    answer = running.explain(running.request(application=taken, decided=decided)).json()
    assert answer["notice"]["due_at"] == "2025-12-20T09:15:00.000000Z"


def test_a_missing_value_worded_as_a_value_is_said(running: Any) -> None:
    applicants = [
        {
            **running.features,
            "debt_ratio": None,
            "income": income,
            "loan_amount": amount,
            "property_type": kind,
        }
        for income in (5.0, 21.0, 45.0, 60.0)
        for amount in (30, 150, 500)
        for kind in ("condo", "two_to_four")
    ]
    rows = [running.request(features=one, counterfactuals={"count": 0}) for one in applicants]
    sent = running.http.post("/v1/models/loans/explanations/batch", json={"decisions": rows})
    answers = [row["explanation"] for row in sent.json()["answers"]]
    worded = 0
    for answer in answers:
        told = {warning["code"] for warning in answer["warnings"]}
        principal = "debt" in [reason["factor"] for reason in answer["reasons"]]
        assert ("worded_as_value" in told) == principal
        worded += principal
    assert worded


def test_a_score_that_is_a_consumer_report_keeps_its_key_factors(running: Any, upload: Any) -> None:
    score = {"range": [0, 1], "source": "Bank"}
    factors = yaml.safe_load(upload.manifest)["factors"]
    counted = [{**factor, "inquiries": factor["name"] == "situation"} for factor in factors]
    notice = {**NOTICE, "consumer_report_score": score}
    _serve(running, upload.with_manifest(model="bureau", factors=counted, notice=notice))
    answer = running.explain(running.request(), "bureau").json()
    log = running.services.log
    private = orjson.loads(log.open(log.read(running.uuid(answer["explanation_id"]))))
    phi = {row["feature"]: row["phi"] for row in answer["attribution"]["values"]}
    sums = {factor["name"]: sum(phi[name] for name in factor["features"]) for factor in factors}
    adverse = sorted((name for name, total in sums.items() if total > 1e-9), key=lambda one: -sums[one])
    fifth = ["situation"] if "situation" in adverse[4:] else []
    assert [one["factor"] for one in private["key_factors"]] == adverse[:4] + fifth
    for one in private["key_factors"]:
        assert float(one["contribution"]) == pytest.approx(sums[one["factor"]], abs=1e-9)
    favourable = {**running.features, "income": 150.0, "debt_ratio": 10.0, "loan_amount": 60}
    approved = running.explain(running.request(features=favourable), "bureau").json()
    kept = orjson.loads(log.open(log.read(running.uuid(approved["explanation_id"]))))
    assert "key_factors" not in kept
