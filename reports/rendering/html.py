"""A letter as one HTML page that needs nothing else: no script, no font, no picture, no network."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from reports.letters.letter import Letter
from reports.rendering.description import PAPERS, described
from reports.rendering.texts import check_encodable

LAYOUT = Path(__file__).parent / "layout"
RIGHT_TO_LEFT = frozenset({"ar", "dv", "fa", "he", "ps", "sd", "ug", "ur", "yi"})


def html_of(letter: Letter) -> bytes:
    """Lay the letter out as HTML in UTF-8. Raises LetterUnprintable for half a surrogate pair."""
    check_encodable(letter)
    primary = letter.language.partition("-")[0].lower()
    page = _template().render(
        letter=letter,
        direction="rtl" if primary in RIGHT_TO_LEFT else "ltr",
        paper=PAPERS[letter.template],
    )
    return page.encode("utf-8")


@cache
def _template() -> Template:
    """Return the compiled page; every text is escaped, and a name the page does not know is an error."""
    style = (LAYOUT / "letter.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode("utf-8")).digest()).decode("ascii")
    environment = Environment(
        loader=FileSystemLoader(LAYOUT),
        autoescape=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        auto_reload=False,
    )
    environment.filters["described"] = described
    # The style sheet is ours and holds no data; the page's own policy admits it by its digest, and no more.
    environment.globals.update(style=Markup(style), style_source=f"sha256-{digest}")  # noqa: S704
    return environment.get_template("letter.html.jinja")
