"""What holds for every letter: sameness, languages, and that foreign text stays text."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from typing import get_args

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.letters.errors import LanguageUnknown, SourceMixed
from reports.letters.letter import TemplateName
from reports.letters.phrases import languages_of
from reports.letters.plain import lines, one_line
from reports.letters.writing import write_letter
from tests.oracles import records
from tests.oracles.letters import lines_of, text_of

HOSTILE = "<b>#set page()</b> {creditor} {0} $x$ *a* _b_ \\n @cite [link](x) \u202egnp.exe \u2066open"
LETTERS = [(name, tag) for name in get_args(TemplateName) for tag in languages_of(name)]


def _everything() -> records.LetterSource:
    application = records.application(consumer_reports=[records.consumer_report()])
    return records.source({"application": application})


@pytest.mark.parametrize(("template", "language"), LETTERS)
def test_the_same_source_gives_the_same_letter(template: TemplateName, language: str) -> None:
    """R10: equal in every part, also from a record that was built anew."""
    assert write_letter(_everything(), template, language) == write_letter(_everything(), template, language)


@pytest.mark.parametrize(("template", "language"), LETTERS)
def test_data_are_plain_json(template: TemplateName, language: str) -> None:
    """What goes out as JSON comes back equal."""
    data = write_letter(_everything(), template, language).data
    assert orjson.loads(orjson.dumps(data)) == data


@pytest.mark.parametrize(("template", "language"), LETTERS)
def test_no_slot_is_left_open_and_no_line_empty(template: TemplateName, language: str) -> None:
    """Every phrase was filled."""
    for line in lines_of(write_letter(_everything(), template, language)):
        assert line.strip() == line != ""
        assert not set("{}") & set(line)


def test_reasons_and_numbers_speak_the_letters_language() -> None:
    """The same wording, with the marks of the language."""
    german = text_of(write_letter(records.source(), "explanation", "de"))
    assert "Zu hohe Verpflichtungen im Verhältnis zum Einkommen: 61,0 %" in german
    assert "Monatseinkommen: 3.000 USD" in german
    assert "20. November 2026" in german
    spanish = text_of(write_letter(records.source(), "adverse_action", "es"))
    assert "Obligaciones excesivas en relación con los ingresos: 61,0 %" in spanish
    assert "20 de noviembre de 2026" in spanish


def test_the_recorded_words_are_those_of_the_answer() -> None:
    """In the catalogue's own language nothing is worded anew."""
    reason = records.reason(1, "income", text="As it was answered")
    assert "As it was answered" in text_of(
        write_letter(records.source({"reasons": [reason]}), "adverse_action", "en")
    )


def test_another_components_reason_is_translated_by_its_code() -> None:
    """By the catalogue's text for that component; the model's own by its factor, also where it is named."""
    judged = records.given_reason(2, "J01", "underwriter", "Temporary or irregular employment")
    parts = ("score", "model", "gray"), ("underwriter", "judgmental", "failed")
    stated = {
        "reasons": [records.reason(1, "debt_to_income", component="score"), judged],
        "combined": records.combined("decline", *parts),
    }
    lines = lines_of(write_letter(records.source(stated), "adverse_action", "es"))
    at = lines.index("Obligaciones excesivas en relación con los ingresos: 61,0 %")
    assert lines[at + 1] == "Empleo temporal o irregular"


@pytest.mark.parametrize(
    ("template", "language", "available"),
    [("adverse_action", "de", ("en", "es")), ("explanation", "fr", ("de", "en", "es"))],
)
def test_a_language_without_words_is_refused(
    template: TemplateName, language: str, available: tuple[str, ...]
) -> None:
    """By name, with those that there are."""
    with pytest.raises(LanguageUnknown) as unknown:
        write_letter(records.source(), template, language)
    assert unknown.value.available == available


def test_a_catalogue_without_the_language_is_refused_too() -> None:
    """A letter in Spanish around reasons in English would be neither."""
    words = records.words()
    english = replace(words, languages={"en": words.languages["en"]})
    with pytest.raises(LanguageUnknown, match="only in: en"):
        write_letter(records.source(words=english), "adverse_action", "es")


def test_a_region_is_served_by_its_language() -> None:
    """Where the catalogue speaks es-MX, the letter's own words are those of es."""
    words = records.words()
    marks = replace(words.languages["en"], tag="es-MX")
    regional = replace(words, languages=words.languages | {"es-MX": marks}, default_language="es-MX")
    letter = write_letter(records.source(words=regional), "adverse_action", "es-MX")
    assert letter.language == "es-MX"
    assert letter.title == "Notificación de la medida adoptada y declaración de motivos"


def test_a_source_that_does_not_belong_together_is_refused() -> None:
    """Another catalogue than the entry names, another version's manifest."""
    with pytest.raises(SourceMixed, match="catalogue"):
        write_letter(records.source(words=replace(records.words(), digest="sha256:2")), "explanation", "en")
    with pytest.raises(SourceMixed, match="manifest"):
        write_letter(replace(records.source(), version="8"), "explanation", "en")


@pytest.mark.parametrize("template", get_args(TemplateName))
def test_foreign_text_stays_text_in_its_place(template: TemplateName) -> None:
    """Markup and braces are kept as they are; breaks and signs that turn a line around are not."""
    applicant = {"name": HOSTILE, "address": ["1 Road\nInjected: line", "\u202eTown"]}
    stated = {
        "decision_id": HOSTILE,
        "application": records.application(applicant=applicant, requested=HOSTILE),
        "reasons": [records.reason(1, "income", text=HOSTILE + "\nInjected")],
    }
    letter = write_letter(records.source(stated), template, "en")
    shown = one_line(HOSTILE)
    assert shown == "<b>#set page()</b> {creditor} {0} $x$ *a* _b_ \\n @cite [link](x) gnp.exe open"
    assert letter.recipient == (shown, "1 Road Injected: line", "Town")
    assert f"Reference: {shown}" in lines_of(letter)
    assert f"{shown} Injected" in lines_of(letter)
    assert letter.data["applicant"] == applicant


@given(st.text())
def test_one_line_is_one_line(text: str) -> None:
    """Whatever comes in: no break, no control, nothing that opens a direction; done once is done."""
    line = one_line(text)
    assert one_line(line) == line == line.strip()
    assert len(line.splitlines()) <= 1
    assert not [sign for sign in line if unicodedata.category(sign) in ("Cc", "Zl", "Zp", "Cs")]
    assert not [sign for sign in line if unicodedata.bidirectional(sign) in _TURNING]


@given(st.lists(st.text(alphabet="abc <>{}")))
def test_lines_keep_their_order(given_lines: list[str]) -> None:
    """Each by itself, without the empty ones."""
    assert lines("\n".join(given_lines)) == tuple(found for found in map(one_line, given_lines) if found)


_TURNING = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
