"""Only changes with which the model's own answer is the favourable one are told, and silence says why."""

from __future__ import annotations

from typing import Any

import pytest

from reports.letters.content import counterfactual_content
from reports.letters.draft import Draft
from reports.letters.phrases import languages_of, phrases_of
from reports.letters.source import LetterSource
from reports.letters.writing import write_letter
from reports.narratives.facts import NarrativeFacts
from reports.narratives.gathering import facts_of
from reports.narratives.narrating import narrate
from tests.oracles import records
from tests.oracles.letters import section, section_lines, text_of

VARIATION = "What would have changed the result"
NOTHING_ASKED = records.asked_part()
BELOW = {"score": 0.5, "direction": "below", "wanted_class": None}


def _found(items: list[Any], status: str = "found", **asked: Any) -> dict[str, Any]:
    part = {"status": status, "complete": True, "items": items, "evaluation_id": None}
    return {"counterfactuals": part | {"asked": NOTHING_ASKED | asked}}


def _variation(source: LetterSource) -> list[str]:
    return section_lines(section(write_letter(source, "explanation", "en"), VARIATION))


def _facts(source: LetterSource) -> NarrativeFacts:
    return facts_of(source, "en")


def test_a_change_that_reaches_only_another_goal_is_told_nowhere() -> None:
    """The line is at 0.3: 0.24 is on the favourable side of it, 0.45 is only below the goal of 0.5."""
    near = records.counterfactual(score=0.45, outcome="decline")
    far = records.counterfactual(score=0.24, changes=[{"feature": "income", "from": 3000.0, "to": 5000.0}])
    source = records.source(_found([near, far], target=BELOW))
    lines = _variation(source)
    assert "its answer would have been “approve” on that day" in lines[1]
    assert [line for line in lines if " instead of " in line] == [
        "Monthly income: 5,000 USD instead of 3,000 USD"
    ]
    facts = _facts(source)
    assert ([one.feature for one in facts.changes], facts.changed_outcome) == (["income"], "approve")
    draft = Draft(source, phrases_of("explanation", "en"), "en")
    assert [one["outcome"] for one in counterfactual_content(draft)] == ["approve"]


@pytest.mark.parametrize("status", ["found", "no_recourse", "deferred", "partial"])
def test_the_end_of_a_search_for_another_goal_says_nothing_about_the_answer(status: str) -> None:
    items = [records.counterfactual(outcome="decline")] if status in ("found", "partial") else []
    source = records.source(_found(items, status, target=BELOW))
    lines = _variation(source)
    assert len(lines) == 2
    assert "another goal than the model's more favorable answer" in lines[1]
    assert write_letter(source, "explanation", "en").data["counterfactual_status"] == "other_goal"
    assert not any("would have" in one.text for one in narrate(_facts(source), "en").sentences)


def test_no_change_of_a_favourable_answer_is_told() -> None:
    """A caller may ask what would make a good score better; that is no recourse."""
    better = _found([records.counterfactual(score=0.05)], target=BELOW | {"score": 0.1})
    source = records.source(better | {"decision": records.approved().part["decision"], "reasons": []})
    assert not any(" instead of " in line for line in _variation(source))
    assert _facts(source).changes == ()


@pytest.mark.parametrize(
    "narrowing",
    [
        {"features_to_vary": ["income"]},
        {"max_changes": 1},
        {"permitted_range": [{"feature": "income", "least": 3000.0, "greatest": 4000.0, "categories": None}]},
    ],
    ids=lambda narrowing: next(iter(narrowing)),
)
def test_what_is_proved_within_narrower_limits_is_proved_only_there(narrowing: dict[str, Any]) -> None:
    source = records.source(_found([], "no_recourse", **narrowing))
    lines = _variation(source)
    assert "no change within the limits of this search" in lines[1]
    assert "narrower limits than those set for this model" in lines[1]
    told = [one.text for one in narrate(_facts(source), "en").sentences]
    assert "No change within the limits of the search would have changed the model's outcome." in told
    wide = records.source(_found([], "no_recourse", methods=["direct"], count=1))
    assert "no permitted change of the data" in _variation(wide)[1]


DERIVED = [
    {"feature": "income", "from": 3000.0, "to": 5000.0, "derived": False},
    {"feature": "debt_ratio", "from": 61.0, "to": 36.6, "derived": True},
]


@pytest.mark.parametrize(
    ("language", "chosen", "following"),
    [
        ("en", "5,000 USD instead of 3,000 USD", "(from which follows: Debt ratio: 36.6% instead of 61.0%)"),
        ("de", "5.000 USD statt 3.000 USD", "(daraus folgt: Schuldenquote: 36,6 % statt 61,0 %)"),
        (
            "es",
            "5.000 USD en lugar de 3.000 USD",
            "(de lo que resulta: Ratio de deuda: 36,6 % en lugar de 61,0 %)",
        ),
    ],
)
def test_what_follows_from_a_change_is_told_as_a_consequence(
    language: str, chosen: str, following: str
) -> None:
    source = records.source(_found([records.counterfactual(changes=DERIVED)]))
    letter = write_letter(source, "explanation", language)
    assert f"{chosen} {following}" in text_of(letter).replace("\u00a0", " ")


def test_a_narrative_leaves_out_what_only_follows() -> None:
    source = records.source(_found([records.counterfactual(changes=DERIVED)]))
    assert [one.feature for one in _facts(source).changes] == ["income"]


@pytest.mark.parametrize("template", ["adverse_action", "explanation"])
def test_every_language_can_say_what_follows(template: Any) -> None:
    for language in languages_of(template):
        said = phrases_of(template, language).say("change_with_derived", changes="A", derived="B")
        assert said.startswith("A (")


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("en", "The search for a change of the model's outcome had not ended in the time given."),
        ("de", "Die Suche nach einer Änderung des Ergebnisses des Modells war in der gegebenen Zeit nicht"),
        ("es", "La búsqueda de un cambio del resultado del modelo no había terminado"),
    ],
)
def test_a_deferred_search_is_not_said_to_have_found_nothing(language: str, told: str) -> None:
    source = records.source(_found([], "deferred"))
    assert any(one.text.startswith(told) for one in narrate(facts_of(source, language), language).sentences)
