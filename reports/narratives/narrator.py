"""Who tells a narrative: the template, or a language model behind the same protocol."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from reports.narratives.facts import NarrativeFacts

SINCE = ("review", "review_outcome", "standing")
"""Kinds of facts about what people did since; they are told in the template's own words alone."""


@dataclass(frozen=True, slots=True)
class Stated:
    """One fact that a sentence states: of which kind, about what, and the direction or number it gives."""

    kind: str  # outcome, score, component, factor, reason, feature, mean, tie, group, missing, change, …
    name: str
    direction: str | None = None
    number: str | None = None


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence and the facts it states; none for a sentence that only connects."""

    text: str
    facts: tuple[Stated, ...] = ()


class Narrator(Protocol):
    """Tells the facts in sentences; plain texts are checked against the facts before anybody sees them."""

    def narrate(self, facts: NarrativeFacts, language: str) -> tuple[Sentence | str, ...]:
        """Return the sentences; raise NarratorFailed if there are none to be had."""
        ...
