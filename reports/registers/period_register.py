"""Report 2: every decision of a period, approvals too, one row each.

It is made from the clear part of the log alone, through the projection of decisions, so that decisions whose
personal data were erased stay in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Final

from audit.canonical import JsonValue
from records.decisions import (
    DecisionSetting,
    SettingText,
    Span,
    decision_lines,
    decisions,
    read_reached,
    settings_of,
)
from reports.registers.forms.cells import csv_row, json_row
from reports.registers.period import period_of
from reports.registers.report import PERIOD, Asked, Block, Column, Form, Reading, Report, Row, Source
from schemas.base import format_moment

_FIRST: Final = (
    Column("index", "integer", "its place in the log's tree"),
    Column("explanation_id", "id", "the explanation, which is the entry's id"),
    Column("recorded_at", "time", "when it went on record: the time of its entry"),
)
_HEAD: Final = (
    Column("model", "text", "the model that decided"),
    Column("version", "text", "its version"),
    Column("outcome", "text", "what was decided, by all components together"),
    Column("favourable", "boolean", "whether that was the favourable outcome"),
    Column("model_outcome", "text", "the model's own outcome, where other components took part"),
    Column("action", "text", "what became of the application, as the caller said"),
)
_CODES: Final = Column("reason_codes", "words", "the principal reasons' codes in order; none for an approval")
_TAIL: Final = (
    Column("counterfactual_status", "text", "what was answered of counterfactuals"),
    Column("method", "text", "the attribution method"),
    Column("model_digest", "text", "SHA-256 digest of the artifact that scored"),
    Column("reference_digest", "text", "SHA-256 digest of the reference population"),
    Column("catalogue_name", "text", "the reason catalogue that worded the reasons"),
    Column("catalogue_version", "text", "its version"),
    Column("code_version", "text", "the software that answered"),
    Column("notice_clock", "text", "the clock of the notice that is owed; none where none is"),
    Column("notice_blocked", "boolean", "whether compliance had to look before a notice was made"),
    Column("retention_class", "text", "the class that says how long the entry is kept"),
    Column("actor", "text", "who asked: the principal of the token"),
)
_KEY: Final = (
    "the key of the entry's private part, and of no other entry; which entries are about one person can "
    "deliberately not be told from the log"
)
_LAST: Final = (
    Column("notice_due_at", "time", "when the notice was due"),
    Column("counterfactual_evaluation_id", "id", "the evaluation that finishes a deferred search"),
    Column("key_id", "id", _KEY),
    Column("notice_sent_at", "time", "when the notice of the decision was sent, as the sender said"),
    Column(
        "last_review_kind",
        "text",
        "of the last review that counts: `reviewed`, `overridden`, `corrected`; null: none",
    ),
    Column(
        "standing_outcome",
        "text",
        "the outcome that the last review names which names one; null: `outcome` stands as it was decided",
    ),
    Column("review_entry_id", "id", "the entry of that review"),
    Column("superseded_by", "id", "the later explanation that a review says has taken its place"),
)


def _read(source: Source, asked: Asked) -> Reading:
    reached = read_reached(source.conn)
    start, end = period_of(asked, source.now)
    span = Span(start=start, end=end, model=asked.model, before=min(source.before, reached.entries))
    settings = settings_of(source.conn, asked.model)

    def rows() -> Iterator[Row]:
        shared = {one.setting_id: asdict(one) for one in settings}
        for row in decisions(source.conn, span):
            yield {**shared[row.setting_id], **asdict(row)}

    def lines(form: Form) -> Iterator[Block]:
        yield from decision_lines(source.conn, span, [_text(one, form) for one in settings], form)

    def summary() -> Mapping[str, JsonValue]:
        return {
            "entries_read": span.before,
            "entries_not_read": source.before - span.before,
            "read_to": None if reached.at is None else format_moment(reached.at),
        }

    return Reading(rows=rows, lines=lines, summary=summary)


def _text(setting: DecisionSetting, form: Form) -> SettingText:
    """What all rows of a setting have in common, written once by the writer of rows."""
    head, tail = (_shared(columns, asdict(setting), form) for columns in (_HEAD, _TAIL))
    return SettingText(setting.setting_id, head, tail)


def _shared(columns: tuple[Column, ...], row: Row, form: Form) -> str:
    if form == "json":
        return json_row(columns, row).decode()[1:-1]
    return csv_row(columns, row).decode().removesuffix("\r\n") + ","


PERIOD_REGISTER: Final = Report(
    name="period-register",
    number=2,
    title="Period register: every decision of the period",
    takes=PERIOD | {"model"},
    columns=(*_FIRST, *_HEAD, _CODES, *_TAIL, *_LAST),
    rules=("reg-b-9", "reg-b-12-b", "ai-act-12", "ai-act-19"),
    read=_read,
)
