"""The PDF as three independent readers find it: its structure, its words, its pages."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any

import pikepdf
import pypdf
import pypdfium2
import pytest

from reports.letters.letter import Facts, Paragraph, Section
from reports.rendering.environment import PDF
from reports.rendering.pages import render
from reports.rendering.texts import texts_of

MM = 72 / 25.4


def _content(letter) -> bytes:
    return render(letter, PDF).content


def _long(write, **fields: Any):
    sections = write().sections
    return write(sections=sections * 4, **fields)


def _elements(element: Any) -> Iterator[Any]:
    """Every element of the structure tree in reading order."""
    if isinstance(element, pikepdf.Array):
        for child in element:
            yield from _elements(child)
    elif isinstance(element, pikepdf.Dictionary) and "/S" in element:
        yield element
        yield from _elements(element.get("/K", pikepdf.Array()))


def _roles(content: bytes) -> list[str]:
    with pikepdf.open(io.BytesIO(content)) as document:
        return [str(element.S) for element in _elements(document.Root.StructTreeRoot.K)]


def _page_texts(content: bytes) -> list[str]:
    """The text of each page, without the spaces that are only places to break."""
    reader = pypdf.PdfReader(io.BytesIO(content))
    return [page.extract_text().replace("\u200b", "") for page in reader.pages]


def _words(text: str) -> str:
    return re.sub(r"\s", "", text)


def test_it_declares_what_an_archive_and_a_screen_reader_ask_for(write) -> None:
    with pikepdf.open(io.BytesIO(_content(write()))) as document:
        assert not document.is_encrypted
        assert bool(document.Root.MarkInfo.Marked)
        assert str(document.Root.Lang) == "en"
        assert bool(document.Root.ViewerPreferences.DisplayDocTitle)
        assert document.Root.OutputIntents[0].S == "/GTS_PDFA1"
        with document.open_metadata() as xmp:
            assert xmp["pdfaid:part"] == "2"
            assert xmp["pdfaid:conformance"] == "A"
            assert xmp["pdfuaid:part"] == "1"
            assert xmp["dc:title"] == "Notice of action taken"
            assert xmp["dc:creator"] == ["First Example Bank, N.A."]
            assert "adverse_action" in xmp["pdf:Keywords"]
            assert xmp["xmp:CreateDate"].startswith("2026-11-22T10:00:00")
        for page in document.pages:
            assert page.Tabs == "/S"


def test_nothing_in_it_runs_or_reaches_out(write) -> None:
    content = _content(write())
    with pikepdf.open(io.BytesIO(content)) as document:
        assert not {"/OpenAction", "/AA", "/AcroForm", "/Names"} & set(document.Root.keys())
        for item in document.objects:
            if isinstance(item, pikepdf.Dictionary):
                assert item.get("/S") not in ("/JavaScript", "/URI", "/Launch", "/GoToR")
                assert item.get("/Type") not in ("/EmbeddedFile", "/Filespec")


def test_every_font_is_embedded_with_its_way_back_to_text(write) -> None:
    with pikepdf.open(io.BytesIO(_content(write("Schrift ж Ω שלום → ½")))) as document:
        fonts = {id(font): font for page in document.pages for font in page.Resources.Font.values()}
        assert fonts
        for font in fonts.values():
            assert "/ToUnicode" in font
            descriptor = font.DescendantFonts[0].FontDescriptor
            assert {"/FontFile", "/FontFile2", "/FontFile3"} & set(descriptor.keys())


def test_the_structure_is_read_in_order(write) -> None:
    content = _content(write())
    with pikepdf.open(io.BytesIO(content)) as document:
        (whole,) = [one for one in _elements(document.Root.StructTreeRoot.K) if one.S == "/Document"]
        children = [str(child.S) for child in whole.K]
    assert children == [
        *("/P", "/P"),  # sender, recipient
        *("/H1", "/P", "/P"),
        *("/H2", "/L"),
        *("/H2", "/L"),
        *("/H2", "/P", "/L"),
        *("/H2", "/L"),
    ]
    roles = _roles(content)
    items = [role for role in roles if role in ("/LI", "/Lbl", "/LBody")]
    assert items == ["/LI", "/Lbl", "/LBody"] * (2 + 3 + 2 + 1)


def test_a_numbered_list_is_one_and_facts_are_terms(write) -> None:
    with pikepdf.open(io.BytesIO(_content(write()))) as document:
        lists = [one for one in _elements(document.Root.StructTreeRoot.K) if one.S == "/L"]
        kinds = [str(one.A[0].ListNumbering) for one in lists]
    assert kinds[:2] == ["/Decimal", "/None"]


@pytest.mark.parametrize("language", ["en", "es", "de", "es-MX"])
def test_its_words_are_the_letters_words_in_order(write, language: str) -> None:
    letter = _long(write, language=language)
    text = _words("".join(_page_texts(_content(letter))))
    position = 0
    for words in texts_of(letter):
        if words == letter.dated:
            continue
        found = text.find(_words(words), position)
        assert found >= 0, words
        position = found + len(_words(words))


def test_what_looks_like_markup_is_text(write) -> None:
    hostile = "#panic(1) $x^2$ *b* _e_ `c` <l> @ref // no comment /* nor this */ \\ [c] ~ -- --- 'q' https://a.example"
    assert _words(hostile) in _words(_page_texts(_content(write(hostile)))[0])
    roles = _roles(_content(write(hostile)))
    assert {"/Strong", "/Em", "/Code", "/Link", "/Formula"}.isdisjoint(roles)


def test_lines_of_a_text_stay_lines_and_a_tab_parts_words(write) -> None:
    (text,) = _page_texts(_content(write("First line\nsecond\r\nthird\tword")))
    assert "First line\nsecond\nthird word\n" in text


def test_the_language_and_region_are_the_letters(write) -> None:
    with pikepdf.open(io.BytesIO(_content(write(language="es-MX")))) as document:
        assert str(document.Root.Lang) == "es-MX"
    with pikepdf.open(io.BytesIO(_content(write(language="zh-Hant")))) as document:
        assert str(document.Root.Lang) == "zh"


def test_a_part_in_another_language_is_read_aloud_in_its_own(write) -> None:
    sections = (*write("Hola").sections, Section("Notice", (Paragraph("Hello"),), "en-US"))
    with pikepdf.open(io.BytesIO(_content(write(language="es", sections=sections)))) as document:
        spoken = {str(one.Lang) for one in _elements(document.Root.StructTreeRoot.K) if "/Lang" in one}
        assert str(document.Root.Lang) == "es"
    assert spoken == {"en"}


@pytest.mark.parametrize(
    ("language", "printed"),
    [("en", "November 22, 2026"), ("es-MX", "22 de noviembre de 2026"), ("de", "22. November 2026")],
)
def test_the_date_is_written_as_the_language_writes_it(write, language: str, printed: str) -> None:
    assert printed in _page_texts(_content(write(language=language)))[0]


def test_a_language_without_words_for_dates_gets_the_date_as_it_is(write) -> None:
    assert "· 2026-11-22" in _page_texts(_content(write(language="fi")))[0]


def test_no_date_stands_at_the_head_as_if_it_were_the_letters_own(write) -> None:
    """The one date known is that of the decision; when a letter is sent nobody knows yet."""
    text = _page_texts(_content(write()))[0]
    assert text.count("November 22, 2026") == 1
    assert "Notice of action taken · November 22, 2026" in text  # the footer, to tell letters apart


def test_what_announces_something_stays_with_it(write) -> None:
    """Never a page that ends with a colon, wherever the page happens to end."""
    for filling in range(20, 40):
        blocks = (
            Paragraph("\n".join(["x"] * filling)),
            Paragraph("These are:"),
            Facts((("Label", "Value"),)),
        )
        for page in _page_texts(_content(write(sections=(Section(None, blocks),)))):
            body = page.partition("Notice of action taken ·")[0].rstrip()
            assert not body.endswith("These are:")


@pytest.mark.parametrize(
    ("template", "millimetres"), [("adverse_action", (215.9, 279.4)), ("explanation", (210, 297))]
)
def test_the_paper_is_that_of_the_law(write, template: str, millimetres: tuple[float, float]) -> None:
    page = pypdf.PdfReader(io.BytesIO(_content(write(template=template)))).pages[0]
    size = (float(page.mediabox.width) / MM, float(page.mediabox.height) / MM)
    assert size == pytest.approx(millimetres, abs=0.1)


def test_every_page_says_which_of_how_many_and_whose(write) -> None:
    pages = _page_texts(_content(_long(write)))
    assert len(pages) >= 2
    for number, text in enumerate(pages, 1):
        assert f"{number} / {len(pages)}" in text
        assert "Notice of action taken · November 22, 2026" in text


@pytest.mark.parametrize("template", ["adverse_action", "explanation"])
@pytest.mark.parametrize("kind", ["usual", "long words", "long addresses"])
def test_every_page_shows_something_and_nothing_in_its_margins(write, template: str, kind: str) -> None:
    letter = _long(write, template=template)
    if kind == "long words":
        row = ("Rechtsschutzversicherungsgesellschaften" * 3, "W" * 700)
        letter = write(
            "x" * 3000, "https://lender.example/" + "a" * 200, template=template, title="Donau" * 40
        )
        sections = (*letter.sections, Section("W" * 90, (Facts((row,)),)))
        letter = write(template=template, sections=sections, title=letter.title)
    if kind == "long addresses":
        letter = write(template=template, sender=("A line " * 30,) * 12, recipient=("W" * 300,) * 8)
    document = pypdfium2.PdfDocument(_content(letter))
    for page in document:
        width, height = page.get_size()
        grey = page.render(scale=1).to_pil().convert("L")
        inked = grey.point(lambda value: 255 if value < 200 else 0).getbbox()
        assert inked is not None
        left, top, right, bottom = inked
        assert left >= 24 * MM
        assert right <= width - 24 * MM
        assert top >= 19 * MM
        assert bottom <= height - 8 * MM
        assert (bottom - top) * (right - left) > 0.1 * width * height


def test_a_long_sender_does_not_cover_the_recipient(write) -> None:
    letter = write(sender=tuple(f"Sender line {number}" for number in range(14)))
    document = pypdfium2.PdfDocument(_content(letter))
    words = document[0].get_textpage()
    bounds = []
    for text in ("Sender line 13", "María"):
        index, count = words.search(text).get_next()
        bounds.append([words.get_charbox(index + offset) for offset in range(count)])
    lowest = min(bottom for _, bottom, _, _ in bounds[0])
    highest = max(top for _, _, _, top in bounds[1])
    assert highest < lowest


def test_without_addresses_there_is_no_room_for_them(write) -> None:
    content = _content(write(sender=(), recipient=()))
    (page,) = pypdfium2.PdfDocument(content)
    grey = page.render(scale=1).to_pil().convert("L")
    _, top, _, _ = grey.point(lambda value: 255 if value < 200 else 0).getbbox()
    assert top == pytest.approx(20 * MM, abs=2 * MM)
    assert _roles(content)[:2] == ["/Document", "/H1"]
    (page,) = pypdfium2.PdfDocument(_content(write(recipient=())))
    assert page.get_textpage().get_text_range().startswith("First Example Bank")
