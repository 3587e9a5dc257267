"""Manifests: from bytes to a checked document with canonical bytes and a digest."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ValidationError

from explain.counterfactual.constraints.formulas import empty_formulas
from explain.errors import ConstraintError, FieldError
from registry.conversions import constraints_of, space_of
from registry.digests import canonical_json, digest_of
from registry.documents import DocumentError, read_document, read_json
from registry.errors import ManifestInvalid
from registry.lints import lint_reasons
from schemas.manifest import Manifest
from schemas.problem import PointedError, pointed_errors

SIZE_LIMIT = 2 * 1024 * 1024
SECTION = "/counterfactuals"


@dataclass(frozen=True, slots=True)
class ParsedManifest:
    """A valid manifest with the bytes its digest is over."""

    manifest: Manifest
    canonical: bytes
    digest: str


def parse_manifest(data: bytes, content_type: str | None = None) -> ParsedManifest:
    """Parse and check a manifest in JSON or YAML.

    Without a telling content type, a document that begins with a brace is JSON. Equal manifests have equal
    canonical bytes: the order of keys, the notation, and defaults that are spelled out do not matter. Raises
    ManifestInvalid.
    """
    try:
        manifest = Manifest.model_validate(read_document(data, content_type, SIZE_LIMIT))
    except DocumentError as error:
        raise ManifestInvalid(error.errors) from error
    except ValidationError as error:
        raise ManifestInvalid(pointed_errors(error)) from error
    if insufficient := tuple(lint_reasons(manifest)):
        raise ManifestInvalid(insufficient)
    try:
        constraints = constraints_of(manifest, space_of(manifest))
    except ConstraintError as error:
        raise ManifestInvalid(_pointed(error)) from error
    if empty := empty_formulas(constraints):
        raise ManifestInvalid(_pointed(ConstraintError(errors=empty)))
    canonical = canonical_json(manifest.model_dump(exclude_defaults=True))
    return ParsedManifest(manifest, canonical, digest_of(canonical))


def _pointed(error: ConstraintError) -> tuple[PointedError, ...]:
    """Say where in the manifest the constraints contradict."""
    faults = error.errors or (FieldError("", str(error)),)
    return tuple(PointedError(pointer=SECTION + fault.pointer, detail=fault.detail) for fault in faults)


def read_stored_manifest(canonical: bytes) -> ParsedManifest:
    """Read back a manifest that was accepted once; texts are not linted again."""
    manifest = Manifest.model_validate(read_json(canonical.decode()))
    return ParsedManifest(manifest, canonical, digest_of(canonical))
