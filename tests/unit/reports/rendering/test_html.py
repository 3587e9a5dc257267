"""The HTML page as a parser finds it: complete in itself, in order, and only ever text."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest
from jinja2 import StrictUndefined

from reports.letters.letter import Paragraph, Section
from reports.rendering import html
from reports.rendering.environment import HTML
from reports.rendering.pages import render
from reports.rendering.texts import texts_of

VOID = {"meta", "br", "hr", "img", "input", "link", "source", "wbr"}


class Page(HTMLParser):
    """Elements with their attributes and the text under each; raises where tags do not close in order."""

    def __init__(self, content: bytes) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None], list[str]]] = []
        self._open: list[tuple[str, dict[str, str | None], list[str]]] = []
        self.feed(content.decode("utf-8"))
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = (tag, dict(attrs), [])
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        for _, _, words in self._open:
            words.append(data)

    def named(self, *tags: str) -> list[tuple[dict[str, str | None], str]]:
        return [(attributes, "".join(words)) for tag, attributes, words in self.elements if tag in tags]


def _page(letter) -> Page:
    return Page(render(letter, HTML).content)


def test_its_words_are_the_letters_words_in_order(write) -> None:
    letter = write()
    (_, text), *_ = _page(letter).named("body")
    position = 0
    for words in texts_of(letter):
        if words == letter.dated:
            continue
        found = text.find(words, position)
        assert found >= 0, words
        position = found + len(words)


def test_language_landmarks_and_headings(write) -> None:
    page = _page(write())
    assert page.named("html") == [({"lang": "en", "dir": "ltr"}, page.named("html")[0][1])]
    assert [len(page.named(tag)) for tag in ("header", "main", "h1", "title")] == [1, 1, 1, 1]
    assert page.named("title")[0][1] == "Notice of action taken"
    headings = [(tag, "".join(words)) for tag, _, words in page.elements if re.fullmatch("h[1-6]", tag)]
    assert [tag for tag, _ in headings] == ["h1", "h2", "h2", "h2", "h2"]
    labelled = [attributes["aria-labelledby"] for attributes, _ in page.named("section") if attributes]
    identified = [attributes.get("id") for attributes, _ in page.named("h2")]
    assert [label for label in labelled if label] == identified
    assert len(set(identified)) == len(identified)
    assert page.named("time") == []  # the one date known is the decision's, and the letter's words say so


def test_a_part_in_another_language_says_so(write) -> None:
    sections = (*write("Hola").sections, Section("Notice", (Paragraph("Hello"),), "en"))
    parts = _page(write(language="es", sections=sections)).named("section")
    assert [attributes.get("lang") for attributes, _ in parts] == [None, "en", None]


def test_the_page_reads_from_the_right_where_the_language_does(write) -> None:
    assert _page(write(language="he")).named("html")[0][0]["dir"] == "rtl"
    assert _page(write(language="ar-EG")).named("html")[0][0]["dir"] == "rtl"


def test_it_needs_nothing_else_and_runs_nothing(write) -> None:
    content = render(write(), HTML).content.decode()
    page = Page(content.encode())
    assert not page.named("script", "link", "img", "iframe", "object", "embed", "form", "a", "base")
    for _, attributes, _ in page.elements:
        assert not [name for name in attributes if name.startswith("on") or name in ("src", "href", "style")]
    ((_, style),) = page.named("style")
    assert not re.search(r"url\(|@import|expression", style)
    policies = [attributes["content"] for attributes, _ in page.named("meta") if "http-equiv" in attributes]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policies[0].startswith("default-src 'none'; ")
    assert f"style-src 'sha256-{digest}'" in policies[0]


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "\"'><img src=x onerror=alert(1)>",
        "{{ 7 * 7 }} {% raw %}",
        "&lt;b&gt; &amp; &#x3c;",
        "</style></title><!-- -->",
    ],
)
def test_whatever_a_letter_says_is_text(write, text: str) -> None:
    plain = _page(write("x", sender=("x",), recipient=("x",)))
    hostile = _page(
        write(text, title=text, sender=(text,), recipient=(text,), citations_heading=text, data={text: text})
    )
    assert [tag for tag, _, _ in hostile.elements] == [tag for tag, _, _ in plain.elements]
    for tag in ("title", "h1", "p"):
        assert text in [words for _, words in hostile.named(tag)]


def test_a_tag_cannot_be_left_through_the_language(write) -> None:
    page = _page(write(language='en" onload="alert(1)'))
    assert page.named("html")[0][0] == {"lang": 'en" onload="alert(1)', "dir": "ltr"}


def test_every_text_finds_its_own_direction(write) -> None:
    page = _page(write())
    for attributes, _ in page.named("p", "li", "dt", "dd", "h1", "h2"):
        assert attributes.get("dir") == "auto" or attributes == {"class": "date"}


def test_a_name_the_page_does_not_know_is_an_error() -> None:
    template = html._template()
    assert template.environment.undefined is StrictUndefined
    assert template.environment.autoescape is True


def test_it_prints_on_the_paper_of_the_law(write) -> None:
    assert _page(write()).named("body")[0][0] == {"class": "us-letter"}
    assert _page(write(template="explanation")).named("body")[0][0] == {"class": "a4"}


def test_letters_without_addresses_or_citations_have_no_empty_places(write) -> None:
    page = _page(write(sender=(), recipient=(), citations=()))
    assert not page.named("header", "address")
    assert "Legal basis" not in page.named("body")[0][1]
