"""Report 9: erasures, legal holds, expiries of a period; and what is kept until when, by class and month."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from audit.retention import LONGEST_NOTICE, RULES
from records.decisions import kept_by_month
from reports.registers.listing import ENTRY_COLUMNS, EXPLANATION, SAID, listed, text_of
from reports.registers.report import PERIOD, Asked, Column, Reading, Report, Row, Source

TYPES: Final = (
    *("erasure.requested", "erasure.refused", "erasure.held", "erasure.completed"),
    *("hold.placed", "hold.released", "retention.expired"),
)


def _read(source: Source, asked: Asked) -> Reading:
    def rows() -> Iterator[Row]:
        for found, row in listed(source, asked, TYPES):
            body = found.entry.body
            yield {
                **row,
                "section": "event",
                "retention_class": text_of(body.get("retention_class")),
                "month": text_of(body.get("month")),
                "entries": body.get("entries"),
                "ground": text_of(body.get("ground") or body.get("basis")),
            }
        yield from _kept(source)

    return Reading(rows=rows)


def _kept(source: Source) -> Iterator[Row]:
    """What is due when: decisions by class and month, whatever the period that is asked for."""
    for kept in kept_by_month(source.conn, source.before, LONGEST_NOTICE):
        rule = RULES.get(kept.retention_class)
        begins = kept.newest if rule is None or rule.starts == "entry" else kept.newest_notified
        until: datetime | None = None if rule is None or begins is None else rule.ends_at(begins)
        yield {
            "section": "kept",
            "retention_class": kept.retention_class,
            "month": kept.month,
            "entries": kept.decisions,
            "waiting": kept.waiting,
            "retained_until": until,
            "due": until is not None and until <= source.now and not kept.waiting,
            "ground": None if rule is None else rule.citation,
        }


RETENTION: Final = Report(
    name="retention",
    number=9,
    title="Retention, erasures and legal holds",
    takes=PERIOD,
    columns=(
        Column("section", "text", "`event`: an entry of the period; `kept`: what is kept until when"),
        *ENTRY_COLUMNS,
        EXPLANATION,
        Column("retention_class", "text", "the class that says how long entries are kept"),
        Column("month", "text", "the month in which they were made"),
        Column("entries", "integer", "how many entries, or decisions, it is about"),
        Column("waiting", "integer", "decisions of which a notice is still owed: their time has not begun"),
        Column("retained_until", "time", "when the time of the last of them is over, without any hold"),
        Column("due", "boolean", "whether that is past, without any hold"),
        Column("ground", "text", "why: of a refusal or an erasure, or the rule of the class"),
        SAID,
    ),
    rules=("reg-b-12-b", "gdpr-17", "ai-act-19", "ai-act-26"),
    read=_read,
)
