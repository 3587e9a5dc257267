"""Report 11: what was changed on which explanations rest: models, catalogues, schema, tokens, keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from reports.registers.listing import ENTRY_COLUMNS, MODEL_COLUMNS, SAID, listed, text_of
from reports.registers.period import period_of
from reports.registers.report import PERIOD, Asked, Column, Reading, Report, Row, Source

TYPES: Final = (
    *("model.registered", "model.approved", "model.retired", "model.catalogue_changed"),
    *("catalogue.registered", "schema.change", "token.issued", "token.revoked"),
)
KEY_PUBLISHED: Final = "key.published"


def _read(source: Source, asked: Asked) -> Reading:
    def rows() -> Iterator[Row]:
        for found, row in listed(source, asked, TYPES):
            body = found.entry.body
            yield {**row, "digest": text_of(body.get("manifest_digest") or body.get("digest"))}
        if asked.model is None:
            yield from _keys(source, asked)

    return Reading(rows=rows)


def _keys(source: Source, asked: Asked) -> Iterator[Row]:
    """Keys that were made known: they stand in a table of their own and are no entries."""
    start, end = period_of(asked, source.now)
    published = [key for key in source.log.verifier_keys() if start <= key.since < end]
    for key in sorted(published, key=lambda one: (one.since, one.vkey)):
        said = {"purpose": key.role, "vkey": key.vkey}
        yield {"recorded_at": key.since, "type": KEY_PUBLISHED, "said": said}


CHANGE_LOG: Final = Report(
    name="change-log",
    number=11,
    title="Change log: models, catalogues, schema, tokens, keys",
    takes=PERIOD | {"model"},
    columns=(
        *ENTRY_COLUMNS,
        *MODEL_COLUMNS,
        Column("digest", "text", "digest of the manifest, the catalogue or the migration"),
        SAID,
    ),
    rules=("sr-26-2", "21-cfr-11-10-e", "ai-act-12"),
    read=_read,
)
