"""Which representation a caller wants (RFC 9110, section 12.5.1)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from service.errors import NotAcceptable

_QUALITY = re.compile(r"(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")


@dataclass(frozen=True, slots=True)
class _Range:
    """One media range of an Accept header, with its quality."""

    kind: str
    subtype: str
    quality: float

    def precision(self, media_type: str) -> int:
        """How closely it matches: 3 the type itself, 2 its kind, 1 anything, 0 not at all."""
        kind, _, subtype = media_type.partition("/")
        if (self.kind, self.subtype) == (kind, subtype):
            return 3
        if self.subtype != "*":
            return 0
        return {kind: 2, "*": 1}.get(self.kind, 0)


def choose(accept: str | None, offered: Sequence[str]) -> str:
    """The offered media type that the caller likes best, the first of those liked alike.

    No header, or an empty one, accepts anything. What is no media range in it is passed over. Raises
    `NotAcceptable` when nothing that is offered is wanted.
    """
    if accept is None or not accept.strip():
        return offered[0]
    ranges = [found for part in accept.split(",") if (found := _read(part)) is not None]
    liked = max(offered, key=lambda media_type: _quality(ranges, media_type))
    if _quality(ranges, liked) == 0.0:
        raise NotAcceptable(f"This is available as {', '.join(offered)}.")
    return liked


def _quality(ranges: Sequence[_Range], media_type: str) -> float:
    """What the most precise range that matches says; of equally precise ones, the most willing."""
    matching = [(one.precision(media_type), one.quality) for one in ranges]
    precision, quality = max(matching, default=(0, 0.0))
    return quality if precision else 0.0


def _read(part: str) -> _Range | None:
    media, *parameters = (piece.strip().lower() for piece in part.split(";"))
    kind, slash, subtype = media.partition("/")
    if not slash or not _TOKEN.fullmatch(kind) or not _TOKEN.fullmatch(subtype):
        return None
    quality = 1.0
    for parameter in parameters:
        name, _, value = (piece.strip() for piece in parameter.partition("="))
        if name == "q":
            if not _QUALITY.fullmatch(value):
                return None
            quality = float(value)
        elif name != "charset":  # a profile or a version of a type is another thing than the type
            return None
    return _Range(kind, subtype, quality)
