"""The catalogue that comes with the product: the words of Regulation B's own sample forms.

It is read from the package and not stored by a migration: it is a part of the release like the code that
uses it, its digest is in the release, and a migration would be a second copy that could differ. A version
that names it gets it stored beside itself, so that its record stands alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

from registry.catalogues import Catalogue, catalogue_of
from registry.documents import read_yaml
from schemas.catalogue import CatalogueDocument

APPENDIX_C = "regulation-b-appendix-c"
_FILE = Path(__file__).parent / "seeds" / "regulation_b_appendix_c.yaml"


@cache
def shipped() -> Mapping[str, Catalogue]:
    """Return the shipped catalogues by name; nobody may register one under such a name."""
    return MappingProxyType({APPENDIX_C: catalogue_of(_document())})


@cache
def seeds() -> Mapping[str, str]:
    """Return the English text of each seed, by the name of its factor."""
    return MappingProxyType({factor.name: factor.wordings[0].texts["en"] for factor in _document().factors})


@cache
def _document() -> CatalogueDocument:
    return CatalogueDocument.model_validate(read_yaml(_FILE.read_text("utf-8")))
