"""What a notice says of consumer reports and credit scores: FCRA 615(a) and 609(f)(1).

Key factors belong to the score that is disclosed, never to the decision: they stand in their own section,
at most four by effect and the number of inquiries as a fifth.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from explain.errors import ReasonUnmapped
from explain.wording import text_of
from records.private_parts import ConsumerReportPart, CreditScorePart, KeyFactorPart
from reports.letters.draft import Draft
from reports.letters.errors import LanguageUnknown, ScoreOutOfRange
from reports.letters.letter import Block, Facts, Listing, Paragraph, Section
from reports.letters.phrases import Phrases
from reports.letters.plain import one_line
from schemas.base import format_moment
from schemas.manifest_sections import Notice

MOST_KEY_FACTORS = 4


def own_score(draft: Draft, notice: Notice) -> CreditScorePart | None:
    """Return the model's own score as one that is disclosed; None where it is no consumer-report score.

    Raises ScoreOutOfRange.
    """
    declared, part = notice.consumer_report_score, draft.part
    if declared is None or draft.model_unused:
        return None
    least, greatest = declared.range
    if not least <= part["decision"]["score"] <= greatest:
        raise ScoreOutOfRange
    factors = part.get("key_factors") or []
    counting = {one.name for one in draft.source.manifest.factors if one.inquiries}
    fifth = [one for one in factors[MOST_KEY_FACTORS:] if one["factor"] in counting][:1]
    return {
        "value": part["decision"]["score"],
        "least": float(least),
        "greatest": float(greatest),
        "created_at": format_moment(draft.decided_at),
        "source": declared.source,
        "key_factors": [_key_factor(draft, one) for one in factors[:MOST_KEY_FACTORS]],
        "inquiries": _key_factor(draft, fifth[0]) if fifth else None,
    }


def blocking_key_factors(draft: Draft, notice: Notice) -> tuple[str, ...]:
    """Return the key factors that compliance has to see before they are told: sensitive ones and proxies."""
    if notice.consumer_report_score is None or draft.model_unused:
        return ()
    delicate = {name for name, one in draft.features.items() if one.sensitive or one.proxy_for}
    declared = draft.source.manifest.factors
    stopping = {one.name for one in declared if not delicate.isdisjoint(one.features)}
    return tuple(one["factor"] for one in draft.part.get("key_factors") or [] if one["factor"] in stopping)


def consumer_reports(draft: Draft, own: CreditScorePart | None) -> Iterable[Section]:
    """Return one section for each consumer report, its score with it, then the model's own score."""
    for report in draft.application.get("consumer_reports") or []:
        yield Section(draft.say("report_heading"), report_blocks(draft.phrases, report))
        if report["score"] is not None:
            yield Section(draft.say("score_heading"), tuple(_score(draft, report["score"], "score_notice")))
    if own is not None:
        yield Section(draft.say("score_heading"), tuple(_score(draft, own, "own_score_notice")))


def key_factors(score: CreditScorePart) -> tuple[str, ...]:
    """Return a score's key factors in order; the number of inquiries is the last."""
    given = (
        score["key_factors"] if score["inquiries"] is None else [*score["key_factors"], score["inquiries"]]
    )
    return tuple(one_line(factor) for factor in given)


def report_blocks(phrases: Phrases, report: ConsumerReportPart) -> tuple[Block, ...]:
    """Return the disclosure of one consumer report and the agency that it came from."""
    agency = report["agency"]
    rows = (
        (phrases.say("name_label"), one_line(agency["name"])),
        (phrases.say("address_label"), one_line(agency["address"])),
        (phrases.say("telephone_label"), one_line(agency["telephone"])),
    )
    return Paragraph(phrases.say("report_notice")), Facts(rows)


def _score(draft: Draft, score: CreditScorePart, notice: str) -> Iterable[Block]:
    yield Paragraph(draft.say(notice))
    created = datetime.fromisoformat(score["created_at"])
    yield Facts(
        (
            (draft.say("score_label"), draft.short(score["value"])),
            (draft.say("score_date_label"), draft.day(created)),
            (draft.say("score_source_label"), one_line(score["source"])),
        )
    )
    least, greatest = draft.number(score["least"]), draft.number(score["greatest"])
    yield Paragraph(draft.say("score_range", least=least, greatest=greatest))
    if factors := key_factors(score):
        yield Paragraph(draft.say("key_factors_intro"))
        yield Listing(factors, numbered=True)
    else:
        yield Paragraph(draft.say("key_factors_none"))
    yield Paragraph(draft.say("key_factors_apart"))


def _key_factor(draft: Draft, factor: KeyFactorPart) -> str:
    """The words of one derived key factor: those on record, or the same wording in another language."""
    words, part = draft.source.words, draft.part
    if draft.language == words.default_language:
        return factor["text"]
    members = {
        name for one in draft.source.manifest.factors if one.name == factor["factor"] for name in one.features
    }
    values = {row["name"]: row["value"] for row in part["features"] if row["name"] in members}
    means = dict.fromkeys(values, factor.get("reference_value"))
    try:
        found = text_of(
            words, factor["factor"], _wording(draft, factor), values, means, language=draft.language
        )
    except ReasonUnmapped as fault:
        raise LanguageUnknown(draft.language, (words.default_language,)) from fault
    return one_line(found)


def _wording(draft: Draft, factor: KeyFactorPart) -> int:
    """The place of a key factor's wording; in a record that does not name it the only one with its code."""
    if "wording" in factor:
        return factor["wording"]
    known = draft.source.words.factors.get(factor["factor"])
    places = [at for at, one in enumerate(known.wordings) if one.code == factor["code"]] if known else []
    return places[0] if len(places) == 1 else -1  # of several it is open which one it was
