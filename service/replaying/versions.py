"""The version that decided, by the digests its entry names, and whether the registry still holds it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from records.reaching import transaction
from registry import store
from registry.digests import digest_of
from registry.errors import CatalogueUnknown, ModelUnknown, VersionUnknown
from registry.store import Conn
from registry.version_row import ReferenceKind, ServingRow
from runtime.postgres import Pool
from service.replaying.recorded import Recorded

_COLUMNS = {
    "manifest_digest": "manifest_digest",
    "model_digest": "artifact_digest",
    "reference_digest": "reference_digest",
}


def named_version(recorded: Recorded) -> Mapping[str, object]:
    """Model, version and digests, as the entry names them."""
    body = recorded.entry.body
    return {
        "model": body["model"],
        "version": body["version"],
        **{name: body[name] for name in _COLUMNS},
        "catalogue": dict(recorded.catalogue),
    }


def stored_version(pool: Pool, recorded: Recorded) -> Mapping[str, object]:
    """The same as the registry holds it: a digest is that of the bytes, read again; null for what is gone.

    Where the version is registered with another part than the recorded one, that part's digest is told.
    """
    body, catalogue = recorded.entry.body, recorded.catalogue
    with transaction(pool) as conn:
        row = _row(conn, recorded)
        found = store.stored_digests(conn, [str(body[name]) for name in _COLUMNS])
        told: dict[str, object] = {
            "model": None if row is None else row.model,
            "version": None if row is None else row.version,
        }
        for name, column in _COLUMNS.items():
            named, registered = str(body[name]), None if row is None else getattr(row, column)
            told[name] = found[named] if registered in (None, named) else registered
        told["catalogue"] = _catalogue(conn, catalogue["name"], catalogue["version"])
    return told


def row_of(recorded: Recorded) -> ServingRow:
    """What loading it needs, all of it from the entry."""
    body, reference = recorded.entry.body, recorded.part["attribution"]["reference"]
    return ServingRow(
        model=recorded.model,
        version=recorded.version,
        manifest_digest=str(body["manifest_digest"]),
        artifact_digest=str(body["model_digest"]),
        uploaded_digest="",
        reference_digest=str(body["reference_digest"]),
        reference_kind=cast("ReferenceKind", reference["kind"]),
        reference_band=reference.get("band"),
        catalogue_name=recorded.catalogue["name"],
        catalogue_version=recorded.catalogue["version"],
        status="retired",
    )


def _row(conn: Conn, recorded: Recorded) -> ServingRow | None:
    try:
        return store.serving_row(conn, recorded.model, recorded.version)
    except (ModelUnknown, VersionUnknown):
        return None


def _catalogue(conn: Conn, name: str, version: str) -> Mapping[str, object] | None:
    try:
        catalogue = store.get_catalogue(conn, name, version)
    except CatalogueUnknown:
        return None
    return {"name": catalogue.name, "version": catalogue.version, "digest": digest_of(catalogue.body)}
