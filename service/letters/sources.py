"""An explanation with all that a letter about it is written from, as it was when it went on record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import cast
from uuid import UUID

from audit.entry import Entry
from records.private import parse_private
from records.private_parts import PrivatePart
from records.reaching import transaction
from records.subjects import key_beside, subject_named
from registry import store
from registry.catalogues import read_catalogue
from registry.manifests import read_stored_manifest
from reports.letters.source import LetterSource
from service.context import Services
from service.errors import NotFound
from service.explanations.recalling import EXPLANATION


@dataclass(frozen=True, slots=True)
class Decrypted:
    """An explanation's entry and its private part."""

    entry: Entry
    part: PrivatePart

    @property
    def subject(self) -> str:
        """The name of the person's key, or of the decision's own."""
        return subject_named(
            str(self.entry.body["model"]), self.part["decision_id"], self.part["subject_ref"]
        )

    @property
    def beside(self) -> UUID | None:
        """The key beside which everything is kept that belongs to this explanation."""
        return key_beside(self.entry)

    @property
    def decided_at(self) -> datetime:
        """When it was decided: as the caller said, or else when it went on record."""
        told = (self.part.get("decided") or {}).get("at")
        return self.entry.time if told is None else datetime.fromisoformat(told)


def decrypt(services: Services, explanation_id: UUID) -> Decrypted:
    """Reads one explanation and opens it; raises `NotFound`, or `PayloadErased`."""
    stored = services.log.read(explanation_id)
    if stored.entry.type != EXPLANATION:
        raise NotFound("There is no explanation with this id.")
    return Decrypted(stored.entry, parse_private(services.log.open(stored)))


def source_of(services: Services, found: Decrypted) -> LetterSource:
    """What its letters are written from: the manifest and the catalogue that the entry names.

    The version may use another catalogue today; this decision was worded by that one.
    """
    body = found.entry.body
    catalogue = cast("Mapping[str, str]", body["catalogue"])
    with transaction(services.pool) as conn:
        manifest = read_stored_manifest(store.read_blob(conn, str(body["manifest_digest"]))).manifest
        words = read_catalogue(store.get_catalogue(conn, catalogue["name"], catalogue["version"]))
    return LetterSource(
        explanation_id=str(found.entry.entry_id),
        model=str(body["model"]),
        version=str(body["version"]),
        recorded_at=found.entry.time,
        body=body,
        part=found.part,
        manifest=manifest,
        words=words,
    )
