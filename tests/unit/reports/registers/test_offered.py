"""What is offered: reports with parameters, columns and rules that exist; periods as they may be asked."""

from __future__ import annotations

import ast
import re
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import UUID

import pytest

from reports.registers.access_log import DISCLOSING
from reports.registers.errors import ParameterRefused, ReportUnknown
from reports.registers.offered import REPORTS, check_asked, find_report
from reports.registers.period import period_of, read_moment
from reports.registers.report import Asked
from schemas.report import ReportOffer
from service.reporting import offered

ROOT = Path(__file__).parents[4]
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def test_the_reports_are_those_of_the_list() -> None:
    assert {report.number: name for name, report in REPORTS.items()} == {
        1: "adverse-action-record",
        2: "period-register",
        7: "access-log",
        8: "log-verification",
        9: "retention",
        11: "change-log",
        12: "replay",
    }


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_cites_rules_with_their_status_and_no_column_twice(name: str) -> None:
    report = REPORTS[name]
    cited = report.cited(date(2026, 11, 20))
    assert cited
    assert all(rule.status in ("in_force", "not_yet_in_force") for rule in cited)
    names = [column.name for column in report.columns]
    assert len(set(names)) == len(names)
    assert not any(name.startswith("#") for name in names)


def test_what_is_offered_is_what_the_schema_says() -> None:
    listed = [ReportOffer.model_validate(one) for one in offered()["reports"]]  # type: ignore[attr-defined]
    assert [one.name for one in listed] == list(REPORTS)


def test_every_kind_of_entry_that_records_a_disclosure_is_in_the_access_log() -> None:
    """Whatever the code calls a reading, wherever it does."""
    read = re.compile(r"[a-z_]+\.read|explanation\.replayed|report\.pulled")
    found = {
        node.value
        for room in ("audit", "cli", "records", "registry", "reports", "service", "workers")
        for file in (ROOT / room).rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and read.fullmatch(node.value)
    }
    assert len(found) >= 5
    assert found == set(DISCLOSING)


def test_an_unknown_report_names_those_there_are() -> None:
    with pytest.raises(ReportUnknown, match=r"no report 'x'.*period-register.*replay"):
        find_report("x")


@pytest.mark.parametrize(
    ("report", "asked", "parameter"),
    [
        ("period-register", Asked(start=NOON, end=NOON), "to"),
        ("period-register", Asked(start=NOON, end=datetime(2026, 1, 1, tzinfo=UTC)), "to"),
        ("period-register", Asked(explanation_id=UUID(int=1)), "explanation_id"),
        ("log-verification", Asked(start=NOON), "from"),
        ("retention", Asked(model="loans"), "model"),
        ("adverse-action-record", Asked(), "explanation_id"),
    ],
)
def test_what_a_report_does_not_take_is_refused_by_name(report: str, asked: Asked, parameter: str) -> None:
    with pytest.raises(ParameterRefused) as refused:
        check_asked(REPORTS[report], asked)
    assert refused.value.parameter == parameter


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-20", datetime(2026, 11, 20, tzinfo=UTC)),
        ("2026-11-20T12:00:00Z", NOON),
        ("2026-11-20T13:30:00+01:30", NOON),
        ("2026-11-19T22:00:00-14:00", NOON),
    ],
)
def test_a_moment_is_a_day_in_utc_or_a_time_with_its_zone(text: str, moment: datetime) -> None:
    assert read_moment("from", text) == moment


@pytest.mark.parametrize(
    "text", ["2026-11-20T12:00:00", "2026-02-30", "today", "", "0001-01-01T00:00:00+10:00", "2026-11-20 12"]
)
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(ParameterRefused, match="must be a day"):
        read_moment("from", text)


def test_an_open_period_reaches_from_the_beginning_to_now() -> None:
    assert period_of(Asked(), NOON) == (datetime(1, 1, 1, tzinfo=UTC), NOON)
    future = datetime(2027, 1, 1, tzinfo=UTC)
    assert period_of(Asked(start=future), NOON) == (future, future)
