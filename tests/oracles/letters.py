"""Reading a letter as its reader does: from top to bottom, as lines of text."""

from __future__ import annotations

from collections.abc import Iterator

from reports.letters.letter import Facts, Letter, Listing, Paragraph, Section


def lines_of(letter: Letter) -> list[str]:
    """Every line of a letter in the order in which it is read."""
    found = [*letter.sender, *letter.recipient, letter.title]
    for section in letter.sections:
        found += section_lines(section)
    return [*found, letter.citations_heading, *(rule.printed for rule in letter.citations)]


def section_lines(section: Section) -> list[str]:
    """A section's heading and its lines."""
    return ([] if section.heading is None else [section.heading]) + list(_lines(section))


def text_of(letter: Letter) -> str:
    """A whole letter as one text."""
    return "\n".join(lines_of(letter))


def section(letter: Letter, heading: str) -> Section:
    """The one section under a heading."""
    (found,) = [one for one in letter.sections if one.heading == heading]
    return found


def _lines(section: Section) -> Iterator[str]:
    for block in section.blocks:
        match block:
            case Paragraph(text):
                yield text
            case Listing(items):
                yield from items
            case Facts(rows):
                yield from (f"{label}: {value}" for label, value in rows)
