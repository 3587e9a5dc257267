"""Whether a notice of adverse action is owed, by which clock, and what stands in its way.

12 CFR 1002.9(a)(1): a creditor notifies of action taken on an application. For one that was expressly
withdrawn no notice is owed (comment 9-2), and only the lending profile lives under that rule.
"""

from __future__ import annotations

from datetime import datetime

from records.clocks import notice_clock
from records.private_parts import NoticePart
from schemas.base import format_moment
from service.explanations.finding import Finding


def notice_of(finding: Finding, now: datetime) -> NoticePart | None:
    """The notice that is owed for this decision; None where none is.

    `now` is the time of the record: the action was taken then unless the caller says when it was decided.
    """
    request = finding.question.request
    application, decided = request.application, request.decided
    action = None if application is None else application.action
    owed = finding.loaded.manifest.profile == "lending" and not finding.combined.favourable
    if not owed or action == "withdrawal":
        return None
    completed_at = None if application is None else application.completed_at
    decided_at = now if decided is None or decided.at is None else decided.at
    clock = notice_clock(action, completed_at, decided_at)
    return {
        "clock": clock.name,
        "due_at": None if clock.due_at is None else format_moment(clock.due_at),
        "blocked": list(blocking_factors(finding)),
    }


def blocking_factors(finding: Finding) -> tuple[str, ...]:
    """The factors at which a notice stops until compliance has looked: principal ones, then key factors."""
    principal = (*finding.reasons, *finding.crowded_out)
    found = [reason.factor for reason in principal if reason.sensitive or reason.proxy]
    found += [one["factor"] for one in finding.key_factors if one.get("sensitive") or one.get("proxy")]
    return tuple(dict.fromkeys(found))
