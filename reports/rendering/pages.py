"""A letter as a document: HTML, PDF or JSON, the same bytes for the same letter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from reports.letters.letter import Letter
from reports.rendering.environment import HTML, JSON, PDF, environment_of
from reports.rendering.html import html_of
from reports.rendering.json import json_of
from reports.rendering.pdf import pdf_of
from reports.rendering.texts import check_length

_RENDERERS: Mapping[str, Callable[[Letter], bytes]] = {HTML: html_of, PDF: pdf_of, JSON: json_of}


@dataclass(frozen=True, slots=True)
class Rendered:
    """One document, and what it depended on beside the letter."""

    media_type: str
    content: bytes
    environment: Mapping[str, str]


def render(letter: Letter, media_type: str) -> Rendered:
    """Render a letter; no clock, place, locale or font of the system has any part in it.

    Raises MediaTypeUnknown, LetterTooLong, and LetterUnprintable for what this media type cannot hold.
    """
    environment = environment_of(media_type)
    check_length(letter)
    return Rendered(media_type, _RENDERERS[media_type](letter), environment)
