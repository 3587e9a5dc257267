"""Every text of a letter, and what no document may hold."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from reports.letters.letter import Block, Facts, Letter, Listing, Paragraph
from reports.rendering.errors import LetterTooLong, LetterUnprintable

MAX_CHARACTERS = 50_000
MAX_LINES = 2_500

_SURROGATES = re.compile("[\ud800-\udfff]")

# Written out rather than asked of `unicodedata`, whose tables differ between versions of Python. Controls but
# tab and ends of lines; what reverses the text around it, so that a page would read otherwise than the
# record; private use and noncharacters, which mean nothing to whoever reads the page later.
_NEVER_PRINTED = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"
    "\u202a-\u202e\u2066-\u2069"
    "\ud800-\udfff\ue000-\uf8ff\ufdd0-\ufdef\ufeff\ufffe\uffff"
    "\U000f0000-\U0010ffff"
    + "".join(chr(plane * 0x10000 + last) for plane in range(1, 15) for last in (0xFFFE, 0xFFFF))
    + "]"
)


def texts_of(letter: Letter) -> Iterator[str]:
    """Return every text of a letter that is printed, in the order in which it is read."""
    yield from letter.sender
    yield from letter.recipient
    yield letter.dated
    yield letter.title
    for section in letter.sections:
        if section.heading is not None:
            yield section.heading
        for block in section.blocks:
            yield from _texts_of_block(block)
    if letter.citations:
        yield letter.citations_heading
        yield from (rule.printed for rule in letter.citations)


def _texts_of_block(block: Block) -> Iterable[str]:
    match block:
        case Paragraph():
            return (block.text,)
        case Listing():
            return block.items
        case Facts():
            return (text for row in block.rows for text in row)


def check_length(letter: Letter) -> None:
    """Refuse, in one pass over the texts, what would keep a renderer busy for seconds."""
    characters = lines = 0
    for text in texts_of(letter):
        characters += len(text)
        lines += 1 + text.count("\n")
    if characters > MAX_CHARACTERS:
        raise LetterTooLong("characters", MAX_CHARACTERS)
    if lines > MAX_LINES:
        raise LetterTooLong("lines", MAX_LINES)


def check_encodable(letter: Letter) -> None:
    """Refuse halves of surrogate pairs: no document in UTF-8 can hold them."""
    _refuse(_SURROGATES, letter)


def check_printable(letter: Letter) -> None:
    """Refuse what is never printed, whichever fonts there are."""
    _refuse(_NEVER_PRINTED, letter)


def _refuse(pattern: re.Pattern[str], letter: Letter) -> None:
    found = {character for text in texts_of(letter) for character in pattern.findall(text)}
    if found:
        raise LetterUnprintable(found)
