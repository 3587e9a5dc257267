"""Why a letter is not written, as one tree of named errors.

LetterError
├── LetterNotDue     nothing adverse was decided, or this kind of letter is not for such a decision
├── LetterBlocked    compliance has to look first
├── ScoreOutOfRange  a score cannot be disclosed with the range that is declared for it
├── LanguageUnknown  the letter or the reasons are not worded in this language
├── SourceMixed      the catalogue or the manifest is not the one that the record names
└── WordingMalformed the wording files contradict each other
"""

from __future__ import annotations

from collections.abc import Iterable


class LetterError(Exception):
    """The letter could not be written."""


class LetterNotDue(LetterError):
    """No notice of this kind is due."""

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(why)


class LetterBlocked(LetterError):
    """A notice stops at these factors until compliance has looked; no factor: there is no reason to state."""

    def __init__(self, factors: Iterable[str]) -> None:
        self.factors = tuple(factors)
        named = ", ".join(self.factors)
        super().__init__(
            f"the principal reasons include {named}: a notice needs compliance first"
            if named
            else "no principal reason is on record, and a notice without one would say nothing"
        )


class ScoreOutOfRange(LetterError):
    """The model's own score lies outside its declared range: told under that range it would be false."""

    def __init__(self) -> None:
        super().__init__(
            "the model's score lies outside the range that the manifest declares for it: "
            "it cannot be disclosed as a credit score, and a notice without it would not be complete"
        )


class LanguageUnknown(LetterError):
    """There are no words for this letter in this language."""

    def __init__(self, language: str, available: Iterable[str]) -> None:
        self.language, self.available = language, tuple(available)
        known = ", ".join(self.available) or "no language"
        super().__init__(f"there are no words for this letter in {language!r}, only in: {known}")


class SourceMixed(LetterError):
    """What a letter is written from does not belong together."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(f"the {what} is not the one that the record names")


class WordingMalformed(LetterError):
    """A file of letter wording is not what the letters need."""

    def __init__(self, file: str, detail: str) -> None:
        self.file, self.detail = file, detail
        super().__init__(f"{file}: {detail}")
