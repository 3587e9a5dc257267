"""Telling one narrative: by a narrator whose every sentence is checked, or else wholly by the template."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from reports.narratives.checking import Checker
from reports.narratives.errors import NarratorFailed
from reports.narratives.facts import NarrativeFacts
from reports.narratives.narrator import Narrator, Sentence
from reports.narratives.template import TemplateNarrator
from reports.narratives.words import words_of

Source = Literal["template", "language_model"]


@dataclass(frozen=True, slots=True)
class Narrative:
    """One narrative; `fallback` says why the template took a narrator's place, None where none was asked."""

    language: str
    source: Source
    sentences: tuple[Sentence, ...]
    fallback: str | None = None


def narrate(facts: NarrativeFacts, language: str, narrator: Narrator | None = None) -> Narrative:
    """Tell the facts; never a mixture of two narrators. Raises NarrativeLanguageUnknown."""
    told = TemplateNarrator().narrate(facts, language)
    if narrator is None:
        return Narrative(language, "template", told)
    try:
        given = narrator.narrate(facts, language)
        texts = [one.text if isinstance(one, Sentence) else one for one in given]
        checked = Checker(facts, words_of(language), told).check(texts)
    except NarratorFailed as error:
        return Narrative(language, "template", told, fallback=error.reason)
    return Narrative(language, "language_model", checked)
