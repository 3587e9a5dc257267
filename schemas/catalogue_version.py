"""Registered reason catalogues, and which one words the reasons of a model version."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, JsonValue

from schemas.base import ONE_LINE, PROSE, Digest, Many, Moment, ResourceName, Wire
from schemas.catalogue_sections import CatalogueId
from schemas.log import Receipt

CatalogueSource = Literal["registered", "inline", "shipped"]


class CatalogueVersion(Wire):
    """One version of a reason catalogue."""

    name: CatalogueId = Field(description="the catalogue")
    version: ResourceName = Field(description="the version")
    digest: Digest = Field(description="digest of its canonical document")
    source: CatalogueSource = Field(
        description="registered by itself, inside a manifest, or shipped with the product"
    )
    created_at: Moment | None = Field(
        default=None, description="when it was registered; null for a shipped one"
    )
    document: dict[str, JsonValue] | None = Field(
        default=None, description="its words, when one version is asked for"
    )
    receipt: Receipt | None = Field(default=None, description="of the registration just made")


class CatalogueSummary(Wire):
    """One catalogue with its versions."""

    name: CatalogueId = Field(description="the catalogue")
    versions: Many[CatalogueVersion] = Field(description="newest first")


class CatalogueList(Wire):
    """A page of catalogues."""

    catalogues: Many[CatalogueSummary] = Field(description="in order of name")
    next_cursor: str | None = Field(
        default=None, description="ask with it for the next page; null on the last"
    )


class CatalogueBinding(Wire):
    """Let another catalogue word the reasons of a model version."""

    name: CatalogueId = Field(description="the catalogue; it must word every factor of the version")
    version: ResourceName = Field(description="its version")
    by: str = Field(max_length=200, pattern=ONE_LINE, description="who takes the decision")
    note: str | None = Field(default=None, max_length=2000, pattern=PROSE, description="why")
