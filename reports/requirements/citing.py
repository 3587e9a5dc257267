"""Citing a rule: never without its status."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from types import MappingProxyType

from reports.requirements.errors import LanguageUncited, RequirementsMalformed
from reports.requirements.register import WORDS, read_document, requirement
from reports.requirements.requirement import Requirement

_PHRASES = frozenset(
    (
        *("in_force", "in_force_until_withdrawn", "in_force_until_superseded", "not_yet_in_force"),
        *("proposed", "withdrawn", "superseded", "judgment", "dates"),
    )
)


@dataclass(frozen=True, slots=True)
class CitedRule:
    """A rule as it is printed: its status is said wherever it is cited."""

    requirement_id: str
    citation: str
    status: str  # in_force, not_yet_in_force, proposed, withdrawn or superseded, on the letter's date
    printed: str  # the citation with its status, in the letter's language


@dataclass(frozen=True, slots=True)
class StatusWords:
    """How one language says where a rule stands, and how it writes a day."""

    phrases: Mapping[str, str]
    months: tuple[str, ...]

    def day(self, on: date) -> str:
        """Write a day in words, for instance `May 12, 2025`."""
        form = self.phrases["dates"]
        return form.format(day=on.day, month=self.months[on.month - 1], year=on.year)


def cite(requirement_id: str, on: date, language: str) -> CitedRule:
    """Cite a rule as it stood on a day, with its status in words.

    A rule that held on that day and was withdrawn or superseded since, as far as this version of the data
    knows, is printed with both facts. Raises RequirementUnknown and LanguageUncited.
    """
    rule = requirement(requirement_id)
    words = status_words(language)
    citation = rule.cited(language)
    return CitedRule(
        rule.id, citation, rule.status_on(on), f"{citation} ({_said(rule, on, words, language)})"
    )


def languages() -> tuple[str, ...]:
    """Return the languages in which rules are cited."""
    return tuple(_all_words())


def status_words(language: str) -> StatusWords:
    """Return the words of one language; raise LanguageUncited where there are none."""
    try:
        return _all_words()[language]
    except KeyError:
        raise LanguageUncited(language) from None


def _said(rule: Requirement, on: date, words: StatusWords, language: str) -> str:
    status = rule.status_on(on)
    phrase: str = status
    if status == "in_force" and rule.kind == "judgment":
        phrase = "judgment"
    if status == "in_force" and rule.effective_to is not None:
        phrase = f"in_force_until_{rule.status}"
    facts = {
        "from": "" if rule.effective_from is None else words.day(rule.effective_from),
        "to": "" if rule.effective_to is None else words.day(rule.effective_to),
        "by": "" if rule.superseded_by is None else requirement(rule.superseded_by).cited(language),
    }
    return words.phrases[phrase].format_map(facts)


@cache
def _all_words() -> Mapping[str, StatusWords]:
    document = read_document(WORDS)
    if not isinstance(document, dict):
        raise RequirementsMalformed(WORDS.name, "must be an object")
    return MappingProxyType({language: _words(language, given) for language, given in document.items()})


def _words(language: str, given: object) -> StatusWords:
    if not isinstance(given, dict) or given.keys() != _PHRASES | {"months"}:
        raise RequirementsMalformed(WORDS.name, f"{language} must have exactly the known phrases")
    months = given["months"]
    phrases = {name: str(given[name]) for name in _PHRASES}
    if not isinstance(months, list) or len(months) != 12:
        raise RequirementsMalformed(WORDS.name, f"{language} must name twelve months")
    return StatusWords(MappingProxyType(phrases), tuple(str(month) for month in months))
