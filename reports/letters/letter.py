"""A letter as data: the same words become HTML, PDF and JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from reports.requirements.citing import CitedRule

TemplateName = Literal["adverse_action", "explanation"]
"""`adverse_action`: 12 CFR 1002.9 and FCRA 615(a). `explanation`: GDPR 15(1)(h) and EU AI Act 86."""


@dataclass(frozen=True, slots=True)
class Paragraph:
    """One paragraph of running text."""

    text: str


@dataclass(frozen=True, slots=True)
class Listing:
    """Items one below the other; numbered where their order says something."""

    items: tuple[str, ...]
    numbered: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """Labels with their values, side by side."""

    rows: tuple[tuple[str, str], ...]


Block = Paragraph | Listing | Facts


@dataclass(frozen=True, slots=True)
class Section:
    """Blocks under a heading, or without one; `language` is given where it is not the letter's own."""

    heading: str | None
    blocks: tuple[Block, ...]
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Letter:
    """One letter. Everything in it comes from the record; nothing from a clock.

    `data` holds the same content for machines (creditor, reasons, dates, scores): plain JSON values.
    `dated` is the UTC date of the decision, ISO 8601; `moment` the time of the record, for a document's
    metadata.
    """

    template: TemplateName
    language: str
    title: str
    sender: tuple[str, ...]
    recipient: tuple[str, ...]
    dated: str
    moment: str
    sections: tuple[Section, ...]
    citations: tuple[CitedRule, ...]
    citations_heading: str
    data: Mapping[str, object]
