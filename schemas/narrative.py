"""One explanation in plain sentences."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from schemas.base import Digest, Identifier, Many, Wire


class StatedFact(Wire):
    """One fact that a sentence states."""

    kind: str = Field(description="outcome, factor, reason, feature, mean, missing, tie, change, group, …")
    name: str = Field(description="what it is about, as the manifest or the catalogue names it")
    direction: str | None = Field(description="against or favour, for a factor; a component's result")
    number: str | None = Field(description="the value it gives, as it is written in the sentence's language")


class NarrativeSentence(Wire):
    """One sentence with the facts it states."""

    text: str = Field(description="the sentence: plain text, never markup")
    facts: Many[StatedFact] = Field(description="none for a sentence that only connects")


class NarrativeFallback(Wire):
    """Why the template took the language model's place."""

    reason: str = Field(description="a word of this service, never text of the language model's answer")


class Narrative(Wire):
    """A plain-language narrative of one explanation, made from its record."""

    explanation_id: Identifier = Field(description="the explanation")
    language: str = Field(description="the language of the sentences")
    source: Literal["template", "language_model"] = Field(description="who told it; never a mixture")
    sentences: Many[NarrativeSentence] = Field(description="the sentences in their order")
    fallback: NarrativeFallback | None = Field(description="null unless a language model failed")
    model_digest: Digest | None = Field(
        description="digest of the language model's name; null for the template"
    )
    entry_id: Identifier | None = Field(description="the entry that holds it; null for the template")
