"""Combined systems over HTTP: whose reasons are given."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.service.combined_systems import (
    INCOMPLETE,
    JUDGED,
    JUDGED_WELL,
    KNOCKED_OUT,
    NOT_KNOCKED_OUT,
    Combining,
    Sent,
    adverse_factors,
    combined_loans,
    component,
    model,
)


@pytest.fixture(scope="module")
def combining(running: Any, upload: Any) -> Combining:
    return combined_loans(running, upload)


def _told(answer: Sent) -> list[tuple[str, str | None]]:
    return [(reason["factor"], reason["component"]) for reason in answer["reasons"]]


def _warnings(answer: Sent) -> set[str]:
    return {warning["code"] for warning in answer["warnings"]}


def test_a_knock_out_gives_its_own_reason_beside_a_model_that_approves(combining: Combining) -> None:
    answer = combining.explain(combining.approved, KNOCKED_OUT, model("passed"))
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
    answer = combining.explain(combining.declined, model("failed"), KNOCKED_OUT)
    adverse = adverse_factors(answer)
    expected = [("K01", "eligibility"), *((factor, "scorecard") for factor in adverse)]
    assert _told(answer) == expected[:4]
    assert [reason["rank"] for reason in answer["reasons"]] == list(range(1, len(answer["reasons"]) + 1))
    assert answer["counterfactuals"]["status"] in ("found", "partial")
    assert all(item["outcome"] == "approve" for item in answer["counterfactuals"]["items"])
    assert "components_failed" in _warnings(answer)


def test_a_model_that_was_not_used_gives_no_reasons(combining: Combining) -> None:
    answer = combining.explain(combining.declined, KNOCKED_OUT, model("not_used"))
    assert _told(answer) == [("K01", "eligibility")]
    assert answer["combined"]["components"][1]["result"] == "not_used"


def test_a_gray_band_denied_by_judgment_has_reasons_of_both(combining: Combining) -> None:
    for applicant in (combining.gray_adverse, combining.gray_favourable):
        answer = combining.explain(applicant, model("gray"), JUDGED)
        scored = [(factor, "scorecard") for factor in adverse_factors(answer)]
        assert scored
        expected = [scored[0], ("J01", "underwriter"), *scored[1:2], ("J02", "underwriter"), *scored[2:]]
        assert _told(answer) == expected[:4]
        assert answer["combined"]["outcome"] == "decline"
        assert answer["combined"]["components"][0]["result"] == "gray"
        assert "gray_band" not in _warnings(answer)


def test_a_gray_band_that_judgment_approves_has_none(combining: Combining) -> None:
    for applicant in (combining.gray_adverse, combining.gray_favourable):
        application = {"action": "approval", "completed_at": "2025-11-12T08:00:00Z"}
        answer = combining.explain(applicant, model("gray"), JUDGED_WELL, application=application)
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
    left_open = component("underwriter", "judgmental", "gray", "J01")
    answer = combining.explain(combining.declined, left_open, model("failed"))
    first, *others = [(factor, "scorecard") for factor in adverse_factors(answer)]
    assert _told(answer) == [("J01", "underwriter"), first, *others][:4]
    approved = combining.explain(combining.approved, left_open, model("passed"))
    assert (approved["combined"]["outcome"], approved["reasons"]) == ("approve", [])


def test_the_model_alone_denies_what_everybody_else_passed(combining: Combining) -> None:
    answer = combining.explain(combining.declined, NOT_KNOCKED_OUT, model("failed"), JUDGED_WELL)
    expected = [(factor, "scorecard") for factor in adverse_factors(answer)]
    assert _told(answer) == expected[:4]
    assert "components_failed" not in _warnings(answer)


def test_what_everybody_passed_has_no_reasons(combining: Combining) -> None:
    application = {"action": "approval"}
    sent = (NOT_KNOCKED_OUT, model("passed"), JUDGED_WELL)
    answer = combining.explain(combining.approved, *sent, application=application)
    assert (answer["combined"]["favourable"], answer["reasons"], answer["notice"]) == (True, [], None)


def test_a_counteroffer_is_adverse_and_keeps_its_words_private(combining: Combining) -> None:
    application = {
        "action": "counteroffer",
        "completed_at": "2025-11-12T08:00:00Z",
        "requested": "260,000 over 30 years",
        "counteroffer": "180,000 over 30 years",
        "applicant": {"name": "Ana Pérez", "address": ["1 Main Street"]},
    }
    answer = combining.explain(combining.declined, application=application)
    due = "2025-12-12T08:00:00.000000Z"
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
        model("not_used"),
        application={"action": "incompleteness"},
        decided={"outcome": "decline", "at": "2025-11-20T10:15:00Z"},
    )
    assert [reason["code"] for reason in answer["reasons"]] == ["K90"]
    due = "2025-12-20T10:15:00.000000Z"
    assert answer["notice"] == {"clock": "incomplete_application", "due_at": due, "blocked": []}


def test_four_reasons_in_total(combining: Combining) -> None:
    knocked_out = component("eligibility", "knockout", "failed", "K01", "K02")
    answer = combining.explain(combining.gray_adverse, knocked_out, model("gray"), JUDGED)
    (strongest, *_) = adverse_factors(answer)
    assert _told(answer) == [
        ("K01", "eligibility"),
        ("K02", "eligibility"),
        (strongest, "scorecard"),
        ("J01", "underwriter"),
    ]
    entry, private = combining.entry(answer)
    assert len(entry.body["reason_codes"]) == 4
    given = {
        one["name"]: [each["code"] for each in one["reasons"]] for one in private["combined"]["components"]
    }
    assert given == {"eligibility": ["K01", "K02"], "scorecard": [], "underwriter": ["J01", "J02"]}
    assert all(set(one) == {"name", "kind", "result"} for one in answer["combined"]["components"])


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
    two = [answer for answer in declined if len(adverse_factors(answer)) == 2]
    assert two
    for answer in declined:
        assert [reason["factor"] for reason in answer["reasons"]] == adverse_factors(answer)[:4]
