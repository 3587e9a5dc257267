"""Which problem the errors of the reports become: letters, their rendering, narratives, registers, rules."""

from __future__ import annotations

from collections.abc import Mapping

from reports.letters import errors as letters
from reports.narratives import errors as narratives
from reports.registers import errors as registers
from reports.rendering import errors as rendering
from reports.requirements import errors as requirements
from service.problem_kinds import INTERNAL, INVALID_INPUT, NOT_FOUND, Kind

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
    registers.ReportUnknown: NOT_FOUND,
    registers.ParameterRefused: INVALID_INPUT,
    registers.ReportTooLarge: Kind("report-too-large", 422, "The report is too large for one pull"),
    registers.ReportTimedOut: Kind("report-timed-out", 503, "The report was not ready in time"),
    registers.ReportDamaged: INTERNAL,
    registers.ReportError: INTERNAL,
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
