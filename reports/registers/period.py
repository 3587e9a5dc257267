"""Periods: half-open, [from, to); a day is its midnight in UTC."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time
from typing import Final

from reports.registers.errors import ParameterRefused
from reports.registers.report import Asked

BEGINNING: Final = datetime(1, 1, 1, tzinfo=UTC)
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")


def read_moment(parameter: str, text: str) -> datetime:
    """Read a day or a time with its zone; raise `ParameterRefused`."""
    try:
        if _DAY.fullmatch(text):
            return datetime.combine(date.fromisoformat(text), time(), UTC)
        found = datetime.fromisoformat(text)
        if found.tzinfo is not None:
            return found.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    detail = "must be a day such as 2026-11-20, or a time with its zone such as 2026-11-20T10:15:00Z"
    raise ParameterRefused(parameter, detail)


def check_period(start: datetime | None, end: datetime | None) -> None:
    """Refuse a period that ends before it has begun."""
    if start is not None and end is not None and start >= end:
        raise ParameterRefused("to", "must be after `from`, which is the first moment of the period")


def period_of(asked: Asked, now: datetime) -> tuple[datetime, datetime]:
    """Return the period that was meant: from the beginning, and until now, where nothing is said."""
    return asked.start or BEGINNING, asked.end or max(now, asked.start or now)
