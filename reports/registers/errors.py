"""What can go wrong with a report.

ReportError
 ├─ ReportUnknown       there is no report of this name
 ├─ ParameterRefused    a parameter is not one that this report takes, or not as it takes it
 ├─ ReportTooLarge      it would have more rows or bytes than one pull may have
 ├─ ReportTimedOut      it was not ready in time
 └─ ReportDamaged       a file is not a report as this software writes them
"""

from __future__ import annotations

from collections.abc import Iterable


class ReportError(Exception):
    """The report cannot be made."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or type(self).__doc__)


class ReportUnknown(ReportError):
    """There is no report of this name."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(f"There is no report {name!r}; there are {', '.join(known)}.")


class ParameterRefused(ReportError):
    """A parameter is not as this report takes it; `parameter` is its name in the address."""

    def __init__(self, parameter: str, detail: str) -> None:
        self.parameter = parameter
        super().__init__(detail)


class ReportTooLarge(ReportError):
    """The report is larger than one pull may be; a shorter period makes it smaller."""


class ReportTimedOut(ReportError):
    """The report was not ready in time; a shorter period, or the command `ofrecord report`, gets further."""


class ReportDamaged(ReportError):
    """This file is not a report as this software writes them."""
