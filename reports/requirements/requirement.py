"""One rule, and where it stands on a day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from schemas.requirement import RecordedStatus, StatusOnDate


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One rule as the data have it.

    `effective_from` is the first day on which it holds, None where the data do not state it: it then counts
    as long past. `effective_to` is the first day on which it no longer holds.
    """

    id: str
    citation: str
    citations: Mapping[str, str]
    kind: str
    title: str
    text: str
    jurisdiction: str
    effective_from: date | None
    effective_to: date | None
    status: RecordedStatus
    superseded_by: str | None
    source: str

    def status_on(self, on: date) -> StatusOnDate:
        """Return where the rule stands on a day, as far as this version of the data knows."""
        if self.status == "proposed":
            return "proposed"
        if self.status in ("withdrawn", "superseded") and self.effective_to is not None:
            if on >= self.effective_to:
                return self.status
        elif self.effective_from is None:
            return "in_force"
        if self.effective_from is not None and on < self.effective_from:
            return "not_yet_in_force"
        return "in_force"

    def cited(self, language: str) -> str:
        """Return the citation in a language; its own where that language has no other."""
        return self.citations.get(language, self.citation)
