"""Reading a sentence: which labels, outcomes, values and phrases of the record stand where in it.

What is recognised is blotted out, so that what remains has to be words that state nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache

from reports.narratives.facts import ChangeFact, FactorFact, FeatureFact, GivenFact, NarrativeFacts
from reports.narratives.words import NarrativeWords

_BLOT = "\0"


@dataclass(slots=True)
class Named:
    """Everything of the facts that goes by one text: a label, a reason's text or an outcome."""

    text: str
    factors: list[FactorFact] = field(default_factory=list)
    features: list[FeatureFact] = field(default_factory=list)
    changes: list[ChangeFact] = field(default_factory=list)
    given: list[GivenFact] = field(default_factory=list)
    outcome: str | None = None
    is_reason_text: bool = False


@dataclass(frozen=True, slots=True)
class Mention:
    """One place in a sentence where something of the facts is named."""

    named: Named
    start: int
    end: int


class Names:
    """The texts by which the facts of one narrative may be named."""

    def __init__(self, facts: NarrativeFacts) -> None:
        self._by_text: dict[str, Named] = {}
        for factor in facts.factors:
            self._of(factor.label).factors.append(factor)
            if factor.text:
                named = self._of(factor.text.strip().rstrip("."))
                named.factors.append(factor)
                named.is_reason_text = True
            for feature in factor.features:
                self._of(feature.label).features.append(feature)
        for reason in facts.reasons:
            if isinstance(reason, GivenFact):
                self._of(reason.text.strip().rstrip(".")).given.append(reason)
        for feature in facts.flagged:
            self._of(feature.label).features.append(feature)
        for change in facts.changes:
            self._of(change.label).changes.append(change)
        for outcome in facts.outcomes:
            self._of(outcome).outcome = outcome
        self._pattern = whole_words(self._by_text)

    def _of(self, text: str) -> Named:
        return self._by_text.setdefault(text.lower(), Named(text))

    def mentions(self, text: str) -> list[Mention]:
        """Return where something is named, the longest name first where two overlap."""
        found = self._pattern.finditer(text)
        return [Mention(self._by_text[match[0].lower()], *match.span()) for match in found]


def whole_words(texts: Iterable[str]) -> re.Pattern[str]:
    """Return a pattern for any of these texts, standing by itself; the longest wins."""
    longest_first = sorted(set(texts), key=len, reverse=True)
    either = "|".join(re.escape(text).replace(r"\ ", r"\s+") for text in longest_first)
    return re.compile(rf"(?<!\w)(?:{either or '(?!)'})(?!\w)", re.IGNORECASE)


def blot(text: str, spans: Iterable[tuple[int, int]]) -> str:
    """Return the text with these places made unreadable; all other places stay where they are."""
    signs = list(text)
    for start, end in spans:
        signs[start:end] = _BLOT * (end - start)
    return "".join(signs)


def markers_in(text: str, words: NarrativeWords) -> Mapping[str, list[tuple[int, int]]]:
    """Return where each kind of phrase stands; a longer phrase hides the shorter ones inside it."""
    kinds = {phrase.lower(): kind for kind, phrases in words.markers.items() for phrase in phrases}
    kinds |= {phrase.lower(): f"weight:{weight}" for weight, phrase in words.weights.items()}
    found: dict[str, list[tuple[int, int]]] = {}
    for match in _marker_pattern(tuple(kinds)).finditer(text):
        kind = kinds[" ".join(match[0].lower().split())]
        found.setdefault(kind, []).append(match.span())
    return found


@cache
def _marker_pattern(phrases: tuple[str, ...]) -> re.Pattern[str]:
    return whole_words(phrases)
