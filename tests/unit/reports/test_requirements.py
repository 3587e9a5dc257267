"""The rules as data: strictly read, dated, and never cited as if they still held."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from reports.requirements.citing import cite, languages
from reports.requirements.errors import LanguageUncited, RequirementsMalformed, RequirementUnknown
from reports.requirements.register import FOLDER, WORDS, load, requirement, requirements_digest, shipped

NOVEMBER = date(2026, 11, 20)
# The dates that the project's notes on regulation state, each written here by hand.
STATED = {
    "cfpb-circular-2022-03": (date(2025, 5, 12), "withdrawn"),
    "cfpb-circular-2023-03": (date(2025, 5, 12), "withdrawn"),
    "sr-11-7": (date(2026, 4, 17), "superseded"),
    "reg-b-6-a-effects-test": (date(2026, 7, 21), "withdrawn"),
}
BEGINS = {
    "sr-26-2": date(2026, 4, 17),
    "colorado-sb-26-189": date(2027, 1, 1),
    **{f"ai-act-{article}": date(2027, 12, 2) for article in (12, 13, 19, 26, 86)},
}
IN_FORCE = (
    *("reg-b-9-b-2", "reg-b-9-cmt-b-2-5", "reg-b-12-b", "reg-b-appendix-c", "fcra-609-f", "fcra-615-a"),
    *(
        "gdpr-13",
        "gdpr-14",
        "gdpr-15",
        "gdpr-16",
        "gdpr-17",
        "gdpr-22",
        "gdpr-77",
        "gdpr-79",
        "cjeu-c-203-22",
        "cjeu-c-634-21",
        "nyc-ll144",
    ),
    *("45-cfr-170-315-b-11", "45-cfr-164-312-b", "45-cfr-164-316-b-2-i", "21-cfr-11-10-e", "29-cfr-1607-4-d"),
)


@pytest.mark.parametrize("name", STATED)
def test_what_ended_ends_on_its_day(name: str) -> None:
    last, status = STATED[name]
    assert requirement(name).status_on(last - timedelta(days=1)) == "in_force"
    assert requirement(name).status_on(last) == status
    assert requirement(name).status_on(NOVEMBER) == status


@pytest.mark.parametrize("name", BEGINS)
def test_what_begins_later_is_not_yet_in_force(name: str) -> None:
    first = BEGINS[name]
    assert requirement(name).status_on(first - timedelta(days=1)) == "not_yet_in_force"
    assert requirement(name).status_on(first) == "in_force"


@pytest.mark.parametrize("name", IN_FORCE)
def test_what_the_notes_rely_on_is_in_force(name: str) -> None:
    assert requirement(name).status_on(NOVEMBER) == "in_force"


def test_a_rule_that_was_only_proposed_never_was_in_force() -> None:
    proposed = replace(requirement("reg-b-9"), status="proposed")
    assert {proposed.status_on(date(year, 1, 1)) for year in (1990, 2026, 2100)} == {"proposed"}


@pytest.mark.parametrize(
    ("name", "on", "language", "printed"),
    [
        ("cfpb-circular-2022-03", NOVEMBER, "en", "CFPB Circular 2022-03 (withdrawn on May 12, 2025)"),
        (
            "cfpb-circular-2022-03",
            date(2024, 3, 1),
            "en",
            "CFPB Circular 2022-03 (in force then; withdrawn on May 12, 2025)",
        ),
        ("reg-b-9-b-2", NOVEMBER, "en", "12 CFR 1002.9(b)(2) (in force)"),
        ("sr-11-7", NOVEMBER, "es", "SR 11-7 (sustituida por SR 26-2 el 17 de abril de 2026)"),
        (
            "ai-act-86",
            NOVEMBER,
            "de",
            "KI-Verordnung der EU, Artikel 86 (noch nicht in Kraft, gilt ab dem 2. Dezember 2027)",
        ),
    ],
)
def test_a_status_is_printed_in_words(name: str, on: date, language: str, printed: str) -> None:
    assert cite(name, on, language).printed == printed


@pytest.mark.parametrize("language", languages())
def test_every_rule_can_be_cited_in_every_language_on_any_day(language: str) -> None:
    for name in shipped().requirements:
        for on in (date(1996, 1, 1), date(2024, 3, 1), NOVEMBER, date(2028, 1, 1)):
            cited = cite(name, on, language)
            assert cited.printed.startswith(f"{cited.citation} (")
            assert "{" not in cited.printed


def test_what_is_unknown_is_named() -> None:
    with pytest.raises(RequirementUnknown, match="reg-b-99"):
        requirement("reg-b-99")
    with pytest.raises(LanguageUncited, match="'fr'"):
        cite("reg-b-9", NOVEMBER, "fr")


INDEX = 'requirements: ofrecord/requirements-v1\nversion: "1"\nas_of: "2026-11-20"\nfiles: [a]\n'
RULE = "  - {id: a, citation: A, title: A, text: A, jurisdiction: US, source: A, status: %s}\n"
HEAD = "requirements: ofrecord/requirements-v1\nrecords:\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (HEAD + RULE % "withdrawn", "effective_to"),
        (HEAD + RULE % "in_force, effective_to: '2026-01-01'", "effective_to"),
        (HEAD + RULE % "superseded, effective_to: '2026-01-01'", "superseded_by"),
        (HEAD + RULE % "superseded, effective_to: '2026-01-01', superseded_by: b", "unknown b"),
        (HEAD + RULE % "abolished", "status"),
        (HEAD + RULE % "in_force, effective_from: 2026-1-1", "effective_from"),
        (HEAD + RULE % "in_force, since: '2026-01-01'", "since"),
        (HEAD + RULE % "in_force" + RULE % "in_force", "given twice"),
        (HEAD, "records"),
        ("records: [", "not YAML"),
    ],
)
def test_a_file_that_is_wrong_is_refused_by_name(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "register.yaml").write_text(INDEX, encoding="utf-8")
    (tmp_path / "a.yaml").write_text(content, encoding="utf-8")
    with pytest.raises(RequirementsMalformed, match=said):
        load(tmp_path)


def test_the_digest_changes_with_any_word_of_the_data(tmp_path: Path) -> None:
    for file in FOLDER.glob("*.yaml"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    assert load(tmp_path).digest == requirements_digest()
    changed = tmp_path / "credit.yaml"
    changed.write_text(changed.read_text("utf-8").replace("25 months", "26 months"), encoding="utf-8")
    assert load(tmp_path).digest != requirements_digest()
    words = tmp_path / "words"
    words.write_text(WORDS.read_text("utf-8").replace("withdrawn on", "taken back on"), encoding="utf-8")
    assert load(FOLDER, words).digest != requirements_digest()
