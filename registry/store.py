"""Model versions in PostgreSQL; every function works in a transaction that the caller commits."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

from psycopg import Connection, errors
from psycopg.rows import TupleRow, class_row

from registry.catalogues import Catalogue
from registry.digests import digest_of
from registry.errors import (
    BlobDamaged,
    BlobMissing,
    CatalogueUnknown,
    ModelUnknown,
    NotApproved,
    StatusRefused,
    VersionConflict,
    VersionUnknown,
)
from registry.queries import queries
from registry.shipped import shipped
from registry.version_row import (
    ServingRow,
    StatusOutcome,
    StatusRow,
    VersionContent,
    VersionIdentity,
    VersionRow,
)

Conn = Connection[TupleRow]

_PARTS = {"manifest_digest": "manifest", "artifact_digest": "artifact", "uploaded_digest": "reference"}


def find_same(conn: Conn, identity: VersionIdentity) -> VersionRow | None:
    """Return the version if it is registered just so; VersionConflict if with other content."""
    row = _find(conn, identity.model, identity.version)
    if row is None:
        return None
    if differing := [
        what for field, what in _PARTS.items() if getattr(row.identity, field) != getattr(identity, field)
    ]:
        raise VersionConflict(identity.model, identity.version, differing)
    return row


def insert_version(conn: Conn, content: VersionContent, *, entry_id: UUID, now: datetime) -> bool:
    """Register a version with everything it is made of; False if it is registered already, exactly so.

    When another transaction is registering the same version, this waits for it. Raises VersionConflict.
    """
    identity, catalogue = content.identity, content.catalogue
    for digest, blob in sorted((digest_of(blob), blob) for blob in content.blobs):
        conn.execute(queries()["insert_blob"], {"digest": digest, "content": blob})
    if find_same(conn, identity) is not None:
        return False
    _require_catalogue(conn, identity, catalogue, now)
    inserted = conn.execute(
        queries()["insert_version"],
        {
            "model": identity.model,
            "version": identity.version,
            "manifest_digest": identity.manifest_digest,
            "artifact_digest": identity.artifact_digest,
            "uploaded_digest": identity.uploaded_digest,
            "reference_digest": content.reference_digest,
            "reference_kind": content.reference_kind,
            "reference_rows": content.reference_rows,
            "reference_band": content.reference_band,
            "family": content.family,
            "profile": content.profile,
            "catalogue_name": catalogue.name,
            "catalogue_version": catalogue.version,
            "capability": content.capability,
            "registered_entry": entry_id,
            "created_at": now,
        },
    )
    if inserted.rowcount == 1:
        return True
    find_same(conn, identity)
    return False


def insert_catalogue(conn: Conn, catalogue: Catalogue, *, entry_id: UUID | None, now: datetime) -> bool:
    """Store a catalogue; False if this version of it is stored already, whatever it holds."""
    parameters = {
        "name": catalogue.name,
        "version": catalogue.version,
        "digest": catalogue.digest,
        "body": catalogue.body,
        "created_at": now,
        "registered_entry": entry_id,
    }
    return conn.execute(queries()["insert_catalogue"], parameters).rowcount == 1


def _require_catalogue(conn: Conn, identity: VersionIdentity, catalogue: Catalogue, now: datetime) -> None:
    insert_catalogue(conn, catalogue, entry_id=None, now=now)
    if get_catalogue(conn, catalogue.name, catalogue.version).digest != catalogue.digest:
        raise VersionConflict(identity.model, identity.version, ["catalogue"])


def get_catalogue(conn: Conn, name: str, version: str) -> Catalogue:
    """Return one version of a catalogue, registered or shipped; raises CatalogueUnknown."""
    with conn.cursor(row_factory=class_row(Catalogue), binary=True) as cursor:
        cursor.execute(queries()["read_catalogue"], {"name": name, "version": version})
        found = cursor.fetchone()
    if found is None:
        found = shipped().get(name)
    if found is None or found.version != version:
        raise CatalogueUnknown(f"there is no version {version!r} of a catalogue {name!r}")
    return found


def _rows(conn: Conn, query: str, parameters: dict[str, object]) -> list[VersionRow]:
    with conn.cursor(row_factory=class_row(VersionRow)) as cursor:
        return cursor.execute(queries()[query], parameters).fetchall()


def _find(conn: Conn, model: str, version: str) -> VersionRow | None:
    return next(iter(_rows(conn, "version", {"model": model, "version": version})), None)


def get_version(conn: Conn, model: str, version: str) -> VersionRow:
    """Return one version, whatever its status; raises ModelUnknown or VersionUnknown."""
    row = _find(conn, model, version)
    if row is None:
        _require_model(conn, model)
        raise VersionUnknown(model, version)
    return row


def approved_version(conn: Conn, model: str) -> VersionRow:
    """Return the version that serves; raises ModelUnknown or NotApproved."""
    rows = _rows(conn, "approved", {"model": model})
    if not rows:
        _require_model(conn, model)
        raise NotApproved(model)
    return rows[0]


def serving_row(conn: Conn, model: str, version: str | None) -> ServingRow:
    """Return what serving needs of this version, or of the approved one.

    Raises ModelUnknown, VersionUnknown, or NotApproved where no version was named and none is approved.
    """
    with conn.cursor(row_factory=class_row(ServingRow)) as cursor:
        found = cursor.execute(queries()["serving"], {"model": model, "version": version}).fetchone()
    if found is None:
        _require_model(conn, model)
        raise NotApproved(model) if version is None else VersionUnknown(model, version)
    return found


def serving_rows(conn: Conn) -> list[ServingRow]:
    """Return every version that serves, in order of model."""
    with conn.cursor(row_factory=class_row(ServingRow)) as cursor:
        return cursor.execute(queries()["all_serving"]).fetchall()


def list_models(conn: Conn, *, after: str = "", limit: int = 100) -> list[str]:
    """Return names of registered models after this one, in order."""
    return [row[0] for row in conn.execute(queries()["models"], {"after": after, "limit": limit})]


def versions_of(conn: Conn, models: Sequence[str]) -> list[VersionRow]:
    """Return all versions of these models, in order of model, newest first."""
    return _rows(conn, "versions_of", {"models": list(models)})


def _require_model(conn: Conn, model: str) -> None:
    if not versions_of(conn, [model]):
        raise ModelUnknown(model)


def lock_model(conn: Conn, model: str) -> None:
    """Wait until no other transaction that asked for this is changing this model."""
    conn.execute(queries()["lock_model"], {"model": model})


def set_status(
    conn: Conn,
    model: str,
    version: str,
    *,
    status: Literal["approved", "retired"],
    by: str,
    note: str | None,
    entry_id: UUID,
    now: datetime,
) -> StatusOutcome:
    """Approve or retire a version; approval retires the one approved before.

    Setting the status a version has changes nothing. Raises ModelUnknown or VersionUnknown.
    """
    get_version(conn, model, version)
    parameters = {
        "model": model,
        "version": version,
        "status": status,
        "at": now,
        "by": by,
        "note": note,
        "entry_id": entry_id,
    }
    try:
        changed = conn.execute(queries()["set_status"], parameters).fetchall()
    except errors.InvalidParameterValue as error:
        raise StatusRefused(f"the status {status!r} cannot be set") from error
    retired = tuple(name for name, new in changed if new == "retired" and name != version)
    return StatusOutcome(bool(changed), retired)


def status_history(conn: Conn, model: str, version: str) -> list[StatusRow]:
    """Return the changes of a version's status, oldest first."""
    with conn.cursor(row_factory=class_row(StatusRow)) as cursor:
        return cursor.execute(queries()["history"], {"model": model, "version": version}).fetchall()


def stored_digests(conn: Conn, digests: Sequence[str]) -> dict[str, str | None]:
    """Return what the bytes stored under these digests really have as theirs; None where there are none."""
    rows = conn.execute(queries()["stored_digests"], {"digests": list(digests)}).fetchall()
    return dict(rows)


def read_blob(conn: Conn, digest: str) -> bytes:
    """Return stored bytes after comparing them with their digest; raises BlobMissing or BlobDamaged."""
    row = conn.execute(queries()["read_blob"], {"digest": digest}, binary=True).fetchone()
    if row is None:
        raise BlobMissing(digest)
    content = bytes(row[0])
    if digest_of(content) != digest:
        raise BlobDamaged(digest)
    return content
