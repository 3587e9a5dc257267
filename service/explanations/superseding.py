"""What a review points at: a review that it takes the place of, or the same decision made again.

A pointer is followed before anything is put on record. What cannot be compared any more (a person who was
never named, or whose key is destroyed) is nobody's in particular; where the law asks for reasons that is not
enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from audit.entry import Entry
from audit.errors import EntryNotFound, PayloadErased
from audit.log import StoredEntry
from records.naming import decisions_naming
from records.private import parse_private
from records.reaching import transaction
from records.reviews import REVIEW, CountedReview, counted, named_by, replaced
from service.context import Services
from service.explanations.agreeing import SKEW
from service.explanations.recalling import EXPLANATION

_EARLIER = "must be a review of this explanation, or an earlier explanation of the same model"
_LATER = "must be a later explanation of the same model"
_OTHERS = "must be about the same person"
_UNSAID = (
    "holds as long as no review of its own says otherwise: first record a correction of it which names this "
    "explanation in `superseded_by`"
)
_FIRST_THERE = (
    "is confirmed by a review of the explanation that it names in `superseded_by`: supersede that one first"
)

_RELIED_ON = "must not change: an earlier decision was made again in this one, and holds by its outcome"


def reviews_about(services: Services, explanation_id: UUID) -> list[StoredEntry]:
    """Every review of one explanation, oldest first."""
    return services.log.about(explanation_id, REVIEW)


def supersedes_flaw(
    services: Services, stored: StoredEntry, reviews: Sequence[Entry], named: UUID, again: str | None
) -> str | None:
    """What is wrong with superseding this from a review of an explanation that has these reviews.

    `again` is what that review names in `superseded_by` itself.
    """
    if str(named) in {one.body.get("supersedes") for one in reviews}:
        return "is superseded already"
    found = _read(services, named)
    if found is None or found.entry.type != REVIEW:
        return _place_flaw(services, found, stored)
    if found.entry.about != stored.entry.entry_id:
        return _EARLIER
    kept = again is not None and named_by(found.entry) == UUID(again)
    return _FIRST_THERE if not kept and _said_from_both_sides(services, found.entry) else None


def _place_flaw(services: Services, found: StoredEntry | None, stored: StoredEntry) -> str | None:
    """What is wrong with saying that an explanation takes the place of this one.

    The earlier one's reviews are all that its notice is judged by; so it is said there first.
    """
    if found is None or not _in_order(found.entry, stored.entry):
        return _EARLIER
    if same_person(services, found, stored) is False:
        return _OTHERS
    told = counted(one.entry for one in reviews_about(services, found.entry.entry_id))
    places = {one.superseded_by for one in told} - {None}
    if places - {stored.entry.entry_id}:
        return "has its place taken by another explanation already"
    return None if places else _UNSAID


def _said_from_both_sides(services: Services, review: Entry) -> bool:
    """Whether the later explanation, too, has a review that counts and says it took this one's place."""
    later = named_by(review)
    if later is None:
        return False
    told = [one.entry for one in reviews_about(services, later)]
    left = {one.entry_id for one in counted(told)}
    return any(one.entry_id in left and one.body.get("supersedes") == str(review.about) for one in told)


def favourable_of(services: Services, named: UUID) -> bool | None:
    """Whether an explained decision was favourable, whatever was said of it later; None if this is none."""
    found = _read(services, named)
    return bool(found.entry.body["favourable"]) if found and found.entry.type == EXPLANATION else None


def superseded_by_flaw(
    services: Services,
    stored: StoredEntry,
    left: Sequence[CountedReview],
    named: UUID,
    favourable: bool | None,
) -> str | None:
    """What is wrong with the explanation in which this decision was made again.

    `left` are the reviews that go on counting, `favourable` which outcome is told to hold, None for none.
    """
    found = _read(services, named)
    if found is None or not _in_order(stored.entry, found.entry):
        return _LATER
    if any(one.superseded_by not in (None, named) for one in left):
        return "another one has taken its place already: supersede the review that says so"
    if favourable is not None and _holds(services, found.entry) is not favourable:
        return "must have come to the outcome that is told"
    return _OTHERS if same_person(services, stored, found) is False else None


def relied_on_flaw(services: Services, entry: Entry) -> str | None:
    """Which review relies on the outcome of this decision: it counts and names it in `superseded_by`."""
    with transaction(services.pool) as conn:
        naming = decisions_naming(conn, entry.entry_id, entry.time - SKEW)
    for decision in naming:
        for one in counted(told.entry for told in reviews_about(services, decision)):
            if one.superseded_by == entry.entry_id:
                return f"{_RELIED_ON}: supersede review {one.entry_id} of {decision} first"
    return None


def made_again_flaw(services: Services, left: Sequence[CountedReview], favourable: bool) -> str | None:
    """What is wrong with this outcome beside what the decision made again came to."""
    again = next((one for one in reversed(left) if one.superseded_by is not None), None)
    if again is None or again.superseded_by is None:
        return None
    if favourable_of(services, again.superseded_by) is favourable:
        return None
    return f"is not what the decision made again came to: supersede review {again.entry_id}, which names it"


def reasons_flaw(services: Services, stored: StoredEntry, named: UUID) -> str | None:
    """Why the reasons of an adverse decision are not on record with the explanation that is named."""
    later = services.log.read(named)
    if same_person(services, stored, later) is not True:
        return "must name the same `subject_ref`, which must still be readable"
    return None if later.entry.body.get("reason_codes") else "must carry reasons"


def same_person(services: Services, one: StoredEntry, other: StoredEntry) -> bool | None:
    """Whether two decisions are about one person; None where a person was not named or is erased."""
    try:
        named = [parse_private(services.log.open(each))["subject_ref"] for each in (one, other)]
    except PayloadErased:
        return None
    return None if None in named else named[0] == named[1]


def _holds(services: Services, entry: Entry) -> bool | None:
    """Whether the outcome of a decision is favourable, and still holds; None where another one does."""
    reviews = (one.entry for one in reviews_about(services, entry.entry_id))
    if replaced(str(entry.body["outcome"]), reviews) is not None:
        return None
    return bool(entry.body["favourable"])


def _in_order(earlier: Entry, later: Entry) -> bool:
    """Whether both are explanations of one model, in this order."""
    both = {earlier.type, later.type} == {EXPLANATION} and earlier.body["model"] == later.body["model"]
    return both and (earlier.time, earlier.entry_id) < (later.time, later.entry_id)


def _read(services: Services, named: UUID) -> StoredEntry | None:
    try:
        return services.log.read(named)
    except EntryNotFound:
        return None
