"""How long entries are kept: one rule for each retention class, with what it rests on."""

from __future__ import annotations

import calendar
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import MAXYEAR, datetime, timedelta
from types import MappingProxyType
from typing import Literal

LONGEST_NOTICE = timedelta(days=90)
"""The longest time that a creditor may take to notify: after a counteroffer (12 CFR 1002.9(a)(1)(iv))."""

Start = Literal["notification", "entry"]


@dataclass(frozen=True, slots=True)
class RetentionRule:
    """One class: how many calendar months its entries are kept, and from when on.

    `notification`: from the last notice that was sent about the decision; not at all while one is owed; where
    none is owed, from its entry and `LONGEST_NOTICE`. `requirements` are the ids of the rules it rests on as
    `reports/requirements` has them, where their dates and their status stand.
    """

    retention_class: str
    months: int
    starts: Start
    citation: str
    requirements: tuple[str, ...]
    text: str

    def ends_at(self, start: datetime) -> datetime:
        """Return the moment at which a period that began at `start` is over."""
        return add_months(start, self.months)


_RULES = (
    RetentionRule(
        "consumer_credit",
        25,
        "notification",
        "12 CFR 1002.12(b)(1)",
        ("reg-b-12-b",),
        "25 months after the applicant was notified of the action taken.",
    ),
    RetentionRule(
        "business_credit",
        12,
        "notification",
        "12 CFR 1002.12(b)(1)",
        ("reg-b-12-b",),
        "12 months after a business was notified of the action taken.",
    ),
    RetentionRule(
        "clinical",
        72,
        "entry",
        "45 CFR 164.316(b)(2)(i)",
        ("45-cfr-164-316-b-2-i",),
        "Six years from the day on which the record was made: a default, which other law may exceed.",
    ),
    RetentionRule(
        "standard",
        6,
        "entry",
        "EU AI Act, Articles 19(1) and 26(6)",
        ("ai-act-19", "ai-act-26"),
        "At least six months, also before the Act applies to a system.",
    ),
)

RULES: Mapping[str, RetentionRule] = MappingProxyType({rule.retention_class: rule for rule in _RULES})


def add_months(moment: datetime, months: int) -> datetime:
    """Return the same day so many calendar months later; the month's last where it has no such day.

    Beyond the year 9999 it is the last moment that can be written.
    """
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    if year > MAXYEAR:
        return datetime.max.replace(tzinfo=moment.tzinfo)
    day = min(moment.day, calendar.monthrange(year, month + 1)[1])
    return moment.replace(year=year, month=month + 1, day=day)
