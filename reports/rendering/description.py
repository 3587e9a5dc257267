"""A letter as plain JSON values: what the layouts read and what the JSON rendering is."""

from __future__ import annotations

from typing import Any

from reports.letters.letter import Block, Facts, Letter, Listing, Paragraph

PAPERS = {"adverse_action": "us-letter", "explanation": "a4"}
"""By the law a letter answers, not by its language: a Spanish notice under Regulation B is American mail."""


def described(block: Block) -> dict[str, Any]:
    """Describe one block; `kind` says which of the three it is."""
    match block:
        case Paragraph():
            return {"kind": "paragraph", "text": block.text}
        case Listing():
            return {"kind": "listing", "numbered": block.numbered, "items": list(block.items)}
        case Facts():
            rows = [{"label": label, "value": value} for label, value in block.rows]
            return {"kind": "facts", "rows": rows}


def described_sections(letter: Letter) -> list[dict[str, Any]]:
    """Describe every section in order."""
    return [
        {
            "heading": section.heading,
            "language": section.language,
            "blocks": [described(block) for block in section.blocks],
        }
        for section in letter.sections
    ]
