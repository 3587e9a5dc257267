"""The inventory: which versions of which models exist, what they are made of and who let them serve."""

from __future__ import annotations

import orjson

from records.reaching import transaction
from registry import catalogue_store, store
from registry.errors import ModelUnknown
from registry.version_row import VersionRow
from runtime.postgres import Connection
from schemas.base import format_moment
from service.context import Services
from service.explanations.record import JsonObject


def models(services: Services, after: str, limit: int) -> JsonObject:
    """One page of models in order of name; the cursor is the last name."""
    with transaction(services.pool) as conn:
        names = store.list_models(conn, after=after, limit=limit + 1)
        page = names[:limit]
        rows = store.versions_of(conn, page)
        summaries = [_summary(conn, name, [row for row in rows if row.model == name]) for name in page]
    return {"models": summaries, "next_cursor": page[-1] if len(names) > limit else None}


def model(services: Services, name: str) -> JsonObject:
    """One model and its versions, newest first; raises `ModelUnknown`."""
    with transaction(services.pool) as conn:
        rows = store.versions_of(conn, [name])
        if not rows:
            raise ModelUnknown(name)
        return _summary(conn, name, rows)


def version(services: Services, name: str, wanted: str) -> JsonObject:
    """One version with its manifest; raises `ModelUnknown` or `VersionUnknown`."""
    with transaction(services.pool) as conn:
        row = store.get_version(conn, name, wanted)
        manifest = orjson.loads(store.read_blob(conn, row.manifest_digest))
        return {**_described(conn, row), "manifest": manifest}


def _summary(conn: Connection, name: str, rows: list[VersionRow]) -> JsonObject:
    serving = [row.version for row in rows if row.status == "approved"]
    return {
        "model": name,
        "approved_version": serving[0] if serving else None,
        "versions": [_described(conn, row) for row in rows],
    }


def _described(conn: Connection, row: VersionRow) -> JsonObject:
    manifest = orjson.loads(store.read_blob(conn, row.manifest_digest))
    return {
        "model": row.model,
        "version": row.version,
        "family": row.family,
        "profile": row.profile,
        "purpose": manifest["purpose"],
        "status": row.status,
        "created_at": format_moment(row.created_at),
        "manifest_digest": row.manifest_digest,
        "artifact_digest": row.artifact_digest,
        "reference": {
            "digest": row.reference_digest,
            "uploaded_digest": row.uploaded_digest,
            "kind": row.reference_kind,
            "rows": row.reference_rows,
            "band": row.reference_band,
        },
        "catalogue": {
            "name": row.catalogue_name,
            "version": row.catalogue_version,
            "digest": row.catalogue_digest,
        },
        "capability": orjson.loads(row.capability),
        **_histories(conn, row),
        "manifest": None,
        "receipt": None,
    }


def _histories(conn: Connection, row: VersionRow) -> JsonObject:
    """Every change of the version's status and of its catalogue, oldest first."""
    statuses = store.status_history(conn, row.model, row.version)
    catalogues = catalogue_store.catalogue_history(conn, row.model, row.version)
    return {
        "history": [
            {
                "status": change.status,
                "at": format_moment(change.changed_at),
                "by": change.changed_by,
                "note": change.note,
            }
            for change in statuses
        ],
        "catalogue_history": [
            {
                "name": change.catalogue_name,
                "version": change.catalogue_version,
                "at": format_moment(change.changed_at),
                "by": change.changed_by,
                "note": change.note,
            }
            for change in catalogues
        ],
    }
