"""Letters about a decision that a person overrode: none is made that is no longer true, none changed."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from runtime.clock import SystemClock
from schemas.base import format_moment
from tests.integration.service.replays import identical

BANK = {
    "creditor": "Example Bank",
    "address": "1 Main Street, Springfield",
    "agency": "Bureau of Consumer Financial Protection, 1700 G Street NW, Washington, DC 20552",
}


@pytest.fixture(scope="module")
def overriding(running: Any, upload: Any) -> Any:
    """The service with a version that names its creditor."""
    made = running.register(upload.with_manifest(model="overriding", notice=BANK))
    assert made.status_code == 201, made.text
    assert running.approve("overriding").status_code == 200
    return running


def _declined(overriding: Any, **changes: object) -> str:
    application = {"action": "denial", "completed_at": "2026-01-05T08:00:00Z"}
    request = overriding.request(application=application, counterfactuals={"count": 0}, **changes)
    made = overriding.explain(request, "overriding")
    assert made.status_code == 201, made.text
    return str(made.json()["explanation_id"])


def _reviewed(overriding: Any, explanation_id: str, **document: object) -> dict[str, Any]:
    made = overriding.http.post(f"/v1/explanations/{explanation_id}/review", json=document)
    assert made.status_code == 201, made.text
    found: dict[str, Any] = made.json()
    return found


def _letter(
    overriding: Any, explanation_id: str, template: str = "adverse_action", accept: str = "text/html"
) -> httpx.Response:
    where, asked = f"/v1/explanations/{explanation_id}/notice", {"template": template}
    found: httpx.Response = overriding.http.get(where, params=asked, headers={"accept": accept})
    return found


def _refused(overriding: Any, explanation_id: str, review: dict[str, Any], **asked: str) -> None:
    """The notice is not handed out, and nothing is put on record for it."""
    before = overriding.entries("notice.%")
    refused = _letter(overriding, explanation_id, **asked)
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/notice-overridden")
    named = ("outcome", "entry_id", "kind", "at", "superseded_by")
    assert refused.json()["standing"] == {name: review[name] for name in named}
    assert overriding.entries("notice.%") == before


def test_no_denial_is_made_of_a_decision_that_was_overridden(overriding: Any) -> None:
    explanation_id = _declined(overriding)
    _reviewed(overriding, explanation_id, kind="reviewed", outcome="decline")
    override = _reviewed(overriding, explanation_id, kind="overridden", outcome="approve")
    _refused(overriding, explanation_id, override)
    _reviewed(overriding, explanation_id, kind="corrected", supersedes=override["entry_id"], note="Not so.")
    made = _letter(overriding, explanation_id)
    assert (made.status_code, made.headers["ofrecord-rendering"]) == (200, "first")
    assert "ofrecord-standing" not in made.headers


def test_a_denial_that_was_sent_stays_what_it_was_and_says_it_was_overridden(overriding: Any) -> None:
    explanation_id = _declined(overriding)
    first = _letter(overriding, explanation_id)
    assert "ofrecord-standing" not in first.headers
    sent = {"sent_at": format_moment(SystemClock().now()), "channel": "mail"}
    where = f"/v1/explanations/{explanation_id}/notice/sent"
    assert overriding.http.post(where, json=sent).status_code == 201
    override = _reviewed(overriding, explanation_id, kind="overridden", outcome="approve")
    incidents = overriding.entries("incident.raised")
    later = _letter(overriding, explanation_id)
    assert (later.status_code, later.content) == (200, first.content)
    assert later.headers["ofrecord-standing"] == "overridden"
    assert later.headers["ofrecord-rendering"] == "identical"
    assert overriding.entries("incident.raised") == incidents
    _refused(overriding, explanation_id, override, accept="application/json")  # nobody was sent that one


def test_a_denial_that_was_made_and_not_sent_is_not_handed_out_once_it_was_overridden(
    overriding: Any,
) -> None:
    explanation_id = _declined(overriding)
    first = _letter(overriding, explanation_id)
    override = _reviewed(overriding, explanation_id, kind="overridden", outcome="approve")
    _refused(overriding, explanation_id, override)
    own = {"sent_at": format_moment(SystemClock().now()), "channel": "mail", "template": "other"}
    where = f"/v1/explanations/{explanation_id}/notice/sent"
    assert overriding.http.post(where, json=own).status_code == 201
    override = _reviewed(
        overriding, explanation_id, kind="overridden", outcome="approve", supersedes=override["entry_id"]
    )
    _refused(overriding, explanation_id, override)
    _reviewed(overriding, explanation_id, kind="corrected", supersedes=override["entry_id"], note="Not so.")
    again = _letter(overriding, explanation_id)
    assert (again.content, again.headers["ofrecord-rendering"]) == (first.content, "identical")


def test_a_denial_decided_again_is_told_by_the_letter_of_the_later_decision(overriding: Any) -> None:
    explanation_id = _declined(overriding, subject_ref="S-again")
    _reviewed(overriding, explanation_id, kind="overridden", outcome="approve")
    later = _declined(overriding, subject_ref="S-again")
    back = _reviewed(overriding, explanation_id, kind="overridden", outcome="decline", superseded_by=later)
    _refused(overriding, explanation_id, back)
    assert _letter(overriding, later).status_code == 200
    told = _letter(overriding, explanation_id, "explanation").text
    assert f"with its reasons it is in the record {later}" in told


def test_who_looks_at_it_later_does_not_bring_back_reasons_that_were_replaced(overriding: Any) -> None:
    explanation_id = _declined(overriding, subject_ref="S-looked")
    later = _declined(overriding, subject_ref="S-looked")
    again = _reviewed(overriding, explanation_id, kind="corrected", outcome="decline", superseded_by=later)
    _refused(overriding, explanation_id, again)
    looked = _reviewed(overriding, explanation_id, kind="reviewed", outcome="decline", note="Seen.")
    _refused(overriding, explanation_id, {**looked, "superseded_by": later})
    _reviewed(overriding, explanation_id, kind="corrected", supersedes=again["entry_id"], note="Not so.")
    assert _letter(overriding, explanation_id).status_code == 200


def test_a_decision_made_again_stops_the_notice_without_an_outcome_named(overriding: Any) -> None:
    explanation_id = _declined(overriding, subject_ref="S-remade")
    calm = {**overriding.features, "income": 200.0, "debt_ratio": 5.0}
    request = overriding.request(counterfactuals={"count": 0}, features=calm, subject_ref="S-remade")
    later = overriding.explain(request, "overriding").json()
    assert later["decision"]["outcome"] == "approve"
    again = _reviewed(
        overriding,
        explanation_id,
        kind="corrected",
        superseded_by=later["explanation_id"],
        note="Two incomes.",
    )
    assert again["outcome"] == "approve"
    _refused(overriding, explanation_id, again)


def test_the_explanation_tells_the_override_from_its_first_rendering_on(overriding: Any) -> None:
    explanation_id = _declined(overriding)
    before = _letter(overriding, explanation_id, "explanation", "application/json")
    override = _reviewed(overriding, explanation_id, kind="overridden", outcome="approve")
    assert _letter(overriding, explanation_id, "explanation", "application/json").content == before.content
    assert "overrode" not in before.text
    page = _letter(overriding, explanation_id, "explanation")
    assert page.status_code == 200, page.text
    assert "a person overrode this decision. The new result was “approve”" in page.text
    assert page.headers["ofrecord-standing"] == "overridden"
    stored = overriding.services.log.read(overriding.uuid(page.headers["etag"].strip('"')))
    assert stored.entry.body["reviews"] == [override["entry_id"]]
    # What is told later does not reach a letter that exists: it is still rendered from what it told.
    taken_back = {"kind": "corrected", "supersedes": override["entry_id"], "note": "fraud"}
    _reviewed(overriding, explanation_id, **taken_back)
    again = _letter(overriding, explanation_id, "explanation")
    assert (again.content, again.headers["ofrecord-rendering"]) == (page.content, "identical")
    assert "ofrecord-standing" not in again.headers
    back = overriding.http.get(f"/v1/explanations/{explanation_id}").json()
    assert identical(overriding, back)["parts"]["letters"] == "identical"
