"""Numbers in sentences: read as one language writes them, and compared with what the record shows."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from reports.narratives.facts import NarrativeFacts, Shown
from reports.narratives.reading import blot, whole_words
from reports.narratives.words import NarrativeWords

_DIGITS = re.compile(r"[-−+]?\d(?:[\d.,'’\u00a0\u202f]*\d)?")
_PERCENT = "%"


@dataclass(frozen=True, slots=True)
class Figure:
    """One value that a sentence gives, with its place; `number` is None for a value in words."""

    start: int
    end: int
    text: str
    number: Decimal | None
    unit: str = ""


class NumberUnreadable(ValueError):
    """Digits that are no number in this language."""


class Numerals:
    """The numbers of one language, with the marks that the record's words use."""

    def __init__(self, facts: NarrativeFacts, words: NarrativeWords) -> None:
        group, mark = re.escape(facts.group_mark), re.escape(facts.decimal_mark)
        grouped = rf"[0-9]{{1,3}}(?:{group}[0-9]{{3}})+|" if facts.group_mark else ""
        self._form = re.compile(rf"([-−+]?)({grouped}[0-9]+)(?:{mark}([0-9]+))?")
        self._percent = whole_words(words.percent)
        self._words = words.numbers

    def parse(self, text: str) -> Decimal:
        """Read one number; raise NumberUnreadable for marks in wrong places and digits that are not ours."""
        match = self._form.fullmatch(text)
        if match is None:
            raise NumberUnreadable(text)
        number = Decimal(f"{re.sub('[^0-9]', '', match[2])}.{match[3] or 0}")
        return -number if match[1] in ("-", "−") else number

    def figures(self, text: str, shown: Iterable[Shown]) -> list[Figure]:
        """Return the values given in a piece of text, in their order.

        What the record shows is taken first, whole: `56 thousand USD` is one value, not 56 and a thousand.
        """
        found: list[Figure] = []
        for one in sorted(set(shown), key=lambda each: len(each.text), reverse=True):
            form = rf"(?<![\w.,−-]){re.escape(one.text)}(?!\w|[.,]\d|\s?%)"
            places = [match.span() for match in re.finditer(form, text, re.IGNORECASE)]
            number = None if one.number is None else self.parse(one.number)
            found += [Figure(*place, one.text, number, one.unit) for place in places]
            text = blot(text, places)
        for match in _DIGITS.finditer(text):
            end, unit = self._unit(text, match.end())
            found.append(Figure(match.start(), end, match[0], self.parse(match[0]), unit))
        for match in re.finditer(r"[^\W\d_]+", text):
            if (spelled := self._words.get(match[0].lower())) is not None:
                found.append(Figure(*match.span(), match[0], Decimal(spelled)))
        return sorted(found, key=lambda figure: figure.start)

    def says(self, figure: Figure, shown: Shown) -> bool:
        """Whether a value in a sentence is the one on record, as it is shown and with its unit."""
        if figure.number is None or shown.number is None:
            return figure.number is None and figure.text.lower() == shown.text.lower()
        return figure.unit == shown.unit and figure.number == self.parse(shown.number)

    def _unit(self, text: str, end: int) -> tuple[int, str]:
        """A percent sign or word behind a number."""
        rest = text[end:]
        start = end + len(rest) - len(rest.lstrip())
        if text.startswith(_PERCENT, start):
            return start + 1, _PERCENT
        match = self._percent.match(text, start)
        return (end, "") if match is None else (match.end(), _PERCENT)
