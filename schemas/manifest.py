"""Manifest, version 1: what a model is, what its inputs mean and how its decisions are explained."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from schemas.manifest_checks import contradictions
from schemas.manifest_sections import ManifestSections
from schemas.problem import refusal


class Manifest(ManifestSections):
    """The manifest of one model version (`ofrecord/v1`)."""

    @model_validator(mode="after")
    def _agree(self) -> Self:
        """Check what no single field can say, each finding at its own place."""
        found = contradictions(self)
        if found:
            raise refusal("Manifest", found)
        return self
