"""What the log holds of one explanation: its entry, its supplements, its letters; all of it decrypted."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

import orjson

from audit.entry import Entry
from audit.errors import PayloadErased
from audit.log import AuditLog, StoredEntry
from records.lifecycle import RENDERED
from records.private import parse_private, parse_supplement
from records.private_parts import PrivatePart, SupplementPart
from records.reviews import CountedReview
from records.subjects import key_beside
from service.errors import NotFound
from service.explanations.recalling import EXPLANATION
from service.explanations.supplementing import SUPPLEMENT
from service.letters.reviewed import told_in


@dataclass(frozen=True, slots=True)
class RecordedSupplement:
    """What a worker found later; None where its own payload is gone."""

    entry: Entry
    part: SupplementPart | None


@dataclass(frozen=True, slots=True)
class RecordedLetter:
    """A letter as it was first rendered; its bytes are None where its own payload is gone.

    `reviews` are those that it tells.
    """

    entry: Entry
    content: bytes | None
    reviews: tuple[CountedReview, ...] = ()


@dataclass(frozen=True, slots=True)
class Recorded:
    """One explanation as it is on record; `written` are the bytes of its private part."""

    entry: Entry
    written: bytes
    part: PrivatePart
    supplements: tuple[RecordedSupplement, ...]
    letters: tuple[RecordedLetter, ...]

    @property
    def explanation_id(self) -> UUID:
        """The explanation; the same as its entry."""
        return self.entry.entry_id

    @property
    def model(self) -> str:
        """The model that decided."""
        return str(self.entry.body["model"])

    @property
    def version(self) -> str:
        """Its version."""
        return str(self.entry.body["version"])

    @property
    def catalogue(self) -> Mapping[str, str]:
        """Name, version and digest of the catalogue that worded the reasons."""
        return cast("Mapping[str, str]", self.entry.body["catalogue"])

    @property
    def beside(self) -> UUID | None:
        """The key beside which everything is kept that belongs to this explanation."""
        return key_beside(self.entry)


def read_recorded(log: AuditLog, explanation_id: UUID) -> Recorded:
    """Reads and opens everything; raises `NotFound`, `PayloadErased`, `KeyMissing` or `IntegrityHalt`."""
    stored = log.read(explanation_id)
    if stored.entry.type != EXPLANATION:
        raise NotFound("There is no explanation with this id.")
    written = log.open(stored)
    return Recorded(
        entry=stored.entry,
        written=written,
        part=parse_private(written),
        supplements=tuple(_supplement(log, one) for one in log.about(explanation_id, SUPPLEMENT)),
        letters=tuple(_letter(log, one) for one in log.about(explanation_id, RENDERED)),
    )


def _supplement(log: AuditLog, stored: StoredEntry) -> RecordedSupplement:
    written = _opened(log, stored)
    return RecordedSupplement(stored.entry, None if written is None else parse_supplement(written))


def _letter(log: AuditLog, stored: StoredEntry) -> RecordedLetter:
    written = _opened(log, stored)
    if written is None:
        return RecordedLetter(stored.entry, None)
    private: dict[str, Any] = orjson.loads(written)
    return RecordedLetter(stored.entry, base64.b64decode(private["content"]), told_in(log, stored.entry))


def _opened(log: AuditLog, stored: StoredEntry) -> bytes | None:
    try:
        return log.open(stored)
    except PayloadErased:
        return None
