"""The table of notices is what the log says: in any order, after any crash, by any number of readers."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

import records
from records.notices import AsOf, read_as_of
from records.projecting import project_notices


def _many(office: Any) -> None:
    """Decisions in every state, their steps spread over the log between entries that do not matter here."""
    decided = [office.decide(due_days=days) for days in (30, 1, None, 30, 30)]
    office.decide(notice_clock=None, notice_due_at=None)
    offered = office.decide(action="counteroffer")
    office.decide(notice_blocked=True)
    office.log.append_one(_read(), office.now)
    office.step(decided[0], "notice.rendered", template="adverse_action")
    office.integrate()
    office.send(decided[0])
    office.send(offered, template="other")
    office.step(decided[0], "notice.rendered", template="explanation")
    office.integrate()
    at = (office.now + timedelta(days=2)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    office.step(offered, "notice.response", response="counteroffer_accepted", at=at)
    office.step(decided[0], "notice.response", response="reasons_requested", at=at)
    office.send(decided[0], "reasons_requested")
    wrong = office.review(decided[3], "overridden", "approve")
    office.integrate()
    office.review(decided[3], "corrected", supersedes=wrong)
    office.review(decided[4], "requested")
    office.review(decided[4], "overridden", "approve")
    office.integrate()


def _read() -> Any:
    from audit.entry import Draft  # noqa: PLC0415

    return Draft("token.issued", "token:t", {})


def test_a_notice_appears_with_its_clock_and_follows_its_entries(office: Any) -> None:
    decided = office.decide(due_days=30)
    at = office.now
    office.integrate()
    office.project()
    (row,) = office.table()
    assert (row["explanation_id"], row["model"], row["action"]) == (decided, "loans", "denial")
    assert (row["recorded_at"], row["due_at"], row["next_due_at"]) == (
        at,
        at - timedelta(seconds=1) + timedelta(days=30),
        row["due_at"],
    )
    assert (row["next_clock"], row["sent_at"], row["closed_at"]) == ("completed_application", None, None)
    office.step(decided, "notice.rendered", template="explanation")
    office.integrate()
    office.project()
    assert office.table()[0]["first_rendered_at"] is None  # another letter than the notice
    office.step(decided, "notice.rendered", template="adverse_action")
    rendered_at = office.now
    office.send(decided)
    office.integrate()
    office.project()
    (row,) = office.table()
    assert (row["first_rendered_at"], row["sent_at"], row["channel"]) == (rendered_at, office.now, "mail")
    assert (row["next_clock"], row["next_due_at"], row["closed_at"]) == (None, None, office.now)


def test_an_override_ends_the_clock_and_is_told_and_the_clock_runs_again_once_it_is_taken_back(
    office: Any,
) -> None:
    decided = office.decide(due_days=30)
    override = office.review(decided, "overridden", "approve")
    at = office.now
    office.integrate()
    office.project()
    (row,) = office.table()
    told = ("overridden_to", "overridden_by", "overridden_kind", "overridden_at", "overridden_since")
    assert [row[name] for name in told] == ["approve", override, "overridden", at, at]
    assert (row["next_clock"], row["next_due_at"], row["closed_at"]) == (None, None, at)
    office.review(decided, "corrected", supersedes=override)
    office.integrate()
    office.project()
    (row,) = office.table()
    assert [row[name] for name in told] == [None] * 5
    assert (row["next_clock"], row["next_due_at"]) == ("completed_application", row["due_at"])


def test_a_review_that_makes_no_sense_stops_nobody(office: Any) -> None:
    decided = office.decide()
    office.step(decided, "explanation.reviewed", kind="blessed", outcome="approve")
    office.step(decided, "explanation.reviewed", kind="overridden", outcome=7, superseded_by="me")
    office.step(decided, "explanation.reviewed")
    office.integrate()
    office.project()
    (row,) = office.table()
    assert (row["overridden_to"], row["next_clock"]) == (None, "completed_application")


def test_a_table_from_before_reviews_were_read_is_made_again_from_the_first_of_them(office: Any) -> None:
    decided, other = office.decide(), office.decide()
    office.review(decided, "overridden", "approve")
    office.send(other)
    office.integrate()
    office.project()
    whole = office.table()
    migration = (Path(records.__file__).parent / "sql" / "0011_overridden_notices.sql").read_text("utf-8")
    (again,) = re.findall(r"^WITH first AS .*?;$", migration, re.DOTALL | re.MULTILINE)
    with psycopg.connect(office.admin_url) as owner:
        owner.execute("set role ofrecord_owner")
        blank = ("to", "by", "kind", "at", "since")
        owner.execute(f"update records.notice set {', '.join(f'overridden_{n} = null' for n in blank)}")
        owner.execute(again)
    assert office.table() != whole
    assert _as_of(office).entries == 2
    office.project()
    assert office.table() == whole


@pytest.mark.parametrize("limit", [1, 3, 500])
def test_the_table_is_the_same_however_the_log_is_cut(office: Any, limit: int) -> None:
    _many(office)
    office.project()
    whole = office.table()
    assert len(whole) == 7
    assert sum(row["sent_at"] is not None for row in whole) == 2
    assert sum(row["overridden_to"] is not None for row in whole) == 1
    with psycopg.connect(office.admin_url) as owner:
        owner.execute("set role ofrecord_owner")
        owner.execute("select records.forget_notices_v1()")
    assert office.table() == []
    steps = office.project(limit)
    assert office.table() == whole
    assert steps == {1: 20, 3: 7, 500: 1}[limit]


def test_a_reader_that_crashes_loses_nothing_and_repeats_nothing(office: Any) -> None:
    _many(office)

    class Crash(Exception):
        pass

    def read_and_crash() -> None:
        with office.worker.connection() as conn:
            project_notices(conn, 500)
            raise Crash

    with pytest.raises(Crash):
        read_and_crash()
    assert office.table() == []
    assert _as_of(office).entries == 0
    office.project(4)
    assert len(office.table()) == 7


def test_the_second_reader_stands_back_while_the_first_reads(office: Any) -> None:
    _many(office)
    with office.worker.connection() as first:
        stretch = project_notices(first, 5)
        assert stretch is not None
        assert stretch.entries == 5
        with office.worker.connection() as second:
            assert project_notices(second, 5) is None
    office.project()
    assert len(office.table()) == 7


def test_what_was_read_already_cannot_be_written_again(office: Any) -> None:
    office.decide()
    office.integrate()
    office.project()
    again = "select records.project_notices_v2(0, 1, null, '[]')"
    with office.worker.connection() as conn, pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
        conn.execute(again)


def test_an_entry_that_is_not_in_the_tree_yet_is_not_in_the_table(office: Any) -> None:
    decided = office.decide()
    office.integrate()
    office.send(decided)
    office.project()
    (row,) = office.table()
    assert row["sent_at"] is None
    assert _as_of(office) == AsOf(1, row["recorded_at"], 1)
    office.integrate()
    assert (_as_of(office).entries, _as_of(office).tree_size) == (1, 2)
    office.project()
    (row,) = office.table()
    assert row["sent_at"] == office.now


def test_only_the_worker_writes_and_only_through_the_functions(office: Any, database: Any) -> None:
    office.decide()
    office.integrate()
    office.project()
    refused = {
        "service": ["select records.take_projection_v1('notices')", "delete from records.notice"],
        "worker": [
            "update records.notice set sent_at = now()",
            "update records.projection set next_index = 0",
            "select records.forget_notices_v1()",
        ],
        "auditor": ["select records.project_notices_v2(0, 1, null, '[]')"],
        "integrator": ["select * from records.notice"],
    }
    for role, statements in refused.items():
        for statement in statements:
            with (
                psycopg.connect(database.url(role)) as conn,
                pytest.raises(psycopg.errors.InsufficientPrivilege),
            ):
                conn.execute(statement)


def test_nothing_personal_is_in_the_table(office: Any) -> None:
    """Its columns are these and no others: ids, dates, and words from closed lists."""
    _many(office)
    office.project()
    assert set(office.table()[0]) == {
        *("explanation_id", "model", "version", "action", "recorded_at", "clock", "due_at", "blocked"),
        *("first_rendered_at", "sent_at", "channel", "template", "response", "response_at"),
        *("next_clock", "next_due_at", "closed_at", "last_index"),
        *("overridden_to", "overridden_by", "overridden_kind", "overridden_at", "overridden_since"),
        "superseded_by",
    }


def _as_of(office: Any) -> AsOf:
    with office.service.connection() as conn:
        return read_as_of(conn)
