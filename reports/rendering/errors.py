"""What can go wrong while a letter becomes a document.

RenderingError
├── MediaTypeUnknown    nothing renders this media type
├── LetterTooLong       more text than any letter has
├── LetterUnprintable   a character that no embedded font has or no archive may hold
└── TypesettingFailed   the typesetter refused a letter whose characters are all printable
"""

from __future__ import annotations

from collections.abc import Iterable

NAMED = 16
"""More codepoints than this are counted, not named."""


class RenderingError(Exception):
    """The letter could not be rendered."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").partition("\n")[0])


class MediaTypeUnknown(RenderingError):
    """Letters are not rendered in this media type."""

    def __init__(self, media_type: str) -> None:
        self.media_type = media_type
        super().__init__(f"letters are not rendered as {media_type[:100]!r}")


class LetterTooLong(RenderingError):
    """The letter has more text than is rendered."""

    def __init__(self, what: str, limit: int) -> None:
        super().__init__(f"a letter has at most {limit:,} {what}")


class LetterUnprintable(RenderingError):
    """The letter holds characters that cannot be printed.

    They are named by codepoint and in order; the text around them is personal and is not.
    """

    def __init__(self, characters: Iterable[str]) -> None:
        found = sorted({ord(character) for character in characters})
        self.codepoints = tuple(f"U+{codepoint:04X}" for codepoint in found)
        more = len(found) - NAMED
        tail = f" and {more} more" if more > 0 else ""
        super().__init__(f"characters that cannot be printed: {', '.join(self.codepoints[:NAMED])}{tail}")


class TypesettingFailed(RenderingError):
    """The typesetter refused the letter, although every character of it can be printed."""
