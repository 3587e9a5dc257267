"""Combined systems over HTTP: whose reasons are given, and what contradicts or cannot be."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest

from schemas.answer import Explanation

CATALOGUE = Path(__file__).with_name("combined_catalogue.yaml")
FACTORS = {
    "income": ["income"],
    "debt": ["debt_ratio"],
    "amount": ["loan_amount"],
    "situation": ["dependents", "self_employed"],
    "collateral": ["property_type"],
}
Sent = dict[str, Any]


def _component(name: str, kind: str, result: str, *codes: str, **observed: str) -> Sent:
    reasons = [{"code": code, "observed": observed} for code in codes]
    return {"name": name, "kind": kind, "result": result, "reasons": reasons}


def _model(result: str) -> Sent:
    return _component("scorecard", "model", result)


KNOCKED_OUT = _component("eligibility", "knockout", "failed", "K01", discharged="2025-11-03")
JUDGED = _component("underwriter", "judgmental", "failed", "J01", "J02")
NOT_KNOCKED_OUT = _component("eligibility", "knockout", "passed")
JUDGED_WELL = _component("underwriter", "judgmental", "passed")
INCOMPLETE = _component("intake", "knockout", "failed", "K90")


@dataclass(frozen=True, slots=True)
class Combining:
    """A lender's combined system, and an applicant for each region of its scores."""

    running: Any
    declined: Sent
    approved: Sent
    gray_adverse: Sent
    gray_favourable: Sent

    def request(self, applicant: Sent, *components: Sent, **changes: object) -> Sent:
        sent = {"components": list(components), "counterfactuals": {"count": 1}, **changes}
        request: Sent = self.running.request(features=dict(applicant), **sent)
        return request

    def explain(self, applicant: Sent, *components: Sent, **changes: object) -> Sent:
        response = self.running.explain(self.request(applicant, *components, **changes), "combined")
        assert response.status_code == 201, response.text
        answer: Sent = response.json()
        Explanation.model_validate(answer)
        return answer

    def entry(self, answer: Sent) -> tuple[Any, Sent]:
        """The entry of an answer and its private part, as they are stored."""
        log = self.running.services.log
        stored = log.read(self.running.uuid(answer["explanation_id"]))
        private: Sent = orjson.loads(log.open(stored))
        return stored.entry, private


@pytest.fixture(scope="session")
def combining(running: Any, upload: Any) -> Combining:
    applicants = [
        {**running.features, "income": income, "debt_ratio": debt, "self_employed": False}
        for income in (20.0, 35.0, 45.0, 55.0, 65.0, 150.0)
        for debt in (10.0, 30.0, 45.0, 60.0)
    ]
    rows = [running.request(features=one, counterfactuals={"count": 0}) for one in applicants]
    sent = running.http.post("/v1/models/loans/explanations/batch", json={"decisions": rows})
    scores = [row["explanation"]["decision"]["score"] for row in sent.json()["answers"]]

    def between(least: float, below: float) -> Sent:
        return next(one for one, score in zip(applicants, scores, strict=True) if least <= score < below)

    headers = {"content-type": "application/yaml"}
    registered = running.http.post("/v1/catalogues", content=CATALOGUE.read_bytes(), headers=headers)
    assert registered.status_code == 201, registered.text
    outcome = {
        "adverse": "decline", "favourable": "approve", "score": "probability_of_adverse", "threshold": 0.5,
        "gray_band": [0.2, 0.8],
    }  # fmt: skip
    factors = [{"name": name, "features": features} for name, features in FACTORS.items()]
    manifest = {
        "model": "combined", "outcome": outcome, "factors": factors,
        "catalogue": {"name": "loans-en", "version": "1"},
    }  # fmt: skip
    made = running.register(upload.with_manifest(**manifest))
    assert made.status_code == 201, made.text
    assert running.approve("combined").status_code == 200
    return Combining(running, between(0.8, 1), between(0, 0.2), between(0.5, 0.8), between(0.2, 0.5))


def _adverse_factors(answer: Sent) -> list[str]:
    """The factors that spoke against the applicant, the largest first, added up by hand."""
    phi = {row["feature"]: row["phi"] for row in answer["attribution"]["values"]}
    sums = {factor: sum(phi[name] for name in features) for factor, features in FACTORS.items()}
    return sorted((factor for factor, total in sums.items() if total > 1e-9), key=lambda one: -sums[one])


def _told(answer: Sent) -> list[tuple[str, str | None]]:
    return [(reason["factor"], reason["component"]) for reason in answer["reasons"]]


def _warnings(answer: Sent) -> set[str]:
    return {warning["code"] for warning in answer["warnings"]}


def test_a_knock_out_gives_its_own_reason_beside_a_model_that_approves(combining: Combining) -> None:
    answer = combining.explain(combining.approved, KNOCKED_OUT, _model("passed"))
    assert (answer["decision"]["outcome"], answer["combined"]["outcome"]) == ("approve", "decline")
    assert answer["combined"]["components"] == [
        {"name": "eligibility", "kind": "knockout", "result": "failed"},
        {"name": "scorecard", "kind": "model", "result": "passed"},
    ]
    (reason,) = answer["reasons"]
    assert (reason["rank"], reason["code"], reason["component"]) == (1, "K01", "eligibility")
    assert reason["text"] == "Bankruptcy within the last two years"
    assert (reason["contribution"], reason["share"]) == (None, None)
    assert reason["observed"] == {"discharged": "2025-11-03"}
    assert answer["counterfactuals"]["status"] == "not_needed"
    assert _warnings(answer) == {"components_failed"}
    assert answer["notice"] == {"clock": "unknown", "due_at": None, "blocked": []}
    entry, private = combining.entry(answer)
    assert (entry.body["outcome"], entry.body["favourable"]) == ("decline", False)
    assert entry.body["model_outcome"] == "approve"
    assert entry.body["reason_codes"] == ["K01"]
    assert (entry.body["notice_clock"], entry.body["notice_due_at"]) == ("unknown", None)
    assert entry.body["notice_blocked"] is False
    assert "discharged" not in str(entry)
    assert private["reasons"][0]["given"] == [{"name": "discharged", "text": "2025-11-03"}]


def test_a_knock_out_comes_before_a_model_that_declines_too(combining: Combining) -> None:
    answer = combining.explain(combining.declined, _model("failed"), KNOCKED_OUT)
    adverse = _adverse_factors(answer)
    expected = [("K01", "eligibility"), *((factor, "scorecard") for factor in adverse)]
    assert _told(answer) == expected[:4]
    assert [reason["rank"] for reason in answer["reasons"]] == list(range(1, len(answer["reasons"]) + 1))
    assert answer["counterfactuals"]["status"] in ("found", "partial")
    assert all(item["outcome"] == "approve" for item in answer["counterfactuals"]["items"])
    assert "components_failed" in _warnings(answer)


def test_a_model_that_was_not_used_gives_no_reasons(combining: Combining) -> None:
    answer = combining.explain(combining.declined, KNOCKED_OUT, _model("not_used"))
    assert _told(answer) == [("K01", "eligibility")]
    assert answer["combined"]["components"][1]["result"] == "not_used"


def test_a_gray_band_denied_by_judgment_has_reasons_of_both(combining: Combining) -> None:
    for applicant in (combining.gray_adverse, combining.gray_favourable):
        answer = combining.explain(applicant, _model("gray"), JUDGED)
        model = [(factor, "scorecard") for factor in _adverse_factors(answer)]
        assert model
        expected = [model[0], ("J01", "underwriter"), *model[1:2], ("J02", "underwriter"), *model[2:]]
        assert _told(answer) == expected[:4]
        assert answer["combined"]["outcome"] == "decline"
        assert answer["combined"]["components"][0]["result"] == "gray"
        assert "gray_band" not in _warnings(answer)


def test_a_gray_band_that_judgment_approves_has_none(combining: Combining) -> None:
    for applicant in (combining.gray_adverse, combining.gray_favourable):
        application = {"action": "approval", "completed_at": "2026-11-12T08:00:00Z"}
        answer = combining.explain(applicant, _model("gray"), JUDGED_WELL, application=application)
        assert (answer["combined"]["outcome"], answer["reasons"]) == ("approve", [])
        assert answer["notice"] is None
        entry, _ = combining.entry(answer)
        assert (entry.body["favourable"], entry.body["action"]) == (True, "approval")
        assert not {"notice_clock", "notice_due_at", "notice_blocked"} & entry.body.keys()


def test_without_judgment_the_threshold_decides_and_the_answer_says_so(combining: Combining) -> None:
    for applicant, outcome in ((combining.gray_adverse, "decline"), (combining.gray_favourable, "approve")):
        answer = combining.explain(applicant, NOT_KNOCKED_OUT)
        assert (answer["decision"]["outcome"], answer["combined"]["outcome"]) == (outcome, outcome)
        assert "gray_band" in _warnings(answer)
        alone = combining.explain(applicant)
        assert alone["combined"] is None
        assert "gray_band" in _warnings(alone)
        assert [reason["component"] for reason in alone["reasons"]] == [None] * len(alone["reasons"])
    assert "gray_band" not in _warnings(combining.explain(combining.declined))


def test_judgment_alone_denies_what_the_model_approves(combining: Combining) -> None:
    answer = combining.explain(combining.approved, JUDGED, NOT_KNOCKED_OUT)
    assert _told(answer) == [("J01", "underwriter"), ("J02", "underwriter")]
    assert answer["combined"]["components"][0] == {"name": "model", "kind": "model", "result": "passed"}


def test_judgment_that_came_first_and_left_it_open_shares_in_the_denial(combining: Combining) -> None:
    left_open = _component("underwriter", "judgmental", "gray", "J01")
    answer = combining.explain(combining.declined, left_open, _model("failed"))
    first, *others = [(factor, "scorecard") for factor in _adverse_factors(answer)]
    assert _told(answer) == [("J01", "underwriter"), first, *others][:4]
    approved = combining.explain(combining.approved, left_open, _model("passed"))
    assert (approved["combined"]["outcome"], approved["reasons"]) == ("approve", [])


def test_the_model_alone_denies_what_everybody_else_passed(combining: Combining) -> None:
    answer = combining.explain(combining.declined, NOT_KNOCKED_OUT, _model("failed"), JUDGED_WELL)
    expected = [(factor, "scorecard") for factor in _adverse_factors(answer)]
    assert _told(answer) == expected[:4]
    assert "components_failed" not in _warnings(answer)


def test_what_everybody_passed_has_no_reasons(combining: Combining) -> None:
    application = {"action": "approval"}
    sent = (NOT_KNOCKED_OUT, _model("passed"), JUDGED_WELL)
    answer = combining.explain(combining.approved, *sent, application=application)
    assert (answer["combined"]["favourable"], answer["reasons"], answer["notice"]) == (True, [], None)


def test_a_counteroffer_is_adverse_and_keeps_its_words_private(combining: Combining) -> None:
    application = {
        "action": "counteroffer",
        "completed_at": "2026-11-12T08:00:00Z",
        "requested": "260,000 over 30 years",
        "counteroffer": "180,000 over 30 years",
        "applicant": {"name": "Ana Pérez", "address": ["1 Main Street"]},
    }
    answer = combining.explain(combining.declined, application=application)
    due = "2026-12-12T08:00:00.000000Z"
    assert answer["reasons"]
    assert answer["notice"] == {"clock": "completed_application", "due_at": due, "blocked": []}
    entry, private = combining.entry(answer)
    assert (entry.body["action"], entry.body["notice_due_at"]) == ("counteroffer", due)
    assert "Ana" not in str(entry)
    assert "180,000" not in str(entry)
    assert private["application"]["applicant"] == application["applicant"]
    assert private["application"]["counteroffer"] == application["counteroffer"]


def test_an_application_that_could_not_be_decided_is_incomplete(combining: Combining) -> None:
    answer = combining.explain(
        combining.declined,
        INCOMPLETE,
        _model("not_used"),
        application={"action": "incompleteness"},
        decided={"outcome": "decline", "at": "2026-11-20T10:15:00Z"},
    )
    assert [reason["code"] for reason in answer["reasons"]] == ["K90"]
    due = "2026-12-20T10:15:00.000000Z"
    assert answer["notice"] == {"clock": "incomplete_application", "due_at": due, "blocked": []}


def test_four_reasons_in_total(combining: Combining) -> None:
    knocked_out = _component("eligibility", "knockout", "failed", "K01", "K02")
    answer = combining.explain(combining.gray_adverse, knocked_out, _model("gray"), JUDGED)
    (strongest, *_) = _adverse_factors(answer)
    assert _told(answer) == [
        ("K01", "eligibility"),
        ("K02", "eligibility"),
        (strongest, "scorecard"),
        ("J01", "underwriter"),
    ]
    entry, _ = combining.entry(answer)
    assert len(entry.body["reason_codes"]) == 4


def test_two_reasons_where_two_are_adverse(combining: Combining) -> None:
    applicants = [
        {**combining.declined, "income": income, "loan_amount": amount, "property_type": kind}
        for income in (10.0, 20.0, 150.0)
        for amount in (30, 260, 600)
        for kind in ("condo", "two_to_four")
    ]
    rows = [combining.request(one, counterfactuals={"count": 0}) for one in applicants]
    sent = combining.running.http.post("/v1/models/combined/explanations/batch", json={"decisions": rows})
    answers = [row["explanation"] for row in sent.json()["answers"]]
    declined = [answer for answer in answers if not answer["decision"]["favourable"]]
    two = [answer for answer in declined if len(_adverse_factors(answer)) == 2]
    assert two
    for answer in declined:
        assert [reason["factor"] for reason in answer["reasons"]] == _adverse_factors(answer)[:4]


CONTRADICTIONS: list[tuple[str, tuple[Sent, ...], Sent, str | None]] = [
    ("approved", (_model("failed"),), {}, "/components/0/result"),
    ("approved", (KNOCKED_OUT, _model("failed")), {}, "/components/1/result"),
    ("declined", (_model("passed"),), {}, "/components/0/result"),
    ("declined", (_model("gray"), JUDGED), {}, "/components/0/result"),
    ("gray_adverse", (_model("failed"), JUDGED), {}, "/components/0/result"),
    ("gray_adverse", (_model("gray"), NOT_KNOCKED_OUT), {}, "/components/0/result"),
    ("approved", (_model("not_used"), JUDGED_WELL), {}, "/components/0/result"),
    ("approved", (KNOCKED_OUT,), {"decided": {"outcome": "approve"}}, None),
    ("gray_adverse", (_model("gray"), JUDGED_WELL), {"decided": {"outcome": "decline"}}, None),
    ("approved", (KNOCKED_OUT,), {"decided": {"score": 0.99}}, None),
    ("approved", (), {"application": {"action": "denial"}}, "/application/action"),
    ("approved", (), {"application": {"action": "counteroffer"}}, "/application/action"),
    ("declined", (), {"application": {"action": "approval"}}, "/application/action"),
    ("declined", (), {"application": {"action": "incompleteness"}}, "/application/action"),
    ("declined", (INCOMPLETE, _model("failed")), {}, "/components/0/reasons/0/code"),
    ("approved", (INCOMPLETE,), {}, "/components/0/reasons/0/code"),
]


@pytest.mark.parametrize(("applicant", "components", "changes", "pointer"), CONTRADICTIONS)
def test_what_contradicts_is_an_incident_and_no_explanation(
    combining: Combining, applicant: str, components: tuple[Sent, ...], changes: Sent, pointer: str | None
) -> None:
    running = combining.running
    created, incidents = running.entries("explanation.created"), running.entries("incident.raised")
    request = combining.request(getattr(combining, applicant), *components, **changes)
    refused = running.explain(request, "combined")
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/decision-mismatch"), refused.text
    assert [flaw["pointer"] for flaw in refused.json().get("errors", [])] == ([pointer] if pointer else [])
    assert "reasons" not in refused.json()
    assert running.entries("explanation.created") == created
    assert running.entries("incident.raised") == incidents + 1
    with psycopg.connect(running.admin_url) as conn:
        (newest,) = conn.execute(
            "select entry_id from audit.entry where type = 'incident.raised' order by time desc limit 1"
        ).fetchone()  # type: ignore[misc]
    stored = running.services.log.read(newest)
    assert stored.entry.body["kind"] == "decision-mismatch"
    assert request["decision_id"] not in str(stored.entry)
    private = running.services.log.open(stored)
    assert request["decision_id"].encode() in private
    assert '"said"' in private.decode()


MALFORMED: list[tuple[tuple[Sent, ...], Sent, str]] = [
    ((_component("a", "knockout", "failed", "K77"),), {}, "/components/0/reasons/0/code"),
    ((NOT_KNOCKED_OUT, _component("a", "knockout", "failed", "J01")), {}, "/components/1/reasons/0/code"),
    ((_component("a", "knockout", "failed"),), {}, "/components/0/reasons"),
    ((_component("a", "knockout", "passed", "K01"),), {}, "/components/0/reasons"),
    ((_component("a", "model", "failed", "R05"),), {}, "/components/0/reasons"),
    ((_component("a", "knockout", "gray", "K01"),), {}, "/components/0/result"),
    ((_component("a", "judgmental", "not_used"),), {}, "/components/0/result"),
    ((KNOCKED_OUT, {**JUDGED, "name": "eligibility"}), {}, "/components/1/name"),
    ((_model("passed"), {**_model("passed"), "name": "b"}), {}, "/components/1/kind"),
    ((), {"application": {"applicant": {"name": "x" * 513}}}, "/application/applicant/name"),
    ((), {"application": {"applicant": {"name": "a\nb"}}}, "/application/applicant/name"),
    ((), {"application": {"action": "denial", "counteroffer": "less"}}, "/application/counteroffer"),
]


@pytest.mark.parametrize(("components", "changes", "pointer"), MALFORMED)
def test_what_cannot_be_is_named_and_nothing_is_stored(
    combining: Combining, components: tuple[Sent, ...], changes: Sent, pointer: str
) -> None:
    before = combining.running.entries()
    request = combining.request(combining.approved, *components, **changes)
    refused = combining.running.explain(request, "combined")
    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/invalid-input"), refused.text
    assert pointer in [flaw["pointer"] for flaw in refused.json()["errors"]]
    assert combining.running.entries() == before


def test_a_retry_has_the_first_answer_and_other_components_are_another_question(
    combining: Combining,
) -> None:
    running, log = combining.running, combining.running.services.log
    application = {"action": "denial", "applicant": {"name": "Ana"}}
    request = combining.request(combining.approved, KNOCKED_OUT, application=application)
    first = running.explain(request, "combined").json()
    before = running.entries()
    again = running.explain({**request, "application": {"action": "withdrawal"}}, "combined").json()
    times = {"timings_ms": None, "late": False}
    assert {**again, **times} == {**first, **times}
    refused = running.explain({**request, "components": [JUDGED]}, "combined")
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/decision-conflict")
    assert running.entries() == before
    read = running.http.get(f"/v1/explanations/{first['explanation_id']}").json()
    assert {**read, **times} == {**first, **times}
    assert orjson.loads(log.open(log.read(running.uuid(first["explanation_id"]))))["combined"]


def test_a_batch_answers_each_row_as_if_it_had_come_alone(combining: Combining) -> None:
    rows = [
        combining.request(combining.approved, KNOCKED_OUT),
        combining.request(combining.gray_favourable, _model("gray"), JUDGED),
        combining.request(combining.approved, _model("failed")),
        combining.request(combining.approved, _component("a", "knockout", "failed", "K77")),
        combining.request(combining.declined, application={"action": "withdrawal"}),
    ]
    incidents = combining.running.entries("incident.raised")
    sent = combining.running.http.post("/v1/models/combined/explanations/batch", json={"decisions": rows})
    answers = sent.json()["answers"]
    assert [answer["status"] for answer in answers] == [201, 201, 409, 422, 201]
    assert combining.running.entries("incident.raised") == incidents + 1
    assert answers[2]["problem"]["errors"][0]["pointer"] == "/components/0/result"
    assert answers[3]["problem"]["errors"][0]["pointer"] == "/components/0/reasons/0/code"
    assert answers[4]["explanation"]["notice"] is None
    for row, answer in zip(rows[:2], answers[:2], strict=True):
        alone = combining.running.explain({**row, "decision_id": row["decision_id"] + "-alone"}, "combined")
        for name in ("decision", "combined", "reasons", "notice", "warnings", "counterfactuals"):
            assert answer["explanation"][name] == alone.json()[name], name
