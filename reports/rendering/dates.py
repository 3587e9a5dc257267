"""The date at the head of a letter, in the letter's language."""

from __future__ import annotations

from datetime import date

from reports.requirements.citing import status_words
from reports.requirements.errors import LanguageUncited


def printed_date(dated: str, language: str) -> str:
    """Write an ISO date as the language writes dates; as it is where nobody has said how."""
    for tag in (language, language.partition("-")[0]):
        try:
            return status_words(tag).day(date.fromisoformat(dated))
        except LanguageUncited:
            continue
    return dated
