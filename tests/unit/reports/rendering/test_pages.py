"""The same letter gives the same bytes, wherever, whenever and however often it is rendered."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from reports.letters.letter import Section
from reports.rendering import environment
from reports.rendering.environment import HTML, JSON, MEDIA_TYPES, PDF, environment_of, template_digest
from reports.rendering.errors import LetterTooLong, LetterUnprintable, MediaTypeUnknown, TypesettingFailed
from reports.rendering.pages import render
from reports.rendering.texts import MAX_CHARACTERS, MAX_LINES

ROOT = Path(__file__).resolve().parents[4]
ELSEWHERE = """
import hashlib
from reports.letters.letter import Facts, Letter, Listing, Paragraph, Section
from reports.rendering.pages import render
blocks = (Paragraph("Sehr geehrte Frau Núñez"), Listing(("Erstens", "Zweitens"), True), Facts((("a", "b"),)))
letter = Letter("explanation", "de", "Erläuterung", ("Bank",), ("Núñez",), "2026-11-22",
                "2026-11-22T10:00:00Z", (Section("Gründe", blocks),), (), "", {"b": 1, "a": 0.1})
types = ("text/html", "application/pdf", "application/json")
print(*(hashlib.sha256(render(letter, each).content).hexdigest() for each in types))
print(*(render(letter, each).environment for each in types))
"""


def _rendered_elsewhere(folder: Path, **variables: str) -> str:
    surroundings = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **variables}
    command = [sys.executable, "-c", ELSEWHERE]
    return subprocess.run(
        command, cwd=folder, env=surroundings, check=True, capture_output=True, text=True
    ).stdout


def test_nothing_outside_the_letter_has_any_part_in_it(tmp_path) -> None:
    here = _rendered_elsewhere(ROOT)
    fonts = tmp_path / "home" / ".fonts"
    fonts.mkdir(parents=True)
    # A file that calls itself a font where a typesetter would look for the system's.
    shutil.copy(ROOT / "LICENSE", fonts / "LibertinusSerif-Regular.otf")
    there = _rendered_elsewhere(
        tmp_path,
        HOME=str(tmp_path / "home"),
        LC_ALL="de_DE.UTF-8",
        TZ="Pacific/Kiritimati",
        PYTHONHASHSEED="4711",
        SOURCE_DATE_EPOCH="1",
        TYPST_FONT_PATHS=str(fonts),
        TYPST_ROOT="/nonexistent",
        RAYON_NUM_THREADS="1",
    )
    assert here == there
    assert len(here.split()[0]) == 64


def test_a_folder_that_is_gone_is_not_missed(tmp_path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    script = f"import os; os.chdir({str(gone)!r}); os.rmdir({str(gone)!r})\n" + ELSEWHERE
    surroundings = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, env=surroundings, check=True, capture_output=True, text=True)
    assert done.stdout == _rendered_elsewhere(ROOT)


@pytest.mark.parametrize("media_type", MEDIA_TYPES)
def test_a_later_rendering_is_identical(write, media_type: str) -> None:
    first = render(write(), media_type)
    for other in ("another letter", "and another"):
        render(write(other), media_type)
    time.sleep(1.1)  # a document that held the time of its making would differ by now
    assert render(write(), media_type) == first


def test_threads_do_not_disturb_each_other(write) -> None:
    letters = [write(f"Letter number {number}. " * number) for number in range(1, 9)]
    alone = [render(letter, PDF).content for letter in letters]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(lambda letter: render(letter, PDF).content, letters * 5))
    assert together == alone * 5


def test_a_forked_child_is_refused_instead_of_waiting_forever(write) -> None:
    render(write(), PDF)
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        try:
            render(write(), PDF)
        except RuntimeError:
            os._exit(7)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def test_other_media_types_are_unknown(write) -> None:
    with pytest.raises(MediaTypeUnknown, match="'text/plain'"):
        render(write(), "text/plain")
    with pytest.raises(MediaTypeUnknown):
        environment_of("application/xhtml+xml")


@pytest.mark.parametrize("media_type", MEDIA_TYPES)
def test_a_letter_of_the_greatest_length_renders_and_a_longer_one_is_refused(write, media_type: str) -> None:
    render(write("word " * (MAX_CHARACTERS // 5 - 200)), media_type)
    render(write("x" * (MAX_CHARACTERS - 1000)), media_type)
    render(write(*["a line"] * (MAX_LINES - 50)), media_type)
    with pytest.raises(LetterTooLong, match="50,000 characters"):
        render(write("x" * (MAX_CHARACTERS + 1)), media_type)
    with pytest.raises(LetterTooLong, match="2,500 lines"):
        render(write("\n" * (MAX_LINES + 1)), media_type)


@pytest.mark.parametrize(
    ("text", "codepoints"),
    [
        ("Tanaka 田中さん", ("U+3055", "U+3093", "U+4E2D", "U+7530")),
        ("a\0b", ("U+0000",)),
        ("a\x07b\x9f", ("U+0007", "U+009F")),
        ("\ue000", ("U+E000",)),
        ("\U0010fffd", ("U+10FFFD",)),
        ("\ufeffBOM", ("U+FEFF",)),
        ("\ufffe\U0001ffff", ("U+FFFE", "U+1FFFF")),
        ("100 \u202e000\u202c", ("U+202C", "U+202E")),
        ("👨\u200d👩\u200d👧", ("U+1F467", "U+1F468", "U+1F469")),
        ("田" * 60, ("U+7530",)),  # a run that would be broken over two lines
    ],
)
def test_what_cannot_be_printed_is_named_by_codepoint(write, text: str, codepoints: tuple[str, ...]) -> None:
    letter = write("Dear applicant,", text)
    for _ in range(2):
        with pytest.raises(LetterUnprintable) as caught:
            render(letter, PDF)
        assert caught.value.codepoints == codepoints
        shown = "".join(map(str, (caught.value, caught.value.__cause__, caught.value.__context__)))
        assert not set(shown) & set(text) - set("ab 0123456789BOMTank")
    assert text.encode() in render(letter, HTML).content
    render(letter, JSON)


@pytest.mark.parametrize(
    "place", ["title", "sender", "recipient", "citations_heading", "heading", "language of nobody"]
)
def test_every_place_of_a_letter_is_looked_at(write, place: str) -> None:
    fields = {place: "田"}
    if place in ("sender", "recipient"):
        fields = {place: ("First line", "田")}
    if place == "heading":
        fields = {"sections": (Section("田", ()),)}
    if place == "language of nobody":
        fields = {"language": "xx", "title": "田"}
    with pytest.raises(LetterUnprintable, match=r"U\+7530"):
        render(write(**fields), PDF)


def test_many_unprintable_characters_are_counted(write) -> None:
    with pytest.raises(LetterUnprintable, match=r"U\+4E0F and 84 more$"):
        render(write("".join(chr(0x4E00 + number) for number in range(100))), PDF)


@pytest.mark.parametrize("media_type", MEDIA_TYPES)
def test_half_a_surrogate_pair_is_no_text(write, media_type: str) -> None:
    with pytest.raises(LetterUnprintable, match=r"U\+D800$"):
        render(write("a\ud800b"), media_type)


def test_what_the_typesetter_refuses_for_another_reason_has_a_name_and_no_words(write) -> None:
    with pytest.raises(TypesettingFailed) as caught:
        render(write(title=""), PDF)  # an accessible document has a title
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_the_environment_names_what_rendered() -> None:
    pdf = environment_of(PDF)
    assert pdf["renderer"].startswith("typst 0.")
    assert "Libertinus Serif" in pdf["fonts"]
    for media_type in MEDIA_TYPES:
        found = environment_of(media_type)
        assert found.keys() == pdf.keys()
        assert found["renderer_digest"].startswith("sha256:")
        assert found["template_digest"] == template_digest()
    assert len({environment_of(media_type)["renderer_digest"] for media_type in MEDIA_TYPES}) == 3


@pytest.mark.parametrize(
    "file",
    [
        "rendering/layout/letter.typ",
        "rendering/layout/letter.html.jinja",
        "rendering/layout/letter.css",
        "rendering/pdf.py",
        "letters/letter.py",
        "requirements/words.yaml",
    ],
)
def test_a_change_of_anything_that_shapes_a_letter_changes_the_digest(tmp_path, monkeypatch, file) -> None:
    monkeypatch.setattr(environment, "REPORTS", tmp_path / "reports")
    shutil.copytree(ROOT / "reports", tmp_path / "reports")
    copied = template_digest.__wrapped__()
    assert copied == template_digest()
    with (tmp_path / "reports" / file).open("a", encoding="utf-8") as stream:
        stream.write("\n")
    assert template_digest.__wrapped__() != copied
