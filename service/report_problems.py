"""Which problem the errors of the reports become: letters, their rendering, narratives, rules."""

from __future__ import annotations

from collections.abc import Mapping

from reports.letters import errors as letters
from reports.narratives import errors as narratives
from reports.rendering import errors as rendering
from reports.requirements import errors as requirements
from service.problem_kinds import INTERNAL, Kind

BLOCKED = Kind("notice-blocked", 409, "Compliance has to look before a notice is made")
LANGUAGE_UNKNOWN = Kind("language-unknown", 422, "There are no words in this language")

ROWS: Mapping[type[Exception], Kind] = {
    letters.LetterNotDue: Kind("notice-not-due", 409, "No such notice is due"),
    letters.LetterBlocked: BLOCKED,
    letters.ScoreOutOfRange: BLOCKED,
    letters.LanguageUnknown: LANGUAGE_UNKNOWN,
    letters.SourceMixed: INTERNAL,
    letters.WordingMalformed: INTERNAL,
    letters.LetterError: INTERNAL,
    rendering.LetterUnprintable: Kind("notice-unprintable", 422, "The notice cannot be printed"),
    rendering.LetterTooLong: Kind("notice-unprintable", 422, "The notice cannot be printed"),
    rendering.MediaTypeUnknown: INTERNAL,
    rendering.TypesettingFailed: INTERNAL,
    rendering.RenderingError: INTERNAL,
    narratives.NarrativeLanguageUnknown: LANGUAGE_UNKNOWN,
    narratives.NarrativeWordsMalformed: INTERNAL,
    narratives.NarratorFailed: INTERNAL,
    narratives.SentenceRefused: INTERNAL,
    narratives.NarrativeError: INTERNAL,
    requirements.RequirementsMalformed: INTERNAL,
    requirements.RequirementUnknown: INTERNAL,
    requirements.LanguageUncited: LANGUAGE_UNKNOWN,
    requirements.RequirementError: INTERNAL,
}

POINTERS: Mapping[type[Exception], str] = {
    letters.LanguageUnknown: "/language",
    narratives.NarrativeLanguageUnknown: "/language",
    requirements.LanguageUncited: "/language",
}
