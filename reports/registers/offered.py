"""The reports that are offered, by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from reports.registers.access_log import ACCESS_LOG
from reports.registers.adverse_action_record import ADVERSE_ACTION_RECORD
from reports.registers.change_log import CHANGE_LOG
from reports.registers.errors import ParameterRefused, ReportUnknown
from reports.registers.log_verification import LOG_VERIFICATION
from reports.registers.period import check_period
from reports.registers.period_register import PERIOD_REGISTER
from reports.registers.replays import REPLAY
from reports.registers.report import Asked, Report
from reports.registers.retention import RETENTION

_ALL: Final = (
    *(ADVERSE_ACTION_RECORD, PERIOD_REGISTER, ACCESS_LOG, LOG_VERIFICATION),
    *(RETENTION, CHANGE_LOG, REPLAY),
)
REPORTS: Final[Mapping[str, Report]] = MappingProxyType({report.name: report for report in _ALL})


def find_report(name: str) -> Report:
    """Return the report of this name; raise `ReportUnknown`, which names those there are."""
    try:
        return REPORTS[name]
    except KeyError:
        raise ReportUnknown(name, REPORTS) from None


def check_asked(report: Report, asked: Asked) -> None:
    """Refuse parameters that the report does not take, lacks, or that contradict each other."""
    given = {
        "from": asked.start,
        "to": asked.end,
        "model": asked.model,
        "explanation_id": asked.explanation_id,
    }
    for name, value in given.items():
        if value is not None and name not in report.takes:
            raise ParameterRefused(name, f"is not a parameter of the report {report.name!r}")
        if value is None and name in report.needs:
            raise ParameterRefused(name, f"is needed for the report {report.name!r}")
    check_period(asked.start, asked.end)
