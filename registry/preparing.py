"""Preparing a registration: everything that would go wrong in production is to go wrong here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from explain.reference import Reference, select_reference
from registry.catalogues import Catalogue, inline_catalogue
from registry.cells import FloatArray
from registry.conversions import band_of
from registry.coverage import gaps
from registry.digests import canonical_json, digest_of
from registry.loaded_version import TABLE_BYTES, LoadedVersion, Understood, assemble, understand
from registry.manifests import ParsedManifest
from registry.observing import observed
from registry.references import read_reference
from registry.version_row import VersionContent, VersionIdentity
from schemas.manifest import Manifest


@dataclass(frozen=True, slots=True, eq=False)
class PreparedVersion:
    """A version that may be registered: what is stored, and the same loaded."""

    content: VersionContent
    loaded: LoadedVersion


def prepare_version(
    parsed: ParsedManifest,
    artifact: bytes,
    uploaded: bytes,
    uploaded_type: str | None,
    *,
    cache_dir: Path | None,
    table_bytes: int = TABLE_BYTES,
    catalogue: Catalogue | None = None,
) -> PreparedVersion:
    """Load the model, select its reference, and let the gate examine both. Slow: seconds.

    `catalogue` is the one that the manifest names; None for the texts that it carries itself.
    Raises ReferenceInvalid or ReferenceContradiction, or from the explanation core ModelUnsupported,
    ModelCorrupt, ManifestContradiction, ReferenceTooSmall, ConstraintError or AttributionUnreconciled.
    """
    manifest = parsed.manifest
    understood = understand(parsed, artifact)  # first: it refuses a broken artifact before anything heavy
    rows = read_reference(uploaded, uploaded_type, manifest)
    observation = observed(understood.constraints, rows, understood.factors)
    reference = _selected(understood, manifest, rows)
    loaded = assemble(
        understood,
        reference,
        uploaded_digest=digest_of(uploaded),
        catalogue=catalogue or _own_words(manifest),
        cache_dir=cache_dir,
        table_bytes=table_bytes,
    )
    from registry.measuring import measure  # noqa: PLC0415  pulls the compiler: seconds

    measured = measure(loaded, rows, observation)
    capability = canonical_json({**measured, **gaps(manifest, loaded.words)})
    content = content_of(
        parsed, artifact, uploaded, reference, capability=capability, catalogue=loaded.catalogue
    )
    return PreparedVersion(content, loaded)


def content_of(
    parsed: ParsedManifest,
    artifact: bytes,
    uploaded: bytes,
    reference: Reference,
    *,
    capability: bytes,
    catalogue: Catalogue,
) -> VersionContent:
    """Put together what is stored about a version; `capability` is the gate's canonical report."""
    manifest = parsed.manifest
    return VersionContent(
        identity=identity_of(parsed, artifact, uploaded),
        family=manifest.family,
        profile=manifest.profile,
        reference_digest=reference.digest,
        reference_kind=reference.kind,
        reference_rows=len(reference.rows),
        reference_band=reference.band,
        catalogue=catalogue,
        capability=capability,
        blobs=(parsed.canonical, artifact, uploaded, reference.to_bytes()),
    )


def identity_of(parsed: ParsedManifest, artifact: bytes, uploaded: bytes) -> VersionIdentity:
    """Name a registration by what was uploaded, before anything of it is examined."""
    manifest = parsed.manifest
    return VersionIdentity(
        manifest.model, manifest.version, parsed.digest, digest_of(artifact), digest_of(uploaded)
    )


def _selected(understood: Understood, manifest: Manifest, rows: FloatArray) -> Reference:
    """Select the reference from the uploaded rows, of shape (rows, features), as the manifest says."""
    wanted = manifest.reference
    return select_reference(
        understood.model,
        understood.rule,
        rows,
        wanted.kind,
        band_of(manifest),
        minimum_rows=wanted.minimum_rows,
    )


def _own_words(manifest: Manifest) -> Catalogue:
    if manifest.catalogue is not None:
        raise ValueError("the manifest names a catalogue, and none was given")
    return inline_catalogue(manifest)
