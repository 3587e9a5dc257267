"""Report 11: what was changed on which explanations rest, and what had to be looked at.

Models, catalogues, schema, tokens and keys; and every incident and every review by a person.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final

from audit.known_keys import VerifierKey
from reports.registers.listing import ENTRY_COLUMNS, EXPLANATION, MODEL_COLUMNS, SAID, listed, text_of
from reports.registers.period import period_of
from reports.registers.report import PERIOD, Asked, Column, Reading, Report, Row, Source

TYPES: Final = (
    *("model.registered", "model.approved", "model.retired", "model.catalogue_changed"),
    *("catalogue.registered", "schema.change", "token.issued", "token.revoked"),
    *("incident.raised", "explanation.reviewed"),
)
KEY_PUBLISHED: Final = "key.published"
_IN_TREE: Final = (
    "whether it is an entry of the tree; false for `key.published`: keys stand in a table beside the log, "
    "and no checkpoint covers when they were made known"
)


def _read(source: Source, asked: Asked) -> Reading:
    def rows() -> Iterator[Row]:
        keys = deque(_keys(source, asked))
        for found, row in listed(source, asked, TYPES):
            while keys and keys[0].since <= found.entry.time:
                yield _published(keys.popleft())
            body = found.entry.body
            yield {
                **row,
                "in_tree": True,
                "kind": text_of(body.get("kind")),
                "outcome": text_of(body.get("outcome")),
                "digest": text_of(body.get("manifest_digest") or body.get("digest")),
            }
        yield from map(_published, keys)

    return Reading(rows=rows)


def _keys(source: Source, asked: Asked) -> list[VerifierKey]:
    """Keys that were made known in the period, the oldest first; they are of no model."""
    if asked.model is not None:
        return []
    start, end = period_of(asked, source.now)
    published = [key for key in source.log.verifier_keys() if start <= key.since < end]
    return sorted(published, key=lambda one: (one.since, one.vkey))


def _published(key: VerifierKey) -> Row:
    said = {"purpose": key.role, "vkey": key.vkey}
    return {"recorded_at": key.since, "type": KEY_PUBLISHED, "in_tree": False, "said": said}


CHANGE_LOG: Final = Report(
    name="change-log",
    number=11,
    title="Change log: models, catalogues, schema, tokens, keys, incidents, reviews",
    takes=PERIOD | {"model"},
    columns=(
        *ENTRY_COLUMNS,
        Column("in_tree", "boolean", _IN_TREE),
        EXPLANATION,
        *MODEL_COLUMNS,
        Column("kind", "text", "of an incident or a review: which kind"),
        Column("outcome", "text", "of a review: the outcome that it set"),
        Column("digest", "text", "digest of the manifest, the catalogue or the migration"),
        SAID,
    ),
    rules=("sr-26-2", "21-cfr-11-10-e", "ai-act-12"),
    read=_read,
)
