"""Report 1: everything on record about one decision, with its proof.

One row per entry about it, in the order of the tree: the explanation itself, notices, reads, reviews, what
was found later; and at the end the evidence file, which proves the explanation without the service. Private
parts are opened, so the pull counts as a read. What was erased is said to be, and stays proved.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from typing import Final
from uuid import UUID

import orjson

from audit.canonical import JsonValue
from audit.entry import Appended, Entry
from audit.errors import EntryNotFound, PayloadErased
from audit.log import StoredEntry
from records.private import PrivatePartMalformed, parse_private, parse_supplement
from records.tree_entries import entries_concerning
from reports.registers.errors import ParameterRefused
from reports.registers.listing import ENTRY_COLUMNS, SAID, entry_row
from reports.registers.report import Asked, Cell, Column, Reading, Report, Row, Source

_CONTENT: Final = "content"
CREATED: Final = "explanation.created"
_PARSERS: Final = {CREATED: parse_private, "explanation.supplemented": parse_supplement}
_PARTS: Final = {
    CREATED: "decision",
    "explanation.supplemented": "supplement",
    "explanation.read": "read",
    "notice.read": "read",
    "explanation.reviewed": "review",
    "explanation.replayed": "replay",
    "incident.raised": "incident",
}


def _read(source: Source, asked: Asked) -> Reading:
    explanation_id = asked.explanation_id
    if explanation_id is None:
        raise ParameterRefused("explanation_id", "is needed: the record is that of one decision")
    _check(source, explanation_id)
    erased: list[UUID] = []

    def rows() -> Iterator[Row]:
        for found in entries_concerning(source.conn, explanation_id, source.before):
            stored = source.log.read(found.entry.entry_id)
            told = {**entry_row(found), "part": _part(found.entry.type), **_opened(source, stored)}
            if told["erased"]:
                erased.append(found.entry.entry_id)
            if source.form == "csv":
                told = {**told, "disclosed": _short(found.entry, told["disclosed"])}
            yield told
        yield _evidence(source, explanation_id, disclose=explanation_id not in erased)

    def summary() -> Mapping[str, JsonValue]:
        return {"erased": [str(one) for one in erased]}

    return Reading(rows=rows, summary=summary)


def _check(source: Source, explanation_id: UUID) -> None:
    """Refuse what is no explanation, and what has no proof yet."""
    stored = source.log.read(explanation_id)
    if stored.entry.type != CREATED:
        raise EntryNotFound("There is no explanation with this id.")
    if stored.index is None or stored.index >= source.before:
        raise ParameterRefused(
            "explanation_id", "is on record and not yet in the tree; try again in a second"
        )


def _part(kind: str) -> str:
    return _PARTS.get(kind, kind.partition(".")[0])


def _opened(source: Source, stored: StoredEntry) -> Row:
    """The private part with plain numbers where its format has them, or that it was erased."""
    if stored.entry.private is None:
        return {"disclosed": None, "erased": False}
    try:
        plain = source.log.open(stored)
    except PayloadErased:
        return {"disclosed": None, "erased": True}
    return {"disclosed": _plain(stored.entry.type, plain), "erased": False}


def _short(entry: Entry, disclosed: Cell) -> Cell:
    """Without the bytes of a letter, which no cell of a spreadsheet holds; by the digest they are known."""
    encoded = disclosed.get(_CONTENT) if isinstance(disclosed, Mapping) else None
    if not isinstance(disclosed, Mapping) or not isinstance(encoded, str):
        return disclosed
    content = base64.b64decode(encoded)
    told = {
        "entry_id": str(entry.entry_id),
        "media_type": entry.body.get("media_type"),
        "length": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    return {**disclosed, _CONTENT: told}


def _plain(kind: str, private: bytes) -> Cell:
    """By the format of its type; what does not follow it as it is, and what is no JSON as base64."""
    parse = _PARSERS.get(kind)
    try:
        return dict(parse(private)) if parse is not None else _loaded(private)
    except PrivatePartMalformed:
        return _loaded(private)


def _loaded(private: bytes) -> Cell:
    try:
        found: Cell = orjson.loads(private)
    except orjson.JSONDecodeError:
        return base64.b64encode(private).decode()
    return found


def _evidence(source: Source, explanation_id: UUID, *, disclose: bool) -> Row:
    """The evidence file as it would be downloaded: canonical bytes, proof, opening, receipt."""
    stored = source.log.read(explanation_id)
    entry = stored.entry
    promised = Appended(entry.entry_id, stored.leaf_hash, entry.time, duplicate=True)
    receipt = source.receipt(promised, stored.index)
    evidence = source.log.evidence(explanation_id, disclose=disclose, receipt=receipt)
    content = None if evidence is None else orjson.loads(evidence.to_bytes())
    return {"part": "evidence", "entry_id": explanation_id, "index": stored.index, "disclosed": content}


_DISCLOSED: Final = (
    "its private part, opened; of the evidence, the file itself. In CSV a letter is told by entry, media "
    "type, length and SHA-256 digest; its bytes are in the same report as JSON"
)

ADVERSE_ACTION_RECORD: Final = Report(
    name="adverse-action-record",
    number=1,
    title="Adverse-action record with proof",
    takes=frozenset({"explanation_id"}),
    needs=frozenset({"explanation_id"}),
    columns=(
        Column("part", "text", "what part of the record it is: the decision, a notice, a read, a review, …"),
        *ENTRY_COLUMNS,
        SAID,
        Column("disclosed", "json", _DISCLOSED),
        Column("erased", "boolean", "whether its private part was erased or has expired"),
    ),
    rules=("reg-b-9-a-2", "reg-b-12-b", "gdpr-15", "cjeu-c-203-22"),
    discloses=True,
    read=_read,
)
