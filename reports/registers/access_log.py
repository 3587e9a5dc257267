"""Report 7: who read what, when and how.

Every reading that discloses is an entry before it is answered, and so are the pull of a report and the issue
and the end of a token, without which nobody reads at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from reports.registers.listing import ENTRY_COLUMNS, EXPLANATION, MODEL_COLUMNS, SAID, listed, text_of
from reports.registers.report import PERIOD, Asked, Column, Reading, Report, Row, Source

TYPES: Final = ("explanation.read", "notice.read", "report.pulled", "token.issued", "token.revoked")


def _read(source: Source, asked: Asked) -> Reading:
    def rows() -> Iterator[Row]:
        for found, row in listed(source, asked, TYPES):
            body = found.entry.body
            what = body.get("report") or body.get("template") or body.get("principal")
            yield {**row, "how": text_of(body.get("how")), "what": text_of(what)}

    return Reading(rows=rows)


ACCESS_LOG: Final = Report(
    name="access-log",
    number=7,
    title="Access log: who read what, when and how",
    takes=PERIOD | {"model", "explanation_id"},
    columns=(
        *ENTRY_COLUMNS,
        EXPLANATION,
        *MODEL_COLUMNS,
        Column("how", "text", "how it was read: `read`, `find`, `proof`, `report`, or how a notice was made"),
        Column("what", "text", "which report or letter was read, or whose token was issued or revoked"),
        SAID,
    ),
    rules=("45-cfr-164-312-b", "ai-act-12", "ai-act-19"),
    read=_read,
)
