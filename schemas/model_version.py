"""Registered model versions: inventory, capability report, approval."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, JsonValue

from schemas.base import ONE_LINE, PROSE, Digest, Many, Moment, ResourceName, Wire
from schemas.log import Receipt
from schemas.manifest_sections import Family, Profile, ReferenceKind

VersionStatus = Literal["registered", "approved", "retired"]


class RegisteredReference(Wire):
    """The frozen rows that attributions compare with."""

    digest: Digest = Field(description="digest of the selected rows")
    uploaded_digest: Digest = Field(description="digest of the rows as uploaded")
    kind: ReferenceKind = Field(description="how rows were selected")
    rows: int = Field(ge=1, description="how many rows were selected")
    band: float | None = Field(default=None, description="the band around the threshold that was really used")


class RegisteredCatalogue(Wire):
    """The reason texts of a model version."""

    name: str = Field(description="the catalogue")
    version: str = Field(description="its version")
    digest: Digest = Field(description="digest of its canonical texts")


class CatalogueChange(Wire):
    """One change of the catalogue that words a version's reasons."""

    name: str = Field(description="the new catalogue")
    version: str = Field(description="its version")
    at: Moment = Field(description="when")
    by: str = Field(description="who")
    note: str | None = Field(default=None, description="why")


class StatusChange(Wire):
    """One change of a version's status."""

    status: VersionStatus = Field(description="the new status")
    at: Moment = Field(description="when")
    by: str = Field(description="who")
    note: str | None = Field(default=None, description="why")


class ModelVersion(Wire):
    """One registered version of a model."""

    model: ResourceName = Field(description="the model")
    version: ResourceName = Field(description="the version")
    family: Family = Field(description="the kind of artifact")
    profile: Profile = Field(description="the rules it lives under")
    purpose: str = Field(description="what it decides")
    status: VersionStatus = Field(description="only approved versions serve")
    created_at: Moment = Field(description="when it was registered")
    manifest_digest: Digest = Field(description="digest of the canonical manifest")
    artifact_digest: Digest = Field(description="digest of the artifact's bytes")
    reference: RegisteredReference = Field(description="the rows that attributions compare with")
    catalogue: RegisteredCatalogue = Field(description="the reason texts")
    capability: dict[str, JsonValue] = Field(
        description="what the registration gate measured; `reason_stability` says how often the same reasons "
        "come back when the reference is drawn anew, `warnings` what an owner should look at, "
        "`constraint_checks` how many uploaded rows contradict each constraint on counterfactuals"
    )
    history: Many[StatusChange] = Field(default=(), description="changes of status, oldest first")
    catalogue_history: Many[CatalogueChange] = Field(
        default=(), description="changes of the catalogue since the registration, oldest first"
    )
    manifest: dict[str, JsonValue] | None = Field(
        default=None, description="the manifest, when one version is asked for"
    )
    receipt: Receipt | None = Field(default=None, description="of the change just made")


class ModelSummary(Wire):
    """One model with its versions."""

    model: ResourceName = Field(description="the model")
    approved_version: ResourceName | None = Field(
        description="the version that serves now; null when none does"
    )
    versions: Many[ModelVersion] = Field(description="newest first")


class ModelList(Wire):
    """A page of the inventory."""

    models: Many[ModelSummary] = Field(description="in order of name")
    next_cursor: str | None = Field(
        default=None, description="ask with it for the next page; null on the last"
    )


class ApprovalRequest(Wire):
    """Approve or retire a model version."""

    status: Literal["approved", "retired"] = Field(description="approval retires the version approved before")
    by: str = Field(max_length=200, pattern=ONE_LINE, description="who takes the decision")
    note: str | None = Field(default=None, max_length=2000, pattern=PROSE, description="why")
