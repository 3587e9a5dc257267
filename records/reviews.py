"""What holds of a decision after people looked at it, read out of the clear part of the reviews' entries.

What took the place of a review leaves it on record and uncounted; a request for a review takes no place.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, cast, get_args
from uuid import UUID

from audit.entry import Entry

REVIEW = "explanation.reviewed"

ReviewKind = Literal["reviewed", "overridden", "corrected"]
_KINDS: Final = get_args(ReviewKind)


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


@dataclass(frozen=True, slots=True)
class Replaced:
    """A decision that holds no longer, with the review that says so.

    `superseded_by` is the explanation in which it was made again, the last that any review names; `since` is
    from when on it has not held, without a break.
    """

    outcome: str
    entry_id: UUID
    kind: ReviewKind
    at: datetime
    superseded_by: UUID | None
    since: datetime


def counted(entries: Iterable[Entry]) -> tuple[CountedReview, ...]:
    """Those of the reviews of one decision that count, oldest first; other entries are passed over."""
    found = _in_order(entries)
    gone = {entry.body.get("supersedes") for entry in found}
    return tuple(_read(entry) for entry in found if str(entry.entry_id) not in gone)


def standing(reviews: Sequence[CountedReview]) -> Standing | None:
    """The last of these that names an outcome; None where none does.

    `superseded_by` is the last that any of them names.
    """
    last, pointing = _deciding(reviews), _pointing(reviews)
    if last is None or last.outcome is None:
        return None
    later = None if pointing is None else pointing.superseded_by
    return Standing(last.outcome, last.entry_id, last.kind, last.at, later)


def replaced(outcome: str, entries: Iterable[Entry]) -> Replaced | None:
    """What took the place of a decision with this outcome, by its reviews; None while the decision holds.

    The decision made again takes its place whatever the outcome: the reasons are then those of the later one,
    until the review that names it is superseded. Where no review names an outcome the decision's own is told.
    """
    in_order = _in_order(entries)
    found: Replaced | None = None
    for at, newest in enumerate(in_order, 1):
        left = counted(in_order[:at])
        last, pointing = _deciding(left), _pointing(left)
        by = last or pointing
        if by is None or (pointing is None and by.outcome == outcome):
            found = None
            continue
        since = newest.time if found is None else found.since
        later = None if pointing is None else pointing.superseded_by
        found = Replaced(by.outcome or outcome, by.entry_id, by.kind, by.at, later, since)
    return found


def named_by(review: Entry) -> UUID | None:
    """The explanation that a review names in `superseded_by`.

    A pointer that is no id names none, and stops nobody who reads.
    """
    pointer = review.body.get("superseded_by")
    try:
        return UUID(pointer) if isinstance(pointer, str) else None
    except ValueError:
        return None


def _in_order(entries: Iterable[Entry]) -> list[Entry]:
    """The reviews among these entries, without requests for one, oldest first."""
    found = [entry for entry in entries if entry.type == REVIEW and entry.body.get("kind") in _KINDS]
    return sorted(found, key=lambda entry: (entry.time, entry.entry_id))


def _deciding(reviews: Sequence[CountedReview]) -> CountedReview | None:
    """The last of these that names an outcome."""
    return next((one for one in reversed(reviews) if one.outcome is not None), None)


def _pointing(reviews: Sequence[CountedReview]) -> CountedReview | None:
    """The last of these that names the explanation in which the decision was made again."""
    return next((one for one in reversed(reviews) if one.superseded_by is not None), None)


def _read(entry: Entry) -> CountedReview:
    outcome = entry.body.get("outcome")
    return CountedReview(
        entry_id=entry.entry_id,
        kind=cast("ReviewKind", entry.body["kind"]),
        outcome=outcome if isinstance(outcome, str) else None,
        at=entry.time,
        superseded_by=named_by(entry),
    )
