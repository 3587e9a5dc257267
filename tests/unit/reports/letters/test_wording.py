"""The wording files: complete, equal in their slots, all of them used, and plain to read."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from reports.letters.errors import WordingMalformed
from reports.letters.phrases import FOLDER, languages_of, load, phrases_of

CODE = "\n".join(file.read_text("utf-8") for file in sorted(FOLDER.parent.glob("*.py")))
LONGEST_SENTENCE = 30  # words; the prescribed notices are as they are


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the shipped wording."""
    return Path(shutil.copytree(FOLDER, tmp_path / "wording"))


def _rewrite(file: Path, old: str, new: str) -> None:
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new), "utf-8")


def test_the_letters_speak_the_languages_they_are_meant_to() -> None:
    """The notice in two, the explanation in three."""
    assert languages_of("adverse_action") == ("en", "es")
    assert languages_of("explanation") == ("de", "en", "es")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("title: Wie diese Entscheidung zustande kam\n", "", "differs from en in title"),
        ("title:", "more: x\ntitle:", "differs from en in more"),
        ("Am {day} lautete", "Damals lautete", "decided has other slots"),
        ("Am {day} lautete", "Am {tag} lautete", "decided has other slots"),
        ("Am {day} lautete", "Am {day.year} lautete", "a slot is a plain name"),
        ("Am {day} lautete", "Am {day!r} lautete", "a slot is a plain name"),
        ("Am {day} lautete", "Am {day:>9} lautete", "a slot is a plain name"),
        ("Am {day} lautete", "Am {day lautete", "unexpected"),
        ("title: Wie diese Entscheidung zustande kam", "title: 3", "title must be a text"),
        ("title: Wie diese Entscheidung zustande kam", 'title: ""', "title must be a text"),
        ("title: Wie diese Entscheidung zustande kam", 'title: "Wie "', "title must be a text"),
        ("title: Wie", "title: a\ntitle: Wie", "is given twice"),
    ],
)
def test_a_file_that_is_not_what_the_letter_needs_is_refused(
    folder: Path, old: str, new: str, says: str
) -> None:
    """By its name and what is wrong."""
    _rewrite(folder / "explanation.de.yaml", old, new)
    with pytest.raises(WordingMalformed, match=says) as malformed:
        load(folder)
    assert malformed.value.file == "explanation.de.yaml"


def test_a_letter_needs_its_original(folder: Path) -> None:
    """English is the language in which the others are compared."""
    (folder / "explanation.en.yaml").unlink()
    with pytest.raises(WordingMalformed, match="is missing"):
        load(folder)


def test_a_file_is_named_after_a_letter_and_a_language(folder: Path) -> None:
    """Nothing else lies there."""
    shutil.copy(folder / "explanation.de.yaml", folder / "farewell.de.yaml")
    with pytest.raises(WordingMalformed, match="farewell"):
        load(folder)


def test_a_list_is_no_wording(folder: Path) -> None:
    """It must be an object."""
    (folder / "explanation.de.yaml").write_text("- a\n", "utf-8")
    with pytest.raises(WordingMalformed, match="must be an object"):
        load(folder)


@pytest.mark.parametrize("template", ["adverse_action", "explanation"])
def test_every_phrase_is_used(template: str) -> None:
    """By its whole name, or by a beginning to which the code adds the record's own word."""
    beginnings = tuple(re.findall(r'f"(\w+_)\{', CODE))
    names = phrases_of(template, "en").texts  # type: ignore[arg-type]
    unused = [name for name in names if f'"{name}"' not in CODE and not name.startswith(beginnings)]
    assert not unused


@pytest.mark.parametrize("language", ["de", "es"])
def test_a_translation_is_one(language: str) -> None:
    """Only phrases that are all slots, or the same word, are the same in English."""
    english, other = phrases_of("explanation", "en").texts, phrases_of("explanation", language).texts
    same = {name for name, text in other.items() if text == english[name]}
    assert same <= {"component", "influence", "reason_with_seen", "seen", "no"}


def test_the_explanation_is_written_in_short_sentences() -> None:
    """No sentence of the English original is longer than a reader keeps in mind."""
    for name, text in phrases_of("explanation", "en").texts.items():
        longest = max(len(sentence.split()) for sentence in re.split(r"[.:] ", text))
        assert longest <= LONGEST_SENTENCE, name
