"""The clocks of a notice, against dates counted by hand (12 CFR 1002.9(a)(1), (a)(1)(iv), (a)(2)(ii))."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from records.clocks import Clock, counteroffer_clock, notice_clock, reasons_clock

COMPLETED = datetime(2026, 1, 31, 8, 0, tzinfo=UTC)
DECIDED = datetime(2028, 2, 10, 23, 30, tzinfo=UTC)  # of a leap year
LAST = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize("action", ["denial", "counteroffer", None])
def test_thirty_days_from_a_completed_application(action: str | None) -> None:
    due = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
    assert notice_clock(action, COMPLETED, DECIDED) == Clock("completed_application", due)
    assert notice_clock(action, None, DECIDED) == Clock("unknown", None)


@pytest.mark.parametrize(
    ("action", "name"),
    [
        ("incompleteness", "incomplete_application"),
        ("account_termination", "existing_account"),
        ("unfavourable_change", "existing_account"),
    ],
)
def test_thirty_days_from_the_action_itself(action: str, name: str) -> None:
    clock = notice_clock(action, COMPLETED, DECIDED)
    assert (clock.name, clock.due_at) == (name, datetime(2028, 3, 11, 23, 30, tzinfo=UTC))
    assert notice_clock(action, None, DECIDED) == clock


def test_ninety_days_after_a_counteroffer() -> None:
    assert counteroffer_clock(COMPLETED) == Clock(
        "counteroffer_lapsed", datetime(2026, 5, 1, 8, 0, tzinfo=UTC)
    )


def test_reasons_on_request_within_sixty_days() -> None:
    sixtieth = datetime(2026, 4, 1, 8, 0, tzinfo=UTC)
    due = datetime(2026, 5, 1, 8, 0, tzinfo=UTC)
    assert reasons_clock(COMPLETED, sixtieth) == Clock("reasons_requested", due)
    assert reasons_clock(COMPLETED, COMPLETED) is not None
    assert reasons_clock(COMPLETED, sixtieth + timedelta(microseconds=1)) is None
    assert reasons_clock(COMPLETED, COMPLETED - timedelta(microseconds=1)) is None


def test_times_at_the_end_of_the_calendar_have_no_date_and_no_fault() -> None:
    assert notice_clock("denial", LAST, DECIDED).due_at is None
    assert counteroffer_clock(LAST).due_at is None
    assert reasons_clock(LAST, LAST) == Clock("reasons_requested", None)
