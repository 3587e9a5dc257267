"""Combined systems over HTTP: what contradicts, what cannot be, retries and batches."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import psycopg
import pytest

from tests.integration.service.combined_systems import (
    INCOMPLETE,
    JUDGED,
    JUDGED_WELL,
    KNOCKED_OUT,
    NOT_KNOCKED_OUT,
    Combining,
    Sent,
    combined_loans,
    component,
    model,
)


@pytest.fixture(scope="module")
def combining(running: Any, upload: Any) -> Combining:
    return combined_loans(running, upload)


CONTRADICTIONS: list[tuple[str, tuple[Sent, ...], Sent, str]] = [
    ("approved", (model("failed"),), {}, "/components/0/result"),
    ("approved", (KNOCKED_OUT, model("failed")), {}, "/components/1/result"),
    ("declined", (model("passed"),), {}, "/components/0/result"),
    ("declined", (model("gray"), JUDGED), {}, "/components/0/result"),
    ("gray_adverse", (model("failed"), JUDGED), {}, "/components/0/result"),
    ("gray_adverse", (model("gray"), NOT_KNOCKED_OUT), {}, "/components/0/result"),
    ("approved", (model("not_used"), JUDGED_WELL), {}, "/components/0/result"),
    ("approved", (KNOCKED_OUT,), {"decided": {"outcome": "approve"}}, "/decided/outcome"),
    ("gray_adverse", (model("gray"), JUDGED_WELL), {"decided": {"outcome": "decline"}}, "/decided/outcome"),
    ("approved", (KNOCKED_OUT,), {"decided": {"score": 0.99}}, "/decided/score"),
    ("approved", (), {"application": {"action": "denial"}}, "/application/action"),
    ("approved", (), {"application": {"action": "counteroffer"}}, "/application/action"),
    ("declined", (), {"application": {"action": "approval"}}, "/application/action"),
    ("declined", (), {"application": {"action": "incompleteness"}}, "/application/action"),
    ("declined", (INCOMPLETE, model("failed")), {}, "/components/0/reasons/0/code"),
    ("approved", (INCOMPLETE,), {}, "/components/0/reasons/0/code"),
]


@pytest.mark.parametrize(("applicant", "components", "changes", "pointer"), CONTRADICTIONS)
def test_what_contradicts_is_an_incident_and_no_explanation(
    combining: Combining, applicant: str, components: tuple[Sent, ...], changes: Sent, pointer: str
) -> None:
    running = combining.running
    created, incidents = running.entries("explanation.created"), running.entries("incident.raised")
    request = combining.request(getattr(combining, applicant), *components, **changes)
    refused = running.explain(request, "combined")
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/decision-mismatch"), refused.text
    assert [flaw["pointer"] for flaw in refused.json().get("errors", [])] == [pointer]
    assert "reasons" not in refused.json()
    assert running.entries("explanation.created") == created
    assert running.entries("incident.raised") == incidents + 1
    with psycopg.connect(running.admin_url) as conn:
        (newest,) = conn.execute(
            "select entry_id from audit.entry where type = 'incident.raised' order by time desc limit 1"
        ).fetchone()  # type: ignore[misc]
    stored = running.services.log.read(newest)
    assert refused.json()["incident_id"] == str(newest)
    assert stored.entry.body["kind"] == "decision-mismatch"
    assert request["decision_id"] not in str(stored.entry)
    private = running.services.log.open(stored)
    assert request["decision_id"].encode() in private
    assert '"said"' in private.decode()


MALFORMED: list[tuple[tuple[Sent, ...], Sent, str]] = [
    ((component("a", "knockout", "failed", "K77"),), {}, "/components/0/reasons/0/code"),
    ((NOT_KNOCKED_OUT, component("a", "knockout", "failed", "J01")), {}, "/components/1/reasons/0/code"),
    ((component("a", "knockout", "failed"),), {}, "/components/0/reasons"),
    ((component("a", "knockout", "passed", "K01"),), {}, "/components/0/reasons"),
    ((component("a", "model", "failed", "R05"),), {}, "/components/0/reasons"),
    ((component("a", "knockout", "gray", "K01"),), {}, "/components/0/result"),
    ((component("a", "judgmental", "not_used"),), {}, "/components/0/result"),
    ((KNOCKED_OUT, {**JUDGED, "name": "eligibility"}), {}, "/components/1/name"),
    ((NOT_KNOCKED_OUT, component("model", "knockout", "failed", "K01")), {}, "/components/1/name"),
    ((model("passed"), {**model("passed"), "name": "b"}), {}, "/components/1/kind"),
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


SCORE: Sent = {"value": 600, "range": [300, 850], "source": "Bureau"}
AGENCY: Sent = {"name": "Bureau", "address": "1 Main Street", "telephone": "+1 800 555 0100"}


def _at(**ago: float) -> str:
    return (datetime.now(UTC) - timedelta(**ago)).isoformat()


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"decided": {"at": "2099-01-01T00:00:00Z"}}, "/decided/at"),
        ({"decided": {"at": _at(minutes=-30)}}, "/decided/at"),
        ({"application": {"completed_at": "2099-01-01T00:00:00Z"}}, "/application/completed_at"),
        ({"application": {"completed_at": "9999-12-31T23:59:59Z"}}, "/application/completed_at"),
        (
            {"decided": {"at": _at(days=3)}, "application": {"completed_at": _at(days=2)}},
            "/application/completed_at",
        ),
        (
            {
                "application": {
                    "consumer_reports": [
                        {"agency": AGENCY},
                        {"agency": AGENCY, "score": {**SCORE, "created_at": _at(days=-2)}},
                    ]
                }
            },
            "/application/consumer_reports/1/score/created_at",
        ),
    ],
)
def test_a_time_that_cannot_be_is_named_and_starts_no_clock(
    combining: Combining, changes: Sent, pointer: str
) -> None:
    before = combining.running.entries()
    request = combining.request(combining.declined, **changes)
    alone = combining.running.explain(request, "combined")
    body = {"decisions": [request]}
    sent = combining.running.http.post("/v1/models/combined/explanations/batch", json=body)
    (answer,) = sent.json()["answers"]
    for status, problem in ((alone.status_code, alone.json()), (answer["status"], answer["problem"])):
        assert (status, problem["type"]) == (422, "/problems/invalid-input")
        assert [flaw["pointer"] for flaw in problem["errors"]] == [pointer]
    assert combining.running.entries() == before


def test_clocks_may_differ_by_a_minute(combining: Combining) -> None:
    ahead = {"decided": {"at": _at(seconds=-30)}, "application": {"completed_at": _at(seconds=-40)}}
    assert combining.explain(combining.declined, **ahead)["notice"]["clock"] == "completed_application"
    apart = {"decided": {"at": _at(days=1)}, "application": {"completed_at": _at(days=1, seconds=-50)}}
    assert combining.explain(combining.declined, **apart)["notice"]["clock"] == "completed_application"


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
    assert running.entries() == before + 1  # the retry was a reading; the refusal disclosed nothing
    read = running.http.get(f"/v1/explanations/{first['explanation_id']}").json()
    assert {**read, **times} == {**first, **times, "standing": None}
    assert orjson.loads(log.open(log.read(running.uuid(first["explanation_id"]))))["combined"]


def test_a_batch_answers_each_row_as_if_it_had_come_alone(combining: Combining) -> None:
    rows = [
        combining.request(combining.approved, KNOCKED_OUT),
        combining.request(combining.gray_favourable, model("gray"), JUDGED),
        combining.request(combining.approved, model("failed")),
        combining.request(combining.approved, component("a", "knockout", "failed", "K77")),
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
