"""Report 12: what was computed again, and whether it was the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from audit.canonical import JsonValue
from reports.registers.listing import ENTRY_COLUMNS, EXPLANATION, MODEL_COLUMNS, SAID, listed, text_of
from reports.registers.report import PERIOD, Asked, Column, Reading, Report, Row, Source

TYPES: Final = ("explanation.replayed", "replay.completed")


def _read(source: Source, asked: Asked) -> Reading:
    verdicts: Counter[str] = Counter()

    def rows() -> Iterator[Row]:
        for found, row in listed(source, asked, TYPES):
            body = found.entry.body
            verdict = text_of(body.get("verdict"))
            if verdict is not None:
                verdicts[verdict] += 1
            told = {name: body.get(name) for name in ("compared", "not_compared", "tolerance", "run_id")}
            yield {
                **row,
                **told,
                "verdict": verdict,
                "first_difference": body.get("first_difference"),
                "counts": body.get("verdicts"),
            }

    def summary() -> Mapping[str, JsonValue]:
        return {"verdicts": dict(sorted(verdicts.items()))}

    return Reading(rows=rows, summary=summary)


REPLAY: Final = Report(
    name="replay",
    number=12,
    title="Replay report: what was computed again, and whether it was the same",
    takes=PERIOD | {"model", "explanation_id"},
    columns=(
        *ENTRY_COLUMNS,
        EXPLANATION,
        *MODEL_COLUMNS,
        Column(
            "verdict", "text", "`identical`, `within_tolerance`, `different`, or why nothing was compared"
        ),
        Column("compared", "json", "which parts were compared"),
        Column(
            "not_compared",
            "json",
            "of one replay: the parts that could not be compared, and why; of a run: how many had such parts",
        ),
        Column("first_difference", "text", "JSON pointer to the first difference"),
        Column("tolerance", "json", "how far values may lie apart"),
        Column("counts", "json", "of a whole run: how many had which verdict"),
        Column("run_id", "text", "the run over many decisions that it was, or was part of"),
        SAID,
    ),
    rules=("sr-26-2", "ai-act-12"),
    read=_read,
)
