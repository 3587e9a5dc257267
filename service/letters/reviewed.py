"""What people did about a decision, where a letter about it is made or read: told in it, or in its way."""

from __future__ import annotations

from typing import cast
from uuid import UUID

from audit.entry import Entry
from audit.log import AuditLog
from records.reviews import REVIEW, CountedReview, Standing, counted, standing
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


def overriding(source: LetterSource, reviews: tuple[CountedReview, ...]) -> Standing | None:
    """What holds, if that is another outcome than the one that the letter is about."""
    holds = standing(reviews)
    return None if holds is None or holds.outcome == source.body["outcome"] else holds


def require_adverse(source: LetterSource, holds: Standing | None) -> None:
    """Raise `NoticeOverridden` where the outcome that holds is the favourable one."""
    if holds is not None and holds.outcome == source.manifest.outcome.favourable:
        raise NoticeOverridden(standing_told(holds))
