"""What makes documents of letters, as the service sees it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from reports.letters.letter import Letter

if TYPE_CHECKING:
    from reports.rendering.pages import Rendered

# The first of them is what a caller gets who has no wish.
MEDIA_TYPES = ("application/json", "text/html", "application/pdf")


class Renderer(Protocol):
    """Same letter and same environment, same bytes."""

    def render(self, letter: Letter, media_type: str) -> Rendered:
        """Make the document."""
        ...

    def environment_of(self, media_type: str) -> Mapping[str, str]:
        """What the document depends on beside the letter."""
        ...


class OurRenderer:
    """The renderer of `reports`, loaded when the first letter is asked for: the typesetter is large."""

    __slots__ = ()

    def render(self, letter: Letter, media_type: str) -> Rendered:
        """Make the document; raises `RenderingError`."""
        from reports.rendering.pages import render  # noqa: PLC0415

        return render(letter, media_type)

    def environment_of(self, media_type: str) -> Mapping[str, str]:
        """Programs, fonts, layouts and words, each by its digest."""
        from reports.rendering.environment import environment_of  # noqa: PLC0415

        return environment_of(media_type)
