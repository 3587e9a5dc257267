"""Reason catalogue, version 1: the words for each factor, in each language, by what was observed."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from schemas.catalogue_checks import contradictions
from schemas.catalogue_sections import CatalogueSections
from schemas.problem import refusal


class CatalogueDocument(CatalogueSections):
    """One version of a reason catalogue (`ofrecord/catalogue-v1`)."""

    @model_validator(mode="after")
    def _agree(self) -> Self:
        """Check what no single field can say, each finding at its own place."""
        found = tuple(contradictions(self))
        if found:
            raise refusal("CatalogueDocument", found)
        return self
