"""What a Spanish notice says in English is marked as English, for whoever has it read aloud."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pikepdf
import pytest

from reports.letters.writing import write_letter
from reports.rendering.pages import render
from tests.oracles import records


@pytest.fixture
def letter() -> records.LetterSource:
    """The record of a denial with a consumer report."""
    application = records.application(consumer_reports=[records.consumer_report()])
    return records.source({"application": application})


def _languages(element: pikepdf.Object) -> Iterator[str]:
    """The languages of the elements in which they differ from the document's."""
    if isinstance(element, pikepdf.Array):
        for one in element:
            yield from _languages(one)
    elif isinstance(element, pikepdf.Dictionary):
        if "/Lang" in element:
            yield str(element.Lang)
        if "/K" in element:
            yield from _languages(element.K)


def test_in_html(letter: records.LetterSource) -> None:
    """WCAG 2.2, success criterion 3.1.2."""
    page = render(write_letter(letter, "adverse_action", "es"), "text/html").content.decode()
    assert '<html lang="es"' in page
    assert page.count('<section lang="en">') == 1
    assert (
        "<section lang"
        not in render(write_letter(letter, "adverse_action", "en"), "text/html").content.decode()
    )


def test_in_pdf(letter: records.LetterSource) -> None:
    """PDF/UA-1: the structure elements of the English part say that they are."""
    content = render(write_letter(letter, "adverse_action", "es"), "application/pdf").content
    with pikepdf.open(io.BytesIO(content)) as document:
        assert str(document.Root.Lang) == "es"
        assert set(_languages(document.Root.StructTreeRoot.K)) == {"en"}
