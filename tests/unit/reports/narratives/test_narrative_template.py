"""The template's narrative: from the record alone, the same each time, and true by its own check."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.letters.source import LetterSource
from reports.narratives.checking import Checker
from reports.narratives.errors import NarrativeLanguageUnknown, NarrativeWordsMalformed, SentenceRefused
from reports.narratives.gathering import facts_of
from reports.narratives.narrating import narrate
from reports.narratives.narrator import Sentence
from reports.narratives.template import TemplateNarrator
from reports.narratives.words import FOLDER, languages, load, words_of

Source = Callable[..., LetterSource]
# Sentences that say nothing of a factor or an input: they pass by being the template's own, word for word.
VERBATIM = frozenset(
    (
        *("score", "against_intro", "favour_intro", "group", "no_recourse", "unresolved", "change_alone"),
        *("tie_unlisted", "component_reason", "component_failed", "component_gray", "component_passed"),
        "component_not_used",
    )
)


def _texts(source: LetterSource, language: str = "en") -> list[str]:
    return [one.text for one in narrate(facts_of(source, language), language).sentences]


def test_a_declined_applicant_is_told_in_order(source_of: Source) -> None:
    texts = _texts(source_of())
    assert texts[0] == "The outcome is “decline”."
    against = [text for text in texts if "” counted" in text and " against " in text]
    assert [re.findall("“(.+?)”", text)[0] for text in against] == [
        "Income",
        "Debt burden",
        "Loan amount",
        "Length of employment",
    ]
    assert "No value was given for “Property type”." in texts
    assert "“Household size” counted moderately towards a favorable outcome." in texts
    assert "“Loan amount” and “Length of employment” are about as important as each other." in texts
    assert "The comparison is with 1,312 approved cases near the line." in texts
    assert texts[-1].startswith(
        "The model's outcome would have been “approve” if “Monthly income” had been 30"
    )


@pytest.mark.parametrize("language", languages())
def test_the_same_record_gives_the_same_sentences(source_of: Source, language: str) -> None:
    assert _texts(source_of(), language) == _texts(source_of(), language)


def test_nobody_is_named(source_of: Source) -> None:
    part = source_of().part
    text = repr(facts_of(source_of(application={"applicant": {"name": "Jane Doe", "address": []}}), "en"))
    for private in (part["decision_id"], str(part["subject_ref"]), "Jane Doe"):
        assert private not in text


def test_an_approved_applicant_is_told_nothing_against(source_of: Source) -> None:
    decision = {**source_of().part["decision"], "outcome": "approve", "favourable": True}
    nothing = {"status": "not_needed", "complete": True, "items": [], "evaluation_id": None}
    texts = _texts(source_of(decision=decision, reasons=[], counterfactuals=nothing))
    assert texts[0] == "The outcome is “approve”."
    assert not any(" against " in text for text in texts)
    assert any("towards a favorable outcome" in text for text in texts)


def _combined(source: LetterSource) -> dict[str, Any]:
    given = {**source.part["reasons"][0], "code": "K1", "factor": "K1", "contribution": None, "share": None}
    given |= {"component": "Desk of Jane Doe", "observed": [], "text": "Bankruptcy on file"}
    components = [
        {"name": "Desk of Jane Doe", "kind": "knockout", "result": "failed"},
        {"name": "score", "kind": "model", "result": "not_used"},
    ]
    nothing = {"status": "not_needed", "complete": True, "items": [], "evaluation_id": None}
    return {
        "reasons": [given],
        "counterfactuals": nothing,
        "decision": {**source.part["decision"], "outcome": "approve", "favourable": True},
        "combined": {"outcome": "decline", "favourable": False, "components": components},
    }


@pytest.mark.parametrize("language", languages())
def test_another_components_reason_is_its_own_and_its_name_stays_here(
    source_of: Source, language: str
) -> None:
    source = source_of(**_combined(source_of()))
    sentences = narrate(facts_of(source, language), language).sentences
    assert any(fact.kind == "reason" and fact.name == "K1" for one in sentences for fact in one.facts)
    assert "Jane" not in repr(sentences)
    assert any(fact.kind == "outcome" and fact.name == "decline" for fact in sentences[0].facts)


def test_a_sensitive_input_is_named_and_its_value_is_not(source_of: Source) -> None:
    source = source_of()
    feature = next(one for one in source.manifest.features if one.name == "income")
    changed = [
        one.model_copy(update={"sensitive": True}) if one is feature else one
        for one in source.manifest.features
    ]
    hidden = replace(source, manifest=source.manifest.model_copy(update={"features": tuple(changed)}))
    facts = facts_of(hidden, "en")
    assert facts.factors[0].label == "Income"
    assert facts.factors[0].features[0].value is None
    shown = [TemplateNarrator().narrate(one, "en") for one in (facts_of(source, "en"), facts)]
    assert ["21.5" in repr(one) for one in shown] == [True, False]
    assert facts.changes == ()


def test_a_language_without_words_is_refused(source_of: Source) -> None:
    for language in ("fr", "pt", ""):
        with pytest.raises(NarrativeLanguageUnknown):
            narrate(facts_of(source_of(), language), language)


def test_wordings_must_agree(tmp_path: Path) -> None:
    for file in FOLDER.glob("*.yaml"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    changed = tmp_path / "de.yaml"
    changed.write_text(changed.read_text("utf-8").replace("  unresolved:", "  unsolved:"), encoding="utf-8")
    with pytest.raises(NarrativeWordsMalformed, match="differs"):
        load(tmp_path)


def _stated_by_itself(sentence: Sentence, checker: Checker) -> None:
    assert set(checker._accounted(sentence.text)) == set(sentence.facts), sentence.text


@pytest.mark.parametrize("language", languages())
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_what_the_template_says_of_factors_passes_the_check_by_its_content(
    source_of: Source, language: str, data: st.DataObject
) -> None:
    """Any values, signs and ties: the check accounts for each sentence without knowing it beforehand."""
    source = source_of()
    numbers = st.floats(-1e7, 1e7, allow_nan=False).map(lambda number: round(number, 2) + 0.0)
    values = {name: data.draw(numbers) for name in ("income", "debt_ratio", "loan_amount", "years_employed")}
    rows = [{**row, "value": values.get(row["name"], row["value"])} for row in source.part["features"]]
    reasons = []
    for reason in source.part["reasons"][: data.draw(st.integers(1, 4))]:
        observed = [{**row, "value": values[row["feature"]]} for row in reason["observed"]]
        mean = data.draw(st.none() | numbers)
        reasons.append({**reason, "observed": observed, "reference_value": mean})
    facts = facts_of(source_of(features=rows, reasons=reasons), language)
    words = words_of(language)
    templates = {name: re.split(r"\{.*?\}", words.sentences[name]) for name in VERBATIM}
    checker = Checker(facts, words, ())
    told = TemplateNarrator().narrate(facts, language)
    for sentence in told:
        if not any(all(piece in sentence.text for piece in pieces) for pieces in templates.values()):
            _stated_by_itself(sentence, checker)
    assert Checker(facts, words, told).check([one.text for one in told]) == told


def test_a_favourable_outcome_is_no_outcome_of_an_adverse_record(source_of: Source) -> None:
    facts = facts_of(source_of(), "en")
    with pytest.raises(SentenceRefused, match="outcome"):
        Checker(facts, words_of("en"), ()).check(["The outcome is “approve”."])
