"""Erasures over HTTP: what is asked, refused, waited for, and what answers afterwards."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from audit.retention import add_months
from audit.verify import verify_evidence
from schemas.base import format_moment
from schemas.erasure import ErasureRefusal
from tests.integration.service.custody.conftest import HALF_A_YEAR, SIGNER, Office


def test_after_an_erasure_everything_about_a_person_says_so(office: Office) -> None:
    decided = office.decide(
        "Jane-Doe-1", model="loans", decision_id="E-1", application={"action": "withdrawal"}
    )
    mine, other = office.decide("Jane-Doe-2", decision_id="E-2"), office.decide("S-other")
    path = f"/v1/explanations/{mine['explanation_id']}"
    letter = office.http.get(f"{path}/notice", params={"template": "explanation"})
    assert letter.status_code == 200, letter.text
    office.turn()
    office.pass_time(HALF_A_YEAR)
    asked = office.erase(subject_ref="Jane-Doe-2", basis="consent_withdrawn")
    assert (asked["state"], asked["completed_at"]) == ("scheduled", None)
    office.turn()
    done = office.look(asked)
    assert (done["state"], done["entries"], done["indexes"]) == ("completed", 2, 2)
    completed_at = datetime.fromisoformat(done["completed_at"])
    assert done["backups_gone_by"] == format_moment(completed_at + timedelta(days=35))
    assert done["receipt"]["entry_id"] == done["requested_entry_id"] == asked["receipt"]["entry_id"]
    assert done["completed_receipt"]["entry_id"] == done["completed_entry_id"]

    gone = ["", "/notice", "/notice?template=explanation", "/narrative", "/proof"]
    for suffix in gone:
        answer = office.http.get(path + suffix)
        assert (answer.status_code, answer.json()["type"]) == (410, "/problems/erased"), suffix
    sent = {"sent_at": format_moment(office.clock.now()), "channel": "mail"}
    assert office.http.post(f"{path}/notice/sent", json=sent).status_code == 410
    closed = office.http.get(f"{path}/proof", params={"disclose": "none"})
    assert closed.status_code == 200
    vkeys = [SIGNER.verifier.vkey]
    assert str(verify_evidence(closed.content, vkeys).entry.entry_id) == mine["explanation_id"]
    found = office.http.get("/v1/explanations", params={"model": "plain", "decision_id": "E-2"})
    assert found.json()["explanations"] == []
    for kept in (decided, other):
        assert office.http.get(f"/v1/explanations/{kept['explanation_id']}").status_code == 200

    again = office.decide("Jane-Doe-2", decision_id="E-2")
    assert again["explanation_id"] != mine["explanation_id"]
    assert not any("Jane" in line for line in office.lines)


def test_a_refusal_names_its_ground_and_is_on_record(office: Office) -> None:
    decided = office.decide("R-1", decision_id="R-1")
    before = office.running.entries("erasure.refused")
    refused = office.erase(409, subject_ref="R-1")
    ErasureRefusal.model_validate(refused)
    until = format_moment(add_months(datetime.fromisoformat(decided["created_at"]), 6))
    assert (refused["type"], refused["ground"]) == ("/problems/erasure-refused", "retention")
    assert (refused["retained_until"], refused["hold_ids"]) == (until, [])
    assert refused["retention_classes"] == ["standard"]
    assert refused["rules"]
    assert all("Article" in rule and "(" in rule for rule in refused["rules"])
    assert refused["rules"][0] in refused["detail"]
    assert office.erase(409, subject_ref="R-1")["erasure_id"] == refused["erasure_id"]
    assert office.running.entries("erasure.refused") == before + 1
    assert office.look(refused)["state"] == "refused"

    scheduled = office.erase(subject_ref="R-1", effective_at=until)
    assert scheduled["effective_at"] == until
    assert office.erase(subject_ref="R-1", effective_at=until) == scheduled
    conflict = office.erase(409, subject_ref="R-1", effective_at=until, basis="objection")
    assert conflict["type"] == "/problems/erasure-conflict"
    again = office.erase(409, subject_ref="R-1")
    assert (again["type"], again["ground"]) == ("/problems/erasure-refused", "retention")
    assert office.look(scheduled) == scheduled


def test_a_second_request_brings_an_erasure_forward_and_never_puts_it_off(office: Office) -> None:
    decided = office.decide("B-1", decision_id="B-1")
    office.pass_time(HALF_A_YEAR)
    before = office.running.entries("erasure.requested")
    far, near = (format_moment(office.clock.now() + timedelta(days=days)) for days in (4000, 40))
    first = office.erase(subject_ref="B-1", effective_at=far, basis="objection")
    moved = office.erase(subject_ref="B-1", effective_at=near)
    assert (moved["erasure_id"], moved["effective_at"]) == (first["erasure_id"], near)
    assert (moved["state"], moved["basis"]) == ("scheduled", "objection")
    assert moved["receipt"]["entry_id"] == moved["requested_entry_id"] != first["requested_entry_id"]
    for later in (near, far):
        assert office.erase(subject_ref="B-1", effective_at=later) == moved
    assert office.running.entries("erasure.requested") == before + 2
    office.erase(subject_ref="B-1")
    office.turn()
    done = office.look(first)
    assert done["state"] == "completed"
    assert office.http.get(f"/v1/explanations/{decided['explanation_id']}").status_code == 410
    # Whoever lost an answer is told the same, whichever of the requests it was.
    for at in ({}, {"effective_at": near}, {"effective_at": far, "basis": "objection"}):
        assert office.erase(subject_ref="B-1", **at) == done


def test_a_time_that_cannot_be_meant_is_pointed_at(office: Office) -> None:
    office.decide("T-1")
    now, before = office.clock.now(), office.running.entries()
    for years in (-31, 31):
        told = office.erase(422, subject_ref="T-1", effective_at=format_moment(add_months(now, 12 * years)))
        assert [error["pointer"] for error in told["errors"]] == ["/effective_at"]
        assert "30 years" in told["errors"][0]["detail"]
    assert office.running.entries() == before
    for years in (-30, 30):
        moment = format_moment(add_months(now, 12 * years))
        office.erase(202 if years > 0 else 409, subject_ref="T-1", effective_at=moment)


def test_while_a_notice_is_owed_the_period_has_not_begun(office: Office) -> None:
    application = {"action": "denial", "completed_at": format_moment(office.clock.now() - timedelta(days=2))}
    decided = office.decide("N-1", model="loans", application=application)
    office.pass_time(3 * 366 * 86_400)
    refused = office.erase(409, subject_ref="N-1")
    assert (refused["ground"], refused["retained_until"]) == ("retention", None)
    sent_at = office.clock.now()
    sent = {"sent_at": format_moment(sent_at), "channel": "mail"}
    path = f"/v1/explanations/{decided['explanation_id']}/notice/sent"
    assert office.http.post(path, json=sent).status_code == 201
    refused = office.erase(409, subject_ref="N-1")
    assert refused["retained_until"] == format_moment(add_months(sent_at, 25))


def test_nobody_unknown_is_erased_and_nothing_is_stored(office: Office) -> None:
    office.decide("known")
    before = office.running.entries()
    unknown: list[dict[str, Any]] = [
        {"subject_ref": "unknown"},
        {"model": "plain", "decision_id": "none"},
    ]
    for body in unknown:
        assert office.erase(404, **body)["type"] == "/problems/not-found"
    assert office.http.get("/v1/erasures/01aa0000-0000-7000-8000-000000000000").status_code == 404
    assert office.running.entries() == before


def test_a_decision_about_nobody_is_erased_by_its_own_id(office: Office) -> None:
    decided = office.decide(None, decision_id="D-1")
    office.pass_time(HALF_A_YEAR)
    asked = office.erase(model="plain", decision_id="D-1")
    office.turn()
    assert office.look(asked)["state"] == "completed"
    assert office.http.get(f"/v1/explanations/{decided['explanation_id']}").status_code == 410


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({"effective_at": "2027-01-01T00:00:00Z"}, ["/subject_ref"]),
        ({"subject_ref": "S", "model": "m"}, ["/model"]),
        ({"model": "m"}, ["/decision_id"]),
        ({"subject_ref": ""}, ["/subject_ref"]),
        ({"subject_ref": "S", "effective_at": "tomorrow"}, ["/effective_at"]),
        ({"subject_ref": "S", "basis": "Jane asked for it"}, ["/basis"]),
        ({"subject_ref": "S", "note": "Jane"}, ["/note"]),
    ],
)
def test_what_is_wrong_is_pointed_at_and_never_repeated(
    office: Office, body: dict[str, Any], pointers: list[str]
) -> None:
    answer = office.http.post("/v1/erasures", json=body)
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == pointers
    assert "Jane" not in answer.text
