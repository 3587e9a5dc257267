"""Rules of retention: one for each class, in calendar months, on rules that the house cites."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from audit.entry import RETENTION_CLASSES
from audit.retention import RULES, add_months
from reports.requirements.register import requirement


def test_every_class_has_a_rule_and_each_rule_rests_on_something() -> None:
    assert set(RULES) == set(RETENTION_CLASSES)
    for rule in RULES.values():
        assert rule.citation
        assert rule.text
        assert rule.requirements
        for name in rule.requirements:
            assert requirement(name).id == name


def test_the_periods_are_those_of_the_regulation() -> None:
    assert {name: (rule.months, rule.starts) for name, rule in RULES.items()} == {
        "consumer_credit": (25, "notification"),
        "business_credit": (12, "notification"),
        "clinical": (6 * 12, "entry"),
        "standard": (6, "entry"),
    }


@pytest.mark.parametrize(
    ("begun", "months", "ends"),
    [
        ("2026-11-20T10:15:00.123456", 25, "2028-12-20T10:15:00.123456"),
        ("2026-01-31T00:00:00", 25, "2028-02-29T00:00:00"),
        ("2026-08-31T23:59:59", 6, "2027-02-28T23:59:59"),
        ("2026-12-01T00:00:00", 12, "2027-12-01T00:00:00"),
        ("2024-02-29T12:00:00", 72, "2030-02-28T12:00:00"),
        ("9998-11-20T10:15:00", 25, "9999-12-31T23:59:59.999999"),
    ],
)
def test_months_are_those_of_the_calendar(begun: str, months: int, ends: str) -> None:
    start = datetime.fromisoformat(begun).replace(tzinfo=UTC)
    assert add_months(start, months) == datetime.fromisoformat(ends).replace(tzinfo=UTC)
