"""The letter of explanation says what people did about the decision since, and which result holds."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
import pytest

from records.reviews import CountedReview
from reports.letters.letter import Letter
from reports.letters.writing import write_letter
from tests.oracles import records
from tests.oracles.letters import lines_of, section, section_lines, text_of

HEADING = "What people did about it since"
REVIEW = UUID("01950000-0000-7000-8000-00000000000a")
AGAIN = UUID("01950000-0000-7000-8000-00000000000b")


def _review(kind: Any, outcome: str | None = None, later: UUID | None = None) -> CountedReview:
    return CountedReview(REVIEW, kind, outcome, datetime(2026, 12, 3, 23, 30, tzinfo=UTC), later)


def _letter(*reviews: CountedReview, language: str = "en") -> Letter:
    return write_letter(records.source(reviews=reviews), "explanation", language)


def test_a_letter_without_reviews_is_what_it_was() -> None:
    letter = _letter()
    assert HEADING not in text_of(letter)
    assert not {"reviews", "standing_outcome"} & set(letter.data)


@pytest.mark.parametrize(
    ("review", "says", "holds"),
    [
        (_review("reviewed"), "a person reviewed this decision. No other result", "still “decline”"),
        (_review("reviewed", "decline"), "The result of the review was “decline”", "still “decline”"),
        (_review("overridden", "approve"), "a person overrode this decision", "today is “approve”"),
        (_review("overridden", "approve", AGAIN), f"its reasons it is in the record {AGAIN}", "“approve”"),
        (_review("corrected"), "something about this decision was corrected", "still “decline”"),
        (_review("corrected", "approve"), "The corrected result was “approve”", "today is “approve”"),
        (_review("corrected", None, AGAIN), f"in the record {AGAIN}", "still “decline”"),
    ],
)
def test_what_was_done_is_told_with_its_day_and_what_holds(
    review: CountedReview, says: str, holds: str
) -> None:
    _, done, standing = section_lines(section(_letter(review), HEADING))
    assert done.startswith("On December 3, 2026 ")
    assert says in done
    assert holds in standing


def test_several_are_told_in_their_order_and_the_last_holds() -> None:
    letter = _letter(_review("overridden", "approve"), _review("overridden", "decline"))
    told = section_lines(section(letter, HEADING))
    assert ["“approve”" in told[1], "“decline”" in told[2]] == [True, True]
    assert told[3] == "The result that holds is still “decline”."
    data = orjson.loads(orjson.dumps(letter.data))
    assert [one["outcome"] for one in data["reviews"]] == ["approve", "decline"]
    assert data["reviews"][0] == {
        "entry_id": str(REVIEW),
        "kind": "overridden",
        "outcome": "approve",
        "at": "2026-12-03T23:30:00.000000Z",
        "superseded_by": None,
    }
    assert data["standing_outcome"] == "decline"


@pytest.mark.parametrize(
    ("language", "says"),
    [
        ("de", "Am 3. Dezember 2026 hat ein Mensch anders entschieden"),
        ("es", "El 3 de diciembre de 2026 una"),
    ],
)
def test_it_is_told_in_the_letters_language(language: str, says: str) -> None:
    letter = _letter(_review("overridden", "approve"), language=language)
    assert says in text_of(letter)
    assert not any(set("{}") & set(line) for line in lines_of(letter))
