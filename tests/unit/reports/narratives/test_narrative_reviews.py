"""What people did about a decision is told in its narrative, and no narrator may leave it out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from records.reviews import CountedReview
from reports.letters.source import LetterSource
from reports.narratives.checking import Checker
from reports.narratives.errors import SentenceRefused
from reports.narratives.facts import NarrativeFacts
from reports.narratives.gathering import facts_of
from reports.narratives.language_model import _facts
from reports.narratives.narrating import narrate
from reports.narratives.template import TemplateNarrator
from reports.narratives.words import languages, words_of

Source = Callable[..., LetterSource]
REVIEW = UUID("01950000-0000-7000-8000-00000000000a")
AGAIN = UUID("01950000-0000-7000-8000-00000000000b")


def _review(kind: Any, outcome: str | None = None, day: int = 3, later: UUID | None = None) -> CountedReview:
    return CountedReview(REVIEW, kind, outcome, datetime(2026, 12, day, 23, 30, tzinfo=UTC), later)


def _facts_with(source_of: Source, *reviews: CountedReview, language: str = "en") -> NarrativeFacts:
    return facts_of(replace(source_of(), reviews=reviews), language)


def _texts(source_of: Source, *reviews: CountedReview, language: str = "en") -> list[str]:
    facts = _facts_with(source_of, *reviews, language=language)
    return [one.text for one in narrate(facts, language).sentences]


def test_a_decision_that_nobody_looked_at_is_told_as_before(source_of: Source) -> None:
    assert not any("today" in text for text in _texts(source_of))


@pytest.mark.parametrize(
    ("review", "says", "holds"),
    [
        (_review("reviewed"), "On December 3, 2026 a person reviewed this decision.", "still “decline”"),
        (_review("reviewed", "decline"), "the outcome of the review was “decline”", "still “decline”"),
        (_review("overridden", "approve"), "a person overrode this decision; the new", "today is “approve”"),
        (_review("corrected"), "something about this decision was corrected", "still “decline”"),
        (_review("corrected", "approve"), "the corrected outcome was “approve”", "today is “approve”"),
    ],
)
def test_what_was_done_is_told_with_its_day_right_after_the_decision(
    source_of: Source, review: CountedReview, says: str, holds: str
) -> None:
    texts = _texts(source_of, review)
    assert texts[0] == "The outcome is “decline”."
    assert says in texts[2]
    assert holds in texts[3]
    assert texts[4].startswith("These factors counted against")


def test_a_decision_made_again_is_said_to_have_a_record_of_its_own_and_no_id_is_told(
    source_of: Source,
) -> None:
    texts = _texts(source_of, _review("overridden", "approve", later=AGAIN))
    assert texts[3] == "The decision was made again then, and has a record of its own."
    assert str(AGAIN) not in repr(texts)
    assert str(REVIEW) not in repr(texts)


@pytest.mark.parametrize(
    ("language", "says", "holds"),
    [
        ("en", "On December 3, 2026 a person overrode", "The outcome that holds today is “approve”"),
        ("de", "Am 3. Dezember 2026 hat ein Mensch anders entschieden", "Heute gilt das Ergebnis „approve“"),
        ("es", "El 3 de diciembre de 2026 una persona", "El resultado que vale hoy es «approve»"),
    ],
)
def test_it_is_told_in_each_language(source_of: Source, language: str, says: str, holds: str) -> None:
    texts = _texts(source_of, _review("overridden", "approve"), language=language)
    assert texts[2].startswith(says)
    assert texts[3].startswith(holds)


@pytest.mark.parametrize("language", languages())
def test_the_templates_own_narrative_passes_and_none_that_leaves_a_review_out(
    source_of: Source, language: str
) -> None:
    reviews = _review("reviewed", day=1), _review("overridden", "approve"), _review("corrected", day=9)
    facts = _facts_with(source_of, *reviews, language=language)
    told = TemplateNarrator().narrate(facts, language)
    checker = Checker(facts, words_of(language), told)
    texts = [one.text for one in told]
    assert checker.check(texts) == told
    for at in range(2, 6):
        with pytest.raises(SentenceRefused, match="review-missing"):
            checker.check(texts[:at] + texts[at + 1 :])
    with pytest.raises(SentenceRefused, match="order"):
        checker.check([*texts[:2], texts[3], texts[2], *texts[4:]])


@pytest.mark.parametrize(
    "lie",
    [
        "On December 4, 2026 a person overrode this decision; the new outcome was “approve”.",
        "On December 3, 2026 a person overrode this decision; the new outcome was “decline”.",
        "The outcome that holds today is still “decline”.",
        "The outcome is “approve”.",
        "A person overrode this decision.",
    ],
)
def test_what_a_narrator_says_of_a_review_in_its_own_words_is_refused(source_of: Source, lie: str) -> None:
    facts = _facts_with(source_of, _review("overridden", "approve"))
    told = TemplateNarrator().narrate(facts, "en")
    with pytest.raises(SentenceRefused):
        Checker(facts, words_of("en"), told).check([*(one.text for one in told), lie])


def test_a_language_model_is_told_which_sentences_it_must_take(source_of: Source) -> None:
    facts = _facts_with(source_of, _review("overridden", "approve"))
    texts = [one.text for one in TemplateNarrator().narrate(facts, "en")]
    assert _facts(facts, "en")["must_be_used"] == texts[2:4]
    assert _facts(_facts_with(source_of), "en")["must_be_used"] == []
