"""Registering a model version: examined in full, then stored together with its entry."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from audit.canonical import JsonValue
from audit.entry import Draft
from audit.receipt import Receipt
from explain.errors import AttributionUnreconciled, ModelUnsupported
from records.reaching import transaction
from registry import store
from registry.binding import chosen_catalogue
from registry.catalogues import Catalogue
from registry.digests import digest_of
from registry.manifests import ParsedManifest, parse_manifest
from registry.preparing import identity_of
from registry.version_row import VersionContent
from runtime.postgres import Connection
from service.context import Services
from service.explanations.recalling import receipt_of
from service.explanations.record import CODE_VERSION

REGISTERED = "model.registered"


@dataclass(frozen=True, slots=True)
class Upload:
    """The three parts of a registration, as they came."""

    manifest: bytes
    manifest_type: str | None
    artifact: bytes
    reference: bytes
    reference_type: str | None


@dataclass(frozen=True, slots=True)
class Registered:
    """A version that is registered, and the promise about its entry."""

    model: str
    version: str
    receipt: Receipt


class _Overtaken(Exception):
    """Another registration of the same version was faster: the entry just written must not stay."""


def register(services: Services, upload: Upload, actor: str) -> Registered:
    """Examines and stores a version; the same upload again returns the first registration.

    Slow (seconds): the gate probes the model against brute force, in a process of its own. Raises what
    `Examiner.examine` raises, `ManifestInvalid` where the catalogue that it names is unknown or contradicts
    it, and `VersionConflict` if the version is registered with other content.
    """
    parsed = parse_manifest(upload.manifest, upload.manifest_type)
    identity = identity_of(parsed, upload.artifact, upload.reference)
    with transaction(services.pool) as conn:
        same = store.find_same(conn, identity)
        catalogue = chosen_catalogue(conn, parsed.manifest) if same is None else None
    if same is None:
        entry_id = _registered(services, parsed, upload, actor, catalogue)
    else:
        entry_id = same.registered_entry
    receipt = receipt_of(services, services.log.read(entry_id))
    return Registered(identity.model, identity.version, receipt)


def _registered(
    services: Services, parsed: ParsedManifest, upload: Upload, actor: str, catalogue: Catalogue | None
) -> UUID:
    content = _examined(services, parsed, upload, catalogue)
    try:
        with transaction(services.pool) as conn:
            return _store(services, conn, content, actor)
    except _Overtaken:
        with transaction(services.pool) as conn:
            return _store(services, conn, content, actor)


def _examined(
    services: Services, parsed: ParsedManifest, upload: Upload, catalogue: Catalogue | None
) -> VersionContent:
    try:
        return services.examiner.examine(
            parsed, upload.artifact, upload.reference, upload.reference_type, catalogue
        )
    except AttributionUnreconciled as error:
        # In service this is our failure; at the gate it is the model that cannot be explained exactly.
        raise ModelUnsupported("attributions that do not add up to the native margin") from error


def _store(services: Services, conn: Connection, content: VersionContent, actor: str) -> UUID:
    """The entry and the version in one transaction; the first entry where the version is there already."""
    same = store.find_same(conn, content.identity)
    if same is not None:
        return same.registered_entry
    now = services.clock.now()
    appended = services.log.append_one(Draft(type=REGISTERED, actor=actor, body=_body(content)), now, conn)
    if not store.insert_version(conn, content, entry_id=appended.entry_id, now=now):
        raise _Overtaken
    return appended.entry_id


def _body(content: VersionContent) -> dict[str, JsonValue]:
    identity, catalogue = content.identity, content.catalogue
    return {
        "model": identity.model,
        "version": identity.version,
        "family": content.family,
        "profile": content.profile,
        "manifest_digest": identity.manifest_digest,
        "model_digest": identity.artifact_digest,
        "uploaded_digest": identity.uploaded_digest,
        "reference_digest": content.reference_digest,
        "catalogue": {"name": catalogue.name, "version": catalogue.version, "digest": catalogue.digest},
        "capability_digest": digest_of(content.capability),
        "code_version": CODE_VERSION,
    }
