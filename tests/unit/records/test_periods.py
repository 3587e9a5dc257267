"""When the period of a decision is over: by its class, and for credit by its notices."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from audit.custody import Partition
from audit.entry import Entry, format_time
from records.periods import could_be_over, period_end

DECIDED = datetime(2026, 11, 20, 10, 15, tzinfo=UTC)
ID = UUID("01aa0000-0000-7000-8000-000000000000")
OWED = {
    "model": "m",
    "version": "1",
    "action": "denial",
    "notice_clock": "completed_application",
    "notice_due_at": "2026-12-20T10:15:00.000000Z",
    "notice_blocked": False,
}


def decision(retention: str, **body: object) -> Entry:
    return Entry(ID, "explanation.created", DECIDED, "svc", body, retention)


def sent(at: datetime, answers: str = "decision", template: str = "adverse_action") -> Entry:
    body = {"answers": answers, "sent_at": format_time(at), "channel": "mail", "template": template}
    return Entry(uuid4(), "notice.sent", at + timedelta(minutes=1), "svc", body, about=ID)


def responded(at: datetime, response: str) -> Entry:
    body = {"response": response, "at": format_time(at)}
    return Entry(uuid4(), "notice.response", at + timedelta(minutes=1), "svc", body, about=ID)


def day(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}T10:15:00+00:00")


@pytest.mark.parametrize(("retention", "until"), [("standard", "2027-05-20"), ("clinical", "2032-11-20")])
def test_these_periods_begin_with_the_entry_whatever_is_owed(retention: str, until: str) -> None:
    assert period_end(decision(retention)) == day(until)
    assert period_end(decision(retention, **OWED)) == day(until)


@pytest.mark.parametrize(
    ("retention", "until"), [("consumer_credit", "2029-01-05"), ("business_credit", "2027-12-05")]
)
def test_a_credit_period_begins_when_the_notice_is_sent(retention: str, until: str) -> None:
    owed = decision(retention, **OWED)
    assert period_end(owed) is None
    assert period_end(owed, [sent(day("2026-12-05"))]) == day(until)


def test_without_a_notice_owed_it_begins_as_late_as_a_notice_may() -> None:
    begun = DECIDED + timedelta(days=90)
    assert begun == day("2027-02-18")
    assert period_end(decision("consumer_credit")) == day("2029-03-18")
    incident = replace(decision("business_credit"), type="incident.raised")
    assert period_end(incident) == day("2028-02-18")


def test_a_later_notice_begins_it_anew_and_a_clock_that_runs_suspends_it() -> None:
    owed = decision("consumer_credit", **OWED)
    first = sent(day("2026-12-05"))
    asked = responded(day("2026-12-20"), "reasons_requested")
    assert period_end(owed, [first, asked]) is None
    answered = sent(day("2027-01-10"), "reasons_requested")
    assert period_end(owed, [first, asked, answered]) == day("2029-02-10")


def test_a_decision_that_was_overridden_in_time_is_kept_as_if_told_at_the_last_moment() -> None:
    """Nobody says when the applicant learned of it: 25 months after March 1, 2027, 90 days later."""
    body = {"kind": "overridden", "outcome": "approve"}
    override = Entry(uuid4(), "explanation.reviewed", day("2026-12-01"), "svc", body, about=ID)
    owed = decision("consumer_credit", outcome="decline", **OWED)
    assert period_end(owed, [override]) == day("2029-04-01")
    late = replace(override, time=day("2026-12-21"))
    assert period_end(owed, [late]) is None


def test_an_accepted_counteroffer_ends_what_it_began() -> None:
    offered = decision("consumer_credit", **{**OWED, "action": "counteroffer"})
    first = sent(day("2026-12-05"), template="other")
    assert period_end(offered, [first]) is None
    accepted = responded(day("2026-12-24"), "counteroffer_accepted")
    assert period_end(offered, [first, accepted]) == day("2029-01-05")


def test_a_class_without_a_rule_is_kept_for_good() -> None:
    assert period_end(decision("unheard_of")) is None
    assert not could_be_over(Partition(date(1990, 1, 1), "unheard_of"), DECIDED)


def test_a_month_is_looked_at_once_its_last_entry_could_be_over() -> None:
    month = Partition(date(2026, 11, 1), "standard")
    assert not could_be_over(month, datetime(2027, 5, 31, 23, 59, tzinfo=UTC))
    assert could_be_over(month, datetime(2027, 6, 1, tzinfo=UTC))
    assert not could_be_over(
        replace(month, retention_class="consumer_credit"), datetime(2028, 12, 31, tzinfo=UTC)
    )
    assert could_be_over(replace(month, retention_class="consumer_credit"), datetime(2029, 1, 1, tzinfo=UTC))
