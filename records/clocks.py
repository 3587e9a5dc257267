"""The clocks of a notice: 12 CFR 1002.9(a)(1) and (a)(2)(ii).

Business credit runs by them too: they are never later than its own (1002.9(a)(3), comment 9(a)(3)-1). The 30
days from receiving an incomplete application (1002.9(c)(1)) are not among them: nobody says when that was.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

ClockName = Literal[
    "completed_application",
    "incomplete_application",
    "existing_account",
    "counteroffer_lapsed",
    "reasons_requested",
    "unknown",
]


@dataclass(frozen=True, slots=True)
class Clock:
    """Which clock runs and when it runs out; `due_at` is None where its beginning is not known."""

    name: ClockName
    due_at: datetime | None


THIRTY_DAYS = timedelta(days=30)
SIXTY_DAYS = timedelta(days=60)
NINETY_DAYS = timedelta(days=90)


def notice_clock(action: str | None, completed_at: datetime | None, decided_at: datetime) -> Clock:
    """Return the clock of the notice of an adverse decision.

    30 days from a completed application for a denial or a counteroffer; 30 days from the action itself on an
    incomplete application or an existing account (1002.9(a)(1)(i) to (iii)). Without an action it is that
    of a denial.
    """
    if action == "incompleteness":
        return Clock("incomplete_application", _after(decided_at, THIRTY_DAYS))
    if action in ("account_termination", "unfavourable_change"):
        return Clock("existing_account", _after(decided_at, THIRTY_DAYS))
    if completed_at is None:
        return Clock("unknown", None)
    return Clock("completed_application", _after(completed_at, THIRTY_DAYS))


def counteroffer_clock(notified_at: datetime) -> Clock:
    """Return the clock after a counteroffer: 90 days unless it is accepted (1002.9(a)(1)(iv))."""
    return Clock("counteroffer_lapsed", _after(notified_at, NINETY_DAYS))


def reasons_clock(notified_at: datetime, requested_at: datetime) -> Clock | None:
    """Return the clock of reasons on request: 30 days from a request within 60 of the notice, else None."""
    if not timedelta(0) <= requested_at - notified_at <= SIXTY_DAYS:
        return None
    return Clock("reasons_requested", _after(requested_at, THIRTY_DAYS))


def _after(moment: datetime, days: timedelta) -> datetime | None:
    """The moment so many days later; None beyond the year 9999, where a caller's times may lie."""
    try:
        return moment + days
    except OverflowError:
        return None
