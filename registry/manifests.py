"""Manifests: from bytes to a checked document with canonical bytes and a digest."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ValidationError

from registry.digests import canonical_json, digest_of
from registry.documents import DocumentError, Plain, read_json, read_yaml
from registry.errors import ManifestInvalid
from registry.lints import lint_reasons
from schemas.manifest import Manifest
from schemas.problem import PointedError, pointed_errors

SIZE_LIMIT = 2 * 1024 * 1024
JSON_TYPES = frozenset({"application/json", "text/json"})
YAML_TYPES = frozenset({"application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml"})


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
        manifest = Manifest.model_validate(_read(data, content_type))
    except DocumentError as error:
        raise ManifestInvalid(error.errors) from error
    except ValidationError as error:
        raise ManifestInvalid(pointed_errors(error)) from error
    if insufficient := tuple(lint_reasons(manifest)):
        raise ManifestInvalid(insufficient)
    canonical = canonical_json(manifest.model_dump(exclude_defaults=True))
    return ParsedManifest(manifest, canonical, digest_of(canonical))


def read_stored_manifest(canonical: bytes) -> ParsedManifest:
    """Read back a manifest that was accepted once; texts are not linted again."""
    manifest = Manifest.model_validate(read_json(canonical.decode()))
    return ParsedManifest(manifest, canonical, digest_of(canonical))


def _read(data: bytes, content_type: str | None) -> Plain:
    if len(data) > SIZE_LIMIT:
        raise ManifestInvalid([PointedError(pointer="", detail=f"is larger than {SIZE_LIMIT} bytes")])
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DocumentError((), f"is not UTF-8 (byte {error.start})") from error
    kind = (content_type or "").partition(";")[0].strip().lower()
    if kind in JSON_TYPES or (kind not in YAML_TYPES and text.lstrip().startswith("{")):
        return read_json(text)
    return read_yaml(text)
