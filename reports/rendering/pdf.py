"""A letter as PDF/A-2a and PDF/UA-1: the one door to the typesetter.

The typesetter brings its fonts in its own library and reads nothing from the system: no font, no package, no
file but the layout given here, no clock.
"""

from __future__ import annotations

import ast
import json
import os
import re
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import typst

from reports.letters.letter import Letter
from reports.rendering.dates import printed_date
from reports.rendering.description import PAPERS, described_sections
from reports.rendering.errors import LetterUnprintable, TypesettingFailed
from reports.rendering.texts import check_printable, texts_of

LAYOUT = Path(__file__).parent / "layout"
STANDARDS: list[typst.PDFStandard] = ["a-2a", "ua-1"]

_threads_of: list[int] = []  # the process whose threads the typesetter has started, once it has


def pdf_of(letter: Letter) -> bytes:
    """Typeset the letter; the same letter gives the same bytes.

    Raises LetterUnprintable, naming codepoints, for characters that no font of the typesetter has or that
    no archive may hold.
    """
    check_printable(letter)
    _stay_in_one_process()
    try:
        # The stubs ask that the input and the root be of one type; the library does not.
        return bytes(
            typst.compile(  # type: ignore[call-overload]
                _layout(),
                root=LAYOUT,
                font_paths=_fonts(),
                format="pdf",
                sys_inputs={"letter": json.dumps(_inputs(letter), ensure_ascii=True, sort_keys=True)},
                pdf_standards=STANDARDS,
                timestamp=int(datetime.fromisoformat(letter.moment).timestamp()),
            )
        )
    except typst.TypstError as error:
        refused = _refused_characters(error.diagnostic, letter)
    # Raised here, away from the typesetter's error: that one quotes the letter.
    if refused:
        raise LetterUnprintable(refused)
    raise TypesettingFailed


def fonts() -> tuple[str, ...]:
    """Return the families inside the typesetter's library."""
    return tuple(_fonts().families())


def _inputs(letter: Letter) -> dict[str, Any]:
    lang, _, region = letter.language.partition("-")
    return {
        "title": letter.title,
        "author": letter.sender[:1],
        "keywords": [letter.template, *(rule.requirement_id for rule in letter.citations)],
        "lang": lang.lower(),
        "region": region.upper() if re.fullmatch("[A-Za-z]{2}", region) else None,
        "paper": PAPERS[letter.template],
        "printed_date": printed_date(letter.dated, letter.language),
        "sender": letter.sender,
        "recipient": letter.recipient,
        "sections": described_sections(letter),
        "citations_heading": letter.citations_heading,
        "citations": [rule.printed for rule in letter.citations],
    }


@cache
def _layout() -> bytes:
    return (LAYOUT / "letter.typ").read_bytes()


@cache
def _fonts() -> typst.Fonts:
    return typst.Fonts(include_system_fonts=False)


def _stay_in_one_process() -> None:
    """Refuse to typeset in a child forked after its parent did: without the threads it would wait forever."""
    process = os.getpid()
    if not _threads_of:
        _threads_of.append(process)
    if process != _threads_of[0]:
        raise RuntimeError("the typesetter was used before this process was forked")


# The typesetter says: the text "…" could not be displayed; the PDF contains the codepoint "…"; the text
# contains the disallowed codepoint "…". The quoted part is written as in Rust.
_QUOTED = re.compile(r'^error: .*?(?:the text|codepoint) `("(?:[^"\\]|\\.)*")`', re.MULTILINE)
_ESCAPED = re.compile(r"\\(?:u\{([0-9a-f]{1,6})\}|(.))")
_JOINERS = re.compile("[\u200c\u200d\ufe00-\ufe0f\U000e0100-\U000e01ef]")


def _refused_characters(diagnostic: str, letter: Letter) -> set[str]:
    """Return the characters the typesetter names; of a joined sign, the parts and not what joins them."""
    quoted = (_ESCAPED.sub(_unescape, text[1:-1]) for text in _QUOTED.findall(diagnostic))
    found = set().union(*quoted) & set().union(*texts_of(letter))
    return {character for character in found if not _JOINERS.match(character)} or found


def _unescape(match: re.Match[str]) -> str:
    codepoint, sign = match.groups()
    if codepoint is not None:
        return chr(int(codepoint, 16))
    return str(ast.literal_eval(f'"\\{sign}"')) if sign in "ntr0" else str(sign)
