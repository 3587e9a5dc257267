"""Consumer reports and credit scores in a notice: the published words, and key factors in their own place."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from explain.catalogue import Wording
from records.private_parts import KeyFactorPart
from reports.letters.errors import LanguageUnknown, LetterBlocked, ScoreOutOfRange
from reports.letters.letter import Facts, Letter, Listing, Paragraph
from reports.letters.writing import write_letter
from schemas.manifest import Manifest
from tests.oracles import records
from tests.oracles.lending_terms import words as terms_words
from tests.oracles.letters import lines_of, section, section_lines, text_of

REPORT = (
    "Our credit decision was based in whole or in part on information obtained in a report from the consumer "
    "reporting agency listed below. You have a right under the Fair Credit Reporting Act to know the "
    "information contained in your credit file at the consumer reporting agency. The reporting agency played "
    "no part in our decision and is unable to supply specific reasons why we have denied credit to you. You "
    "also have a right to a free copy of your report from the reporting agency, if you request it no later "
    "than 60 days after you receive this notice. In addition, if you find that any information contained in "
    "the report you receive is inaccurate or incomplete, you have the right to dispute the matter with the "
    "reporting agency."
)
"""Form C-1 of 12 CFR part 1002, Appendix C, Part II, as published."""

SCORE = (
    "We also obtained your credit score from this consumer reporting agency and used it in making our credit "
    "decision. Your credit score is a number that reflects the information in your consumer report. Your "
    "credit score can change, depending on how the information in your consumer report changes."
)
"""The same form, of the score."""

KEY_FACTORS = "Key factors that adversely affected your credit score:"
SCORE_HEADING = "Your credit score"


def _reported(*reports: Any, language: str = "en") -> Letter:
    application = records.application(consumer_reports=list(reports))
    return write_letter(records.source({"application": application}), "adverse_action", language)


def _scored() -> Manifest:
    notice = records.manifest().notice
    assert notice is not None
    score = {"range": [0, 1], "source": "Example Savings Bank"}
    return records.manifest(notice=notice.model_dump() | {"consumer_report_score": score})


def _key(factor: str, code: str, text: str) -> KeyFactorPart:
    return {"code": code, "factor": factor, "text": text, "contribution": 0.1}


def test_the_disclosure_of_a_report_has_the_published_words() -> None:
    """FCRA 615(a): agency with address and telephone, its part in the decision, free copy, dispute."""
    lines = lines_of(_reported(records.consumer_report()))
    at = lines.index(REPORT)
    assert lines[at + 1 : at + 4] == [
        "Name: Example Credit Bureau",
        "Address: 1 Bureau Plaza, Allen, TX 75013",
        "Telephone: 1-888-555-0199",
    ]


def test_the_disclosure_of_a_score_has_the_published_words() -> None:
    """FCRA 609(f)(1): the score, its range, its date, its source and its key factors."""
    letter = _reported(records.consumer_report())
    lines = section_lines(section(letter, SCORE_HEADING))
    assert lines[1:7] == [
        SCORE,
        "Your credit score: 612",
        "Date: November 12, 2026",
        "Source: Example Credit Bureau",
        "Scores range from a low of 300 to a high of 850.",
        KEY_FACTORS,
    ]
    assert lines[7:10] == [
        "Proportion of balances to limits",
        "Length of accounts",
        "Number of recent inquiries on consumer report",
    ]
    assert {"fcra-615-a", "fcra-609-f"} <= {rule.requirement_id for rule in letter.citations}


def test_key_factors_never_stand_in_for_the_reasons() -> None:
    """R11: they are in the score's section alone, and said to be about the score."""
    with_report, without = _reported(records.consumer_report()), _reported()
    assert section(with_report, "Principal reasons") == section(without, "Principal reasons")
    assert with_report.data["reasons"] == without.data["reasons"]
    assert section_lines(section(with_report, SCORE_HEADING))[-1] == (
        "The key factors are about this credit score only. The reasons for our decision are the principal "
        "reasons stated above."
    )


def test_each_report_is_disclosed_and_none_without_one() -> None:
    """As many disclosures as reports; without reports there is no block."""
    second = records.consumer_report(
        agency={
            "name": "Other Bureau",
            "address": "2 Other Street, Chester, PA",
            "telephone": "1-800-555-0100",
        },
        score=None,
    )
    text = text_of(_reported(records.consumer_report(), second))
    assert text.count(REPORT) == 2
    assert text.count(SCORE) == 1
    assert "Name: Other Bureau" in text
    assert "consumer reporting agency" not in text_of(_reported())


def test_a_score_without_key_factors_says_so() -> None:
    """Nothing is made up in their place."""
    report = records.consumer_report()
    score = report["score"]
    assert score is not None
    letter = _reported(records.consumer_report(score=score | {"key_factors": [], "inquiries": None}))
    assert KEY_FACTORS not in text_of(letter)
    assert "No key factors are on record for this score." in text_of(letter)


def test_the_reports_are_in_the_data_as_they_were_supplied() -> None:
    """Field by field."""
    report = records.consumer_report()
    assert _reported(report).data["consumer_reports"] == [report]


def test_the_models_own_score_is_disclosed_where_the_manifest_declares_it_one() -> None:
    """R11: derived key factors, at most four by effect and the inquiries as a fifth."""
    names = ["first", "second", "third", "fourth", "fifth"]
    factors = [_key("income", "R05", name) for name in names] + [_key("inquiries", "R22", "Inquiries")]
    source = records.source({"key_factors": factors}, terms=_scored())
    letter = write_letter(source, "adverse_action", "en")
    blocks = section(letter, SCORE_HEADING).blocks
    (listed,) = [block for block in blocks if isinstance(block, Listing)]
    assert listed.items == (*names[:4], "Inquiries")
    (facts,) = [block for block in blocks if isinstance(block, Facts)]
    assert facts.rows[0] == ("Your credit score", "0.71")
    assert ("Source", "Example Savings Bank") in facts.rows
    assert Paragraph(SCORE) not in blocks  # it did not come from an agency's report
    own = letter.data["own_score"]
    assert isinstance(own, dict)
    assert (own["value"], own["least"], own["greatest"]) == (0.71, 0.0, 1.0)


def test_the_models_own_score_is_written_short_and_kept_whole() -> None:
    """Nobody has said how to round it."""
    decision = records.part()["decision"] | {"score": 0.7123456789}
    letter = write_letter(records.source({"decision": decision}, terms=_scored()), "adverse_action", "en")
    assert "Your credit score: 0.712346" in text_of(letter)
    assert isinstance(letter.data["own_score"], dict)
    assert letter.data["own_score"]["value"] == 0.7123456789


def test_no_own_score_is_disclosed_that_was_not_used_or_not_declared() -> None:
    """A knock-out rule decided before the model did; or the score is the creditor's alone."""
    parts = ("rule", "knockout", "failed"), ("model", "model", "not_used")
    stated = {
        "key_factors": [_key("income", "R05", "Income")],
        "combined": records.combined("decline", *parts),
    }
    for source in (
        records.source(stated, terms=_scored()),
        records.source({"key_factors": stated["key_factors"]}),
    ):
        letter = write_letter(source, "adverse_action", "en")
        assert SCORE_HEADING not in text_of(letter)
        assert letter.data["own_score"] is None


def test_derived_key_factors_are_worded_in_the_letters_language() -> None:
    """By the same wording; where it cannot be told which one it was, the letter is refused."""
    known = _key("debt_to_income", "R07", "Excessive obligations in relation to income: 61.0%")
    letter = write_letter(records.source({"key_factors": [known]}, terms=_scored()), "adverse_action", "es")
    assert "Obligaciones excesivas en relación con los ingresos: 61,0 %" in section_lines(
        section(letter, "Su puntaje de crédito")
    )
    unknown = _key("debt_to_income", "R99", "Something else")
    with pytest.raises(LanguageUnknown):
        write_letter(records.source({"key_factors": [unknown]}, terms=_scored()), "adverse_action", "es")


def test_of_several_wordings_with_one_code_the_recorded_one_is_taken() -> None:
    """Two wordings of one code differ in their texts: the place is on record, and the mean with it."""
    words = terms_words()
    income = words.factors["income"]
    both = (
        Wording("R05", {"en": "No income", "es": "Sin ingresos"}),
        Wording(
            "R05", {"en": "Income below {income.reference}", "es": "Ingresos inferiores a {income.reference}"}
        ),
    )
    words = replace(words, factors={**words.factors, "income": replace(income, wordings=both)})
    named = _key("income", "R05", "Income below 5,200 USD") | {"wording": 1, "reference_value": 5200.0}
    reasons = [records.reason(1, "debt_to_income")]

    def written(factor: Any) -> Letter:
        stated = {"key_factors": [factor], "reasons": reasons}
        return write_letter(records.source(stated, terms=_scored(), words=words), "adverse_action", "es")

    assert "Ingresos inferiores a 5.200 USD" in section_lines(
        section(written(named), "Su puntaje de crédito")
    )
    with pytest.raises(LanguageUnknown):  # a record of before: which of the two it was is not known
        written(_key("income", "R05", "Income below 5,200 USD"))


def test_a_score_outside_its_declared_range_is_not_told_of() -> None:
    """Under "scores range from 0 to 1" it would say something false; without it the notice would lack it."""
    decision = records.part()["decision"] | {"score": 1.5}
    with pytest.raises(ScoreOutOfRange):
        write_letter(records.source({"decision": decision}, terms=_scored()), "adverse_action", "en")
    for inside in (0.0, 1.0):
        decision = records.part()["decision"] | {"score": inside}
        letter = write_letter(records.source({"decision": decision}, terms=_scored()), "adverse_action", "en")
        assert SCORE_HEADING in text_of(letter)


def test_a_sensitive_key_factor_stops_a_notice_too() -> None:
    """A fixed rule denied, so it is no principal reason; compliance has to see it all the same (R3)."""
    stated = {
        "key_factors": [_key("age", "R90", "Age of applicant")],
        "reasons": [records.given_reason(1, "K01", "rule", "Bankruptcy within the last two years")],
        "combined": records.combined("decline", ("rule", "knockout", "failed"), ("model", "model", "passed")),
    }
    with pytest.raises(LetterBlocked) as caught:
        write_letter(records.source(stated, terms=_scored()), "adverse_action", "en")
    assert caught.value.factors == ("age",)
    assert write_letter(records.source(stated), "adverse_action", "en").data["own_score"] is None


def test_without_an_agency_the_duty_to_name_one_is_not_cited() -> None:
    """FCRA 615(a) is cited by a letter that names the agency; a score of the model's own is 609(f)."""
    letter = write_letter(records.source({}, terms=_scored()), "adverse_action", "en")
    cited = {rule.requirement_id for rule in letter.citations}
    assert "fcra-609-f" in cited
    assert "fcra-615-a" not in cited


def test_a_spanish_notice_carries_the_prescribed_words_in_english_too() -> None:
    """12 CFR 1002.4(e): another language is allowed where English is available."""
    letter = _reported(records.consumer_report(), language="es")
    (english,) = [one for one in letter.sections if one.language == "en"]
    lines = section_lines(english)
    assert REPORT in lines
    assert SCORE in lines
    assert "Name: Example Credit Bureau" in lines
    assert any(line.startswith("The Federal Equal Credit Opportunity Act prohibits") for line in lines)
    spanish = "\n".join(
        line for one in letter.sections if one.language is None for line in section_lines(one)
    )
    assert "60 días" in spanish
    assert "612" in spanish
