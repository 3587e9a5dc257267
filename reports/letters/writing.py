"""Writing a letter from a record: the same record gives the same letter, whenever and wherever."""

from __future__ import annotations

from collections.abc import Mapping

from reports.letters import adverse_action, explanation
from reports.letters.content import adverse_action_content, explanation_content
from reports.letters.draft import Draft
from reports.letters.errors import LanguageUnknown, SourceMixed
from reports.letters.letter import Letter, Section, TemplateName
from reports.letters.phrases import phrases_of
from reports.letters.plain import lines, one_line
from reports.letters.source import LetterSource
from reports.requirements.citing import CitedRule
from schemas.base import format_moment


def write_letter(source: LetterSource, template: TemplateName, language: str) -> Letter:
    """Write one letter; nothing in it comes from a clock or from chance.

    Raises LetterNotDue, LetterBlocked and ScoreOutOfRange where an adverse-action notice is not to be
    written, LanguageUnknown where the letter or the catalogue has no words in this language, SourceMixed
    where the source does not belong together.
    """
    draft = _draft(source, template, language)
    if template == "explanation":
        citations = draft.cite(explanation.CITED)
        return _letter(draft, explanation.sections(draft), citations, explanation_content(draft, citations))
    notice = adverse_action.notice_of(draft)
    citations = draft.cite(adverse_action.cited(draft, notice))
    sections = adverse_action.sections(draft, notice)
    return _letter(draft, sections, citations, adverse_action_content(draft, notice, citations))


def _draft(source: LetterSource, template: TemplateName, language: str) -> Draft:
    named = source.body.get("catalogue")
    if isinstance(named, Mapping) and named.get("digest") != source.words.digest:
        raise SourceMixed("catalogue")
    if (source.model, source.version) != (source.manifest.model, source.manifest.version):
        raise SourceMixed("manifest")
    phrases = phrases_of(template, language)
    if language not in source.words.languages:
        raise LanguageUnknown(language, source.words.languages)
    return Draft(source, phrases, language)


def _letter(
    draft: Draft,
    sections: tuple[Section, ...],
    citations: tuple[CitedRule, ...],
    data: Mapping[str, object],
) -> Letter:
    notice, applicant = draft.source.manifest.notice, draft.application.get("applicant")
    sender: tuple[str, ...] = ()
    if notice is not None:
        telephone = () if notice.telephone is None else (one_line(notice.telephone),)
        sender = (*lines(notice.creditor), *lines(notice.address), *telephone)
    recipient: tuple[str, ...] = ()
    if applicant is not None:
        recipient = tuple(one_line(line) for line in (applicant["name"], *applicant["address"]))
    return Letter(
        template=draft.phrases.template,
        language=draft.language,
        title=draft.say("title"),
        sender=sender,
        recipient=recipient,
        dated=draft.decided_at.date().isoformat(),
        moment=format_moment(draft.source.recorded_at),
        sections=sections,
        citations=citations,
        citations_heading=draft.say("citations_heading"),
        data=data,
    )
