"""What holds of a decision after people looked at it, read out of the clear part of the reviews' entries.

What took the place of a review leaves it on record and uncounted; a request for a review takes no place.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, cast
from uuid import UUID

from audit.entry import Entry

REVIEW = "explanation.reviewed"

ReviewKind = Literal["reviewed", "overridden", "corrected"]


@dataclass(frozen=True, slots=True)
class CountedReview:
    """A review, an override or a correction that nothing superseded; `outcome` where it names one.

    `superseded_by` is the explanation in which the decision was made again, where a correction names it.
    """

    entry_id: UUID
    kind: ReviewKind
    outcome: str | None
    at: datetime
    superseded_by: UUID | None


@dataclass(frozen=True, slots=True)
class Standing:
    """The outcome that holds, with the review that says so."""

    outcome: str
    entry_id: UUID
    kind: ReviewKind
    at: datetime
    superseded_by: UUID | None


def counted(entries: Iterable[Entry]) -> tuple[CountedReview, ...]:
    """Those of the reviews of one decision that count, oldest first; other entries are passed over."""
    found = [entry for entry in entries if entry.type == REVIEW and entry.body["kind"] != "requested"]
    gone = {entry.body["supersedes"] for entry in found}
    in_order = sorted(found, key=lambda entry: (entry.time, entry.entry_id))
    return tuple(_read(entry) for entry in in_order if str(entry.entry_id) not in gone)


def standing(reviews: Sequence[CountedReview]) -> Standing | None:
    """The last of these that names an outcome; None where none does.

    `superseded_by` is the last that any of them names.
    """
    last = next((one for one in reversed(reviews) if one.outcome is not None), None)
    if last is None or last.outcome is None:
        return None
    later = next((one.superseded_by for one in reversed(reviews) if one.superseded_by is not None), None)
    return Standing(last.outcome, last.entry_id, last.kind, last.at, later)


def _read(entry: Entry) -> CountedReview:
    outcome, later = entry.body["outcome"], entry.body["superseded_by"]
    return CountedReview(
        entry_id=entry.entry_id,
        kind=cast("ReviewKind", entry.body["kind"]),
        outcome=None if outcome is None else str(outcome),
        at=entry.time,
        superseded_by=None if later is None else UUID(str(later)),
    )
