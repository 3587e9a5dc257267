"""Which review counts and what holds after them, in whichever order they are read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import permutations
from uuid import UUID

from audit.entry import Entry, new_id
from records.reviews import CountedReview, Standing, counted, standing

DECIDED = datetime(2026, 3, 2, 9, tzinfo=UTC)
EXPLANATION = UUID("01950000-0000-7000-8000-000000000001")
AGAIN = UUID("01950000-0000-7000-8000-000000000002")


def reviewed(
    hours: int,
    kind: str,
    outcome: str | None = None,
    supersedes: Entry | None = None,
    later: UUID | None = None,
) -> Entry:
    moment = DECIDED + timedelta(hours=hours)
    body = {
        "kind": kind,
        "outcome": outcome,
        "supersedes": None if supersedes is None else str(supersedes.entry_id),
        "superseded_by": None if later is None else str(later),
    }
    return Entry(new_id(moment), "explanation.reviewed", moment, "token:t", body, about=EXPLANATION)


def told(entries: Sequence[Entry]) -> tuple[tuple[CountedReview, ...], Standing | None]:
    """What is counted and what holds, which no order of the entries changes."""
    (one,) = {counted(order) for order in permutations(entries)}
    return one, standing(one)


def test_nothing_holds_but_the_decision_where_no_review_names_an_outcome() -> None:
    assert told([]) == ((), None)
    counted_ones, holds = told([reviewed(1, "requested"), reviewed(2, "reviewed")])
    assert ([one.kind for one in counted_ones], holds) == (["reviewed"], None)


def test_the_last_outcome_holds_with_the_review_that_names_it() -> None:
    first, second = reviewed(1, "overridden", "approve"), reviewed(3, "overridden", "decline")
    _, holds = told([first, reviewed(2, "reviewed"), second])
    assert holds == Standing("decline", second.entry_id, "overridden", second.time, None)


def test_a_superseded_override_no_longer_holds_and_another_one_may() -> None:
    wrong = reviewed(1, "overridden", "approve")
    taken_back = reviewed(2, "corrected", supersedes=wrong)
    counted_ones, holds = told([wrong, taken_back])
    assert ([one.entry_id for one in counted_ones], holds) == ([taken_back.entry_id], None)
    again = reviewed(3, "overridden", "approve")
    assert told([wrong, taken_back, again])[1] == Standing(
        "approve", again.entry_id, "overridden", again.time, None
    )


def test_an_earlier_review_holds_again_once_the_later_is_superseded_but_never_what_was_itself() -> None:
    first = reviewed(1, "overridden", "approve")
    second = reviewed(2, "overridden", "decline")
    third = reviewed(3, "corrected", supersedes=second)
    fourth = reviewed(4, "corrected", supersedes=third)
    for entries in ([first, second, third], [first, second, third, fourth]):
        holds = told(entries)[1]
        assert holds is not None
        assert (holds.outcome, holds.entry_id) == ("approve", first.entry_id)


def test_a_request_takes_no_place() -> None:
    override = reviewed(1, "overridden", "approve")
    holds = told([override, reviewed(2, "requested", supersedes=override)])[1]
    assert holds is not None
    assert holds.entry_id == override.entry_id


def test_the_decision_made_again_is_named_with_what_holds() -> None:
    override = reviewed(1, "overridden", "approve")
    remade = reviewed(2, "corrected", later=AGAIN)
    holds = told([override, remade])[1]
    assert holds is not None
    assert (holds.entry_id, holds.superseded_by) == (override.entry_id, AGAIN)
