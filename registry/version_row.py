"""Registered versions as plain data: what is stored, and what is about to be."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal
from uuid import UUID

from registry.catalogues import Catalogue

ReferenceKind = Literal["near_cutoff_approved", "all_applicants", "given"]
VersionStatus = Literal["registered", "approved", "retired"]


@dataclass(frozen=True, slots=True)
class VersionIdentity:
    """What makes two registrations the same one."""

    model: str
    version: str
    manifest_digest: str
    artifact_digest: str
    uploaded_digest: str


@dataclass(frozen=True, slots=True)
class VersionContent:
    """Everything that is stored about a version when it is registered; `capability` is canonical JSON."""

    identity: VersionIdentity
    family: str
    profile: str
    reference_digest: str
    reference_kind: str
    reference_rows: int
    reference_band: float | None
    catalogue: Catalogue
    capability: bytes
    blobs: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class VersionKey:
    """What a loaded version is made of; the same key always loads the same version."""

    model: str
    version: str
    manifest_digest: str
    artifact_digest: str
    reference_digest: str
    catalogue: tuple[str, str]

    @property
    def without_words(self) -> VersionKey:
        """The same, whatever catalogue words its reasons."""
        return replace(self, catalogue=("", ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingRow:
    """The part of a version that serving needs, and nothing heavier."""

    model: str
    version: str
    manifest_digest: str
    artifact_digest: str
    uploaded_digest: str
    reference_digest: str
    reference_kind: ReferenceKind
    reference_band: float | None
    catalogue_name: str
    catalogue_version: str
    status: VersionStatus

    @property
    def key(self) -> VersionKey:
        """What the version is made of."""
        return VersionKey(
            self.model,
            self.version,
            self.manifest_digest,
            self.artifact_digest,
            self.reference_digest,
            (self.catalogue_name, self.catalogue_version),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRow:
    """One registered version, as stored."""

    model: str
    version: str
    manifest_digest: str
    artifact_digest: str
    uploaded_digest: str
    reference_digest: str
    reference_kind: ReferenceKind
    reference_rows: int
    reference_band: float | None
    family: str
    profile: str
    catalogue_name: str
    catalogue_version: str
    catalogue_digest: str
    capability: bytes
    registered_entry: UUID
    created_at: datetime
    status: VersionStatus

    @property
    def identity(self) -> VersionIdentity:
        """What makes a registration the same as this one."""
        return VersionIdentity(
            self.model, self.version, self.manifest_digest, self.artifact_digest, self.uploaded_digest
        )


@dataclass(frozen=True, slots=True)
class StatusRow:
    """One change of a version's status."""

    version: str
    status: VersionStatus
    changed_at: datetime
    changed_by: str
    note: str | None
    entry_id: UUID


@dataclass(frozen=True, slots=True)
class StatusOutcome:
    """What a change of status did: the versions that were retired by it, and whether anything changed."""

    changed: bool
    retired: tuple[str, ...]
