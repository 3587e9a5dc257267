"""What reports that list entries have in common: their first columns, and the entries of a period."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from records.tree_entries import Among, TreeEntry, entries_among
from reports.registers.period import period_of
from reports.registers.report import Asked, Column, Row, Source

ENTRY_COLUMNS: Final = (
    Column("index", "integer", "the entry's place in the log's tree"),
    Column("recorded_at", "time", "when the entry was made"),
    Column("entry_id", "id", "the entry"),
    Column("type", "text", "what it records"),
    Column("actor", "text", "who did it: the principal of a token, or the part of the service"),
)
EXPLANATION: Final = Column("explanation_id", "id", "the explanation that it is about")
MODEL_COLUMNS: Final = (
    Column("model", "text", "the model that it is about, or of the decision that it is about"),
    Column("version", "text", "the model's version"),
)
_ABOUT_EXPLANATIONS: Final = ("explanation.", "notice.", "incident.", "report.")
"""Entries of these types are about an explanation, if about anything; others may be about any entry."""
SAID: Final = Column("said", "json", "everything that the entry says in clear")


def entry_row(found: TreeEntry) -> Row:
    """Return an entry's cells for all these columns."""
    entry = found.entry
    return {
        "index": found.index,
        "recorded_at": entry.time,
        "entry_id": entry.entry_id,
        "type": entry.type,
        "actor": entry.actor,
        "explanation_id": entry.about if entry.type.startswith(_ABOUT_EXPLANATIONS) else None,
        "model": text_of(entry.body.get("model")) or found.model,
        "version": text_of(entry.body.get("version")) or found.version,
        "said": entry.body,
    }


def listed(source: Source, asked: Asked, types: Sequence[str]) -> Iterator[tuple[TreeEntry, Row]]:
    """Return the entries of these types that are asked for, in the order of the tree."""
    start, end = period_of(asked, source.now)
    among = Among(types=types, start=start, end=end, before=source.before, about=asked.explanation_id)
    for found in entries_among(source.conn, among):
        row = entry_row(found)
        if asked.model is None or row["model"] == asked.model:
            yield found, row


def text_of(value: object) -> str | None:
    """Return a text; None for what is none."""
    return value if isinstance(value, str) else None
