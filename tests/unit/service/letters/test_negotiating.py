"""Content negotiation against the examples and rules of RFC 9110, section 12.5.1."""

from __future__ import annotations

import pytest

from service.errors import NotAcceptable
from service.letters.negotiating import choose

OFFERED = ("application/json", "text/html", "application/pdf")
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, "application/json"),
        ("", "application/json"),
        ("*/*", "application/json"),
        ("text/html", "text/html"),
        ("TEXT/HTML", "text/html"),
        ("application/pdf", "application/pdf"),
        ("text/*", "text/html"),
        (BROWSER, "text/html"),
        ("text/html;q=0.5, application/pdf;q=0.6", "application/pdf"),
        ("text/html ; q = 0.5 , application/pdf ; q=0.4", "text/html"),
        ("*/*, application/json;q=0", "text/html"),  # the more precise range decides
        ("application/*;q=0.2, application/pdf;q=0.9, text/html;q=0.3", "application/pdf"),
        ("application/json;q=0.001", "application/json"),
        ("text/html;charset=utf-8", "text/html"),
        ("image/png, application/pdf;q=0.1", "application/pdf"),
        ("text/html;q=2, application/pdf;q=0.1", "application/pdf"),  # a quality above one is none
        ("nonsense, application/pdf", "application/pdf"),
    ],
)
def test_the_most_wanted_of_what_there_is(accept: str | None, chosen: str) -> None:
    assert choose(accept, OFFERED) == chosen


@pytest.mark.parametrize(
    "accept", ["image/png", "text/plain", "application/json;q=0", "*/*;q=0", "nonsense", "text/html;level=1"]
)
def test_what_there_is_not_is_refused_with_what_there_is(accept: str) -> None:
    with pytest.raises(NotAcceptable, match="text/html"):
        choose(accept, OFFERED)
