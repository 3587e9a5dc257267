"""What people did about a decision, where a letter about it is made or read: told in it, or in its way."""

from __future__ import annotations

from typing import cast
from uuid import UUID

from audit.entry import Entry
from audit.log import AuditLog
from records.lifecycle import NOTICE, SENT
from records.reviews import REVIEW, CountedReview, Replaced, counted, replaced
from reports.letters.source import LetterSource
from service.errors import NoticeOverridden
from service.explanations.reviews import standing_told


def counted_now(log: AuditLog, explanation_id: UUID) -> tuple[CountedReview, ...]:
    """The reviews that count today, oldest first."""
    return counted(stored.entry for stored in log.about(explanation_id, REVIEW))


def told_in(log: AuditLog, rendered: Entry) -> tuple[CountedReview, ...]:
    """The reviews that a letter tells, by its entry: those that counted when it was first made.

    Letters from before there were reviews, and those that tell none, name none.
    """
    named = cast("list[str]", rendered.body.get("reviews", []))
    return counted(log.read(UUID(one)).entry for one in named)


def replaced_now(log: AuditLog, source: LetterSource) -> Replaced | None:
    """What holds today, if that is no longer the decision that the letter is about."""
    reviews = (stored.entry for stored in log.about(UUID(source.explanation_id), REVIEW))
    return replaced(str(source.body["outcome"]), reviews)


def require_standing(log: AuditLog, source: LetterSource) -> None:
    """Raise `NoticeOverridden` where a notice would tell a decision that holds no longer.

    By now it has another outcome, or other reasons.
    """
    holds = replaced_now(log, source)
    if holds is not None:
        raise NoticeOverridden(standing_told(holds))


def was_sent(log: AuditLog, source: LetterSource) -> bool:
    """Whether our notice is on record as sent: the applicant holds it, whatever was decided since."""
    sendings = log.about(UUID(source.explanation_id), SENT)
    return any(stored.entry.body.get("template") == NOTICE for stored in sendings)
