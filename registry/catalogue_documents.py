"""Catalogues as they are sent: from bytes to a checked document with canonical bytes and a digest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from registry.catalogues import Catalogue, catalogue_of
from registry.documents import DocumentError, read_document
from registry.errors import CatalogueInvalid
from registry.lints import lint_catalogue, lint_signs
from registry.shipped import seeds
from schemas.catalogue import CatalogueDocument
from schemas.catalogue_checks import SEED_LANGUAGE, Location
from schemas.problem import PointedError, pointed_errors, pointer

SIZE_LIMIT = 2 * 1024 * 1024


def parse_catalogue(data: bytes, content_type: str | None = None) -> Catalogue:
    """Parse and check a catalogue in JSON or YAML.

    Seeds are written out, so that what is stored stands alone. Equal catalogues have equal canonical bytes,
    as manifests do. Raises CatalogueInvalid.
    """
    try:
        document = CatalogueDocument.model_validate(read_document(data, content_type, SIZE_LIMIT))
    except DocumentError as error:
        raise CatalogueInvalid(error.errors) from error
    except ValidationError as error:
        raise CatalogueInvalid(pointed_errors(error)) from error
    if "@" in document.name:
        raise CatalogueInvalid(
            [PointedError(pointer="/name", detail="has an @, which is for the texts inside a manifest")]
        )
    complete = _written_out(document)
    if faults := (*lint_signs(complete), *lint_catalogue(complete)):
        raise CatalogueInvalid(faults)
    return catalogue_of(complete)


def _written_out(document: CatalogueDocument) -> CatalogueDocument:
    """Put the English text of each seed in its place."""
    plain = document.model_dump(exclude_defaults=True)
    faults = []
    for at, holder in _seeded(plain):
        texts = holder.setdefault("texts", {})
        text = seeds().get(holder["seed"])
        if text is None:
            faults.append(PointedError(pointer=pointer((*at, "seed")), detail="is no seed that is shipped"))
        elif texts.setdefault(SEED_LANGUAGE, text) != text:
            where = pointer((*at, "texts", SEED_LANGUAGE))
            faults.append(
                PointedError(pointer=where, detail="is not the seed's own text; leave one of them out")
            )
    if faults:
        raise CatalogueInvalid(faults)
    return CatalogueDocument.model_validate(plain)


def _seeded(plain: dict[str, Any]) -> Iterator[tuple[Location, dict[str, Any]]]:
    """Find what may hold texts and names a seed."""
    for index, factor in enumerate(plain.get("factors", ())):
        for place, wording in enumerate(factor["wordings"]):
            if "seed" in wording:
                yield ("factors", index, "wordings", place), wording
    for index, component in enumerate(plain.get("components", ())):
        if "seed" in component:
            yield ("components", index), component
