"""What the list of notices says of decisions that a person overrode, and which clocks that ends."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from schemas.base import format_moment
from tests.integration.service.notice_desk import Desk, open_desk


@pytest.fixture
def desk(running: Any, listening: Any, upload: Any, database: Any) -> Iterator[Desk]:
    """A service on fresh databases, at a moment that the test moves."""
    with open_desk(running, listening, upload, database) as opened:
        yield opened


def _reviewed(desk: Desk, explanation_id: str, **document: object) -> dict[str, Any]:
    desk.clock.advance(1)
    made = desk.http.post(f"/v1/explanations/{explanation_id}/review", json=document)
    assert made.status_code == 201, made.text
    found: dict[str, Any] = made.json()
    return found


def _item(desk: Desk, explanation_id: str) -> dict[str, Any]:
    (item,) = (one for one in desk.listed() if one["explanation_id"] == explanation_id)
    return item


def test_an_override_in_time_takes_a_decision_out_of_what_is_owed_and_stays_visible(desk: Desk) -> None:
    in_time, late, denied = (desk.decide() for _ in range(3))
    override = _reviewed(desk, in_time, kind="overridden", outcome="approve")
    desk.project()
    assert set(desk.ids("due")) == {late, denied}
    assert desk.ids("overridden") == [in_time]
    told = {name: override[name] for name in ("outcome", "entry_id", "kind", "at", "superseded_by")}
    item = _item(desk, in_time)
    assert item["overridden"] == {**told, "since": override["at"]}
    assert (item["next_clock"], item["overdue"], item["closed_at"]) == (None, False, override["at"])
    assert item["due_at"] == format_moment(desk.now + timedelta(days=27))
    assert _item(desk, denied)["overridden"] is None
    desk.clock.advance(27 * 86_400)  # complete three days ago: the day has passed
    _reviewed(desk, late, kind="overridden", outcome="approve")
    desk.project()
    assert set(desk.ids("overdue")) == {late, denied}  # what was owed on its day and not sent was missed
    assert "ofrecord_notices_overdue 2.0" in desk.http.get("/metrics").text
    assert desk.ids("overridden") == [in_time, late]
    assert _item(desk, late)["overridden"]["outcome"] == "approve"
    assert desk.ids("overridden") == [one["explanation_id"] for one in _pages(desk)]


def _pages(desk: Desk) -> Iterator[dict[str, Any]]:
    asked: dict[str, Any] = {"limit": 1}
    while True:
        page = desk.page("overridden", **asked)
        yield from page["notices"]
        if page["next_cursor"] is None:
            return
        asked["cursor"] = page["next_cursor"]


def test_an_override_that_is_taken_back_leaves_the_clock_as_it_was(desk: Desk) -> None:
    decided = desk.decide()
    override = _reviewed(desk, decided, kind="overridden", outcome="approve")
    desk.clock.advance(28 * 86_400)
    desk.project()
    assert desk.ids("overdue") == []
    _reviewed(desk, decided, kind="corrected", supersedes=override["entry_id"], note="It was another file.")
    desk.project()
    assert desk.ids("overdue") == [decided]
    assert (_item(desk, decided)["overridden"], desk.ids("overridden")) == (None, [])


def test_a_decision_taken_again_runs_by_the_clock_of_the_later_one(desk: Desk) -> None:
    first = desk.decide(subject_ref="S-again")
    _reviewed(desk, first, kind="overridden", outcome="approve")
    desk.clock.advance(1)
    later = desk.decide(subject_ref="S-again")
    again = _reviewed(desk, first, kind="overridden", outcome="decline", superseded_by=later)
    desk.project()
    assert desk.ids("due") == [later]
    holds = _item(desk, first)["overridden"]
    assert (holds["outcome"], holds["superseded_by"], holds["entry_id"]) == (
        "decline",
        later,
        again["entry_id"],
    )


def test_a_letter_that_was_sent_before_the_override_can_still_be_put_on_record(desk: Desk) -> None:
    decided = desk.decide()
    _reviewed(desk, decided, kind="overridden", outcome="approve")
    assert desk.sent(decided)["running"] == []
    desk.project()
    assert desk.ids("sent") == desk.ids("overridden") == [decided]


def test_the_list_is_the_same_when_it_is_made_again_from_the_log(desk: Desk) -> None:
    decided = [desk.decide() for _ in range(3)]
    override = _reviewed(desk, decided[0], kind="overridden", outcome="approve")
    _reviewed(desk, decided[0], kind="overridden", outcome="approve", supersedes=override["entry_id"])
    _reviewed(desk, decided[1], kind="reviewed", note="seen")
    desk.project()
    whole = desk.listed()
    assert _item(desk, decided[0])["overridden"]["since"] == override["at"]
    with psycopg.connect(desk.database.admin_url) as owner:
        owner.execute("set role ofrecord_owner")
        owner.execute("select records.forget_notices_v1()")
    assert desk.listed() == []
    desk.project()
    assert desk.listed() == whole
