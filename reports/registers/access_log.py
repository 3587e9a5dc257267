"""Report 7: who read what, when and how.

Every reading that discloses is an entry before it is answered, and so is a replay, the pull of a report and
the issue or the end of a token, without which nobody reads at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from audit.entry import Entry
from reports.registers.listing import ENTRY_COLUMNS, EXPLANATION, MODEL_COLUMNS, SAID, listed, text_of
from reports.registers.report import PERIOD, Asked, Column, Reading, Report, Row, Source

DISCLOSING: Final = (
    *("explanation.read", "explanation.replayed", "notice.read", "hold.read", "report.pulled"),
)
TYPES: Final = (*DISCLOSING, "token.issued", "token.revoked")
_HOW: Final = (
    "how it was read. Of an explanation: `read` by its id, `find` by the caller's id of the decision, "
    "`retry` (a request that was sent again was answered from the record), `proof`, `narrative` or `report`. "
    "Of a letter: `first` (it was made then), `identical` (as on record, and made again it was the same) or "
    "`stored` (as on record)"
)
_DISCLOSED: Final = (
    "whether what is encrypted about a person was opened for the reader; a replay opens it where something "
    "differed, unless it was part of a run, which tells only where; null: nothing was read"
)


def _read(source: Source, asked: Asked) -> Reading:
    def rows() -> Iterator[Row]:
        for found, row in listed(source, asked, TYPES):
            body = found.entry.body
            named = (body.get(name) for name in ("report", "template", "hold_id", "principal"))
            yield {
                **row,
                "how": text_of(body.get("how")),
                "what": next((name for name in named if isinstance(name, str)), None),
                "disclosed": _disclosed(found.entry),
                "form": text_of(body.get("media_type") or body.get("format")),
            }

    return Reading(rows=rows)


def _disclosed(entry: Entry) -> bool | None:
    """What the entry says itself; where it says nothing, what such a reading does."""
    body = entry.body
    said = body.get("disclosed")
    if isinstance(said, bool):
        return said
    match entry.type:
        case "explanation.replayed":
            return body.get("first_difference") is not None and body.get("run_id") is None
        case "report.pulled":
            return entry.about is not None
        case "explanation.read" | "notice.read" | "hold.read":
            return True
    return None


ACCESS_LOG: Final = Report(
    name="access-log",
    number=7,
    title="Access log: who read what, when and how",
    takes=PERIOD | {"model", "explanation_id"},
    columns=(
        *ENTRY_COLUMNS,
        EXPLANATION,
        *MODEL_COLUMNS,
        Column("how", "text", _HOW),
        Column("what", "text", "which report, letter or hold was read, or whose token was issued or revoked"),
        Column("disclosed", "boolean", _DISCLOSED),
        Column("form", "text", "the media type of the letter, or the format of the report"),
        SAID,
    ),
    rules=("45-cfr-164-312-b", "ai-act-12", "ai-act-19"),
    read=_read,
)
