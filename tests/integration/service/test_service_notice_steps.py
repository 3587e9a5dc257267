"""What becomes of a notice: sent, answered, late, listed; every date from the service's own clock."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import yaml

from runtime.clock import SystemClock
from schemas.base import format_moment
from tests.integration.service.notice_desk import Desk, open_desk


@pytest.fixture(scope="module")
def office(running: Any, upload: Any) -> Desk:
    """The session's service by the real clock, with a model to which the debt ratio is sensitive."""
    features = yaml.safe_load(upload.manifest)["features"]
    careful = [feature | {"sensitive": feature["name"] == "debt_ratio"} for feature in features]
    cautious = upload.with_manifest(model="cautious", features=careful, counterfactuals={})
    assert running.register(cautious).status_code == 201
    assert running.approve("cautious").status_code == 200
    return Desk(running.http, SystemClock(), running, None, SystemClock().now())


@pytest.fixture
def desk(running: Any, listening: Any, upload: Any, database: Any) -> Iterator[Desk]:
    """A service on fresh databases, at a moment that the test moves."""
    with open_desk(running, listening, upload, database) as opened:
        yield opened


def test_a_notice_that_was_sent_is_on_record_once(office: Desk) -> None:
    decided = office.decide()
    before = office.running.entries("notice.sent")
    first = office.sent(decided)
    assert first["running"] == []
    again = office.sent(decided)
    assert (again["receipt"]["entry_id"], again["receipt"]["signature"]) == (
        first["receipt"]["entry_id"],
        first["receipt"]["signature"],
    )
    assert office.running.entries("notice.sent") == before + 1
    other = office.post(decided, "sent", {**office.mail(), "channel": "email"})
    assert (other.status_code, other.json()["type"]) == (409, "/problems/notice-conflict")
    entry = office.running.services.log.read(office.running.uuid(first["receipt"]["entry_id"])).entry
    assert (entry.about, entry.private) == (office.running.uuid(decided), None)
    assert entry.body["retention"] == {"class": "consumer_credit", "starts_at": office.mail()["sent_at"]}
    assert (entry.body["clock"], entry.body["due_at"]) == (
        "completed_application",
        format_moment(office.now - timedelta(days=3) + timedelta(days=30)),
    )


def test_of_many_who_say_how_it_was_sent_one_is_on_record(office: Desk) -> None:
    decided, before = office.decide(), office.running.entries("notice.sent")
    bodies = [{**office.mail(), "channel": channel} for channel in ("mail", "email", "portal")] * 3
    with ThreadPoolExecutor(9) as threads:
        answers = list(threads.map(lambda body: office.post(decided, "sent", body), bodies))
    assert office.running.entries("notice.sent") == before + 1
    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [409] * 6
    receipts = [answer.json()["receipt"] for answer in answers if answer.status_code == 201]
    assert len({receipt["entry_id"] for receipt in receipts}) == 1


def test_a_notice_is_sent_after_the_decision_and_not_in_the_future(office: Desk) -> None:
    decided = office.decide()
    for hours_ago, said in ((-0.5, "future"), (24.01, "before the decision")):
        refused = office.post(decided, "sent", office.mail(hours_ago))
        assert refused.status_code == 422
        (error,) = refused.json()["errors"]
        assert error["pointer"] == "/sent_at"
        assert said in error["detail"]
    office.sent(decided, sent_at=format_moment(office.now - timedelta(hours=23.9)))  # before it was recorded


@pytest.mark.parametrize(
    "changes",
    [{"sent_at": "2026-11-20"}, {"sent_at": None}, {"channel": "pigeon"}, {"template": "explanation"},
     {"answers": "prayers"}, {"by": "clerk"}],
)  # fmt: skip
def test_what_is_no_sending_is_refused_at_its_place(office: Desk, changes: dict[str, Any]) -> None:
    decided, before = office.decide(), office.running.entries("notice.%")
    refused = office.post(decided, "sent", {**office.mail(), **changes})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "/" + next(iter(changes))
    assert office.running.entries("notice.%") == before


def test_no_notice_is_sent_that_is_blocked_or_not_owed(office: Desk) -> None:
    blocked = office.post(office.decide(model="cautious"), "sent", office.mail())
    assert (blocked.status_code, blocked.json()["type"]) == (409, "/problems/notice-blocked")
    assert "debt" in blocked.json()["detail"]
    own = office.post(office.decide(model="cautious"), "sent", {**office.mail(), "template": "other"})
    assert (own.status_code, own.json()["running"]) == (201, [])  # the creditor's own letter stops the clock
    withdrawn = office.post(office.decide("withdrawal"), "sent", office.mail())
    assert (withdrawn.status_code, withdrawn.json()["type"]) == (409, "/problems/notice-not-due")
    unknown = office.post("01950000-0000-7000-8000-000000000001", "sent", office.mail())
    assert unknown.status_code == 404
    follow_up = office.post(office.decide(), "sent", {**office.mail(), "answers": "reasons_requested"})
    assert (follow_up.status_code, follow_up.json()["type"]) == (409, "/problems/notice-step-refused")


def test_an_applicant_answers_a_notice_that_was_sent(office: Desk) -> None:
    denied = office.decide()
    asked = {"response": "reasons_requested", "at": format_moment(office.now)}
    early = office.post(denied, "response", asked)
    assert (early.status_code, early.json()["type"]) == (409, "/problems/notice-step-refused")
    office.sent(denied)
    accepted = office.post(denied, "response", {**asked, "response": "counteroffer_accepted"})
    assert (accepted.status_code, accepted.json()["type"]) == (409, "/problems/notice-step-refused")
    before = office.post(denied, "response", {**asked, "at": office.mail(2)["sent_at"]})
    assert (before.status_code, before.json()["errors"][0]["pointer"]) == (422, "/at")
    step = office.answered(denied, "reasons_requested", office.now)
    due_at = format_moment(office.now + timedelta(days=30))
    assert step["running"] == [{"clock": "reasons_requested", "due_at": due_at}]
    assert office.answered(denied, "reasons_requested", office.now)["receipt"] == step["receipt"]
    other = office.post(denied, "response", {**asked, "at": format_moment(office.now - timedelta(minutes=1))})
    assert (other.status_code, other.json()["type"]) == (409, "/problems/notice-conflict")
    sent_at = format_moment(office.now)
    assert office.sent(denied, answers="reasons_requested", sent_at=sent_at)["running"] == []


def test_which_letter_carried_a_counteroffer_decides_whether_a_clock_goes_on(office: Desk) -> None:
    combined, alone = office.decide("counteroffer"), office.decide("counteroffer")
    assert office.sent(combined)["running"] == []
    sent = office.sent(alone, template="other")
    lapse = format_moment(office.now - timedelta(hours=1) + timedelta(days=90))
    assert sent["running"] == [{"clock": "counteroffer_lapsed", "due_at": lapse}]
    assert office.answered(alone, "counteroffer_accepted", office.now)["running"] == []
    assert office.answered(combined, "counteroffer_accepted", office.now)["running"] == []


def test_the_list_follows_the_clock_and_the_log(desk: Desk) -> None:
    denied = desk.decide()
    desk.clock.advance(1)  # ids of one moment stand in no order
    undated = desk.decide(application=None)
    desk.clock.advance(1)
    offered = desk.decide("counteroffer")
    assert desk.page()["as_of"]["entries"] == 0
    desk.project()
    # Complete three days ago: due in 27 days.
    assert (desk.ids("due"), desk.ids("undated"), desk.ids("overdue")) == ([denied, offered], [undated], [])
    desk.clock.advance(27 * 86_400 - 2)
    assert (desk.ids("due"), desk.ids("overdue")) == ([denied, offered], [])  # the last moment still counts
    desk.clock.advance(1)
    assert (desk.ids("due"), desk.ids("overdue")) == ([], [denied, offered])
    assert "ofrecord_notices_overdue 2.0" in desk.http.get("/metrics").text
    (first, second) = desk.listed("overdue")
    assert (first["overdue"], first["next_clock"], first["late"]) == (True, "completed_application", False)
    late = format_moment(desk.clock.now())
    desk.sent(denied, sent_at=late)
    desk.sent(offered, sent_at=late, template="other")
    assert desk.ids("overdue") == [denied, offered]  # the list runs behind, and says how far
    as_of = desk.page()["as_of"]
    assert as_of["entries"] == as_of["tree_size"]
    desk.integrate()
    assert desk.page()["as_of"]["tree_size"] == as_of["tree_size"] + 2
    assert "ofrecord_notices_behind_entries 2.0" in desk.http.get("/metrics").text
    desk.project()
    assert (desk.ids("overdue"), desk.ids("due"), desk.ids("sent")) == ([], [offered], [denied, offered])
    assert {item["late"] for item in desk.listed("sent")} == {True}
    assert desk.page()["as_of"]["entries"] == as_of["entries"] + 2
    desk.clock.advance(90 * 86_400 + 1)
    (lapsed,) = desk.listed("overdue")
    assert lapsed["explanation_id"] == second["explanation_id"]
    assert lapsed["next_clock"] == "counteroffer_lapsed"
    assert desk.ids() == [denied, undated, offered]
    assert desk.listed(model="nobody") == []


def test_pages_of_the_list_and_cursors(desk: Desk) -> None:
    decided = [desk.decide() for _ in range(7)]
    desk.project()
    seen: list[str] = []
    asked: dict[str, Any] = {"limit": 3}
    while True:
        page = desk.page("due", **asked)
        seen += [item["explanation_id"] for item in page["notices"]]
        if page["next_cursor"] is None:
            break
        asked["cursor"] = page["next_cursor"]
    assert sorted(seen) == sorted(decided)
    for cursor, state in ((asked["cursor"], "sent"), ("x", "due"), ("A" * 40, "due"), ("%", "due")):
        refused = desk.http.get("/v1/notices", params={"state": state, "cursor": cursor})
        assert (refused.status_code, refused.json()["type"]) == (422, "/problems/invalid-input")
        assert refused.json()["errors"][0]["pointer"] == "/cursor"
    for asked in ({"state": "lost"}, {"limit": 0}, {"limit": 1000}, {"cursor": ""}):
        refused = desk.http.get("/v1/notices", params=asked)
        assert (refused.status_code, refused.json()["type"]) == (422, "/problems/invalid-input")
