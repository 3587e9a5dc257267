"""Registering catalogues, listing them, and giving a model version another one."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from uuid import UUID

import orjson

from audit.canonical import JsonValue, canonical
from audit.entry import Draft
from audit.receipt import Receipt
from explain.errors import ExplainError
from records.reaching import transaction
from registry import catalogue_store, store
from registry.catalogue_documents import parse_catalogue
from registry.catalogue_store import CatalogueRow
from registry.catalogues import Catalogue, read_catalogue
from registry.coverage import require_fit
from registry.errors import CatalogueUnknown, RegistryError
from registry.manifests import read_stored_manifest
from registry.shipped import shipped
from registry.version_row import VersionRow
from runtime.postgres import Connection
from schemas.base import format_moment
from schemas.catalogue_version import CatalogueBinding
from service.context import Services
from service.errors import InvalidInput
from service.explanations.recalling import receipt_of
from service.explanations.record import CODE_VERSION, JsonObject
from service.explanations.rehearsing import rehearse
from service.strict_json import Flaw

logger = logging.getLogger("service.models.cataloguing")

REGISTERED = "catalogue.registered"
CHANGED = "model.catalogue_changed"


@dataclass(frozen=True, slots=True)
class RegisteredCatalogue:
    """A catalogue that is registered, and the promise about its entry."""

    catalogue: Catalogue
    receipt: Receipt


@dataclass(frozen=True, slots=True)
class Rebinding:
    """A change of the catalogue that a version uses."""

    model: str
    version: str
    wanted: CatalogueBinding
    actor: str


class _Overtaken(Exception):
    """Somebody else was faster: the entry just written must not stay."""


def register(services: Services, body: bytes, media_type: str, actor: str) -> RegisteredCatalogue:
    """Checks and stores a catalogue; the same content again returns the first registration.

    Raises `CatalogueInvalid`, or `CatalogueConflict` if this version is registered with other content.
    """
    catalogue = parse_catalogue(body, media_type)
    try:
        entry_id = _stored(services, catalogue, actor)
    except _Overtaken:
        entry_id = _stored(services, catalogue, actor)
    return RegisteredCatalogue(catalogue, receipt_of(services, services.log.read(entry_id)))


def _stored(services: Services, catalogue: Catalogue, actor: str) -> UUID:
    """The entry and the catalogue in one transaction; the first entry where it is there already."""
    with transaction(services.pool) as conn:
        first = catalogue_store.find_same_catalogue(conn, catalogue)
        if first is not None:
            return first
        now = services.clock.now()
        named = _named(catalogue.name, catalogue.version, catalogue.digest)
        draft = Draft(type=REGISTERED, actor=actor, body={**named, "code_version": CODE_VERSION})
        appended = services.log.append_one(draft, now, conn)
        if not store.insert_catalogue(conn, catalogue, entry_id=appended.entry_id, now=now):
            raise _Overtaken
        return appended.entry_id


def change(services: Services, rebinding: Rebinding) -> Receipt:
    """Lets another catalogue word a version's reasons; the first receipt if it does so already.

    Explanations on record keep the words that they were given with. Raises `ModelUnknown`, `VersionUnknown`,
    `InvalidInput` for an unknown catalogue, or `CatalogueUnfit` for one that leaves out a factor.
    """
    with transaction(services.pool) as conn:
        entry_id = _changed(services, conn, rebinding)
    try:
        rehearse(services.log, services.clock, services.versions.load_all_approved(), services.proposer)
    except (ExplainError, RegistryError) as error:  # what fails here fails there again
        logger.warning("a version with another catalogue could not be loaded", exc_info=error)
    return receipt_of(services, services.log.read(entry_id))


def _changed(services: Services, conn: Connection, rebinding: Rebinding) -> UUID:
    store.lock_model(conn, rebinding.model)  # one change at a time: each entry says what it really replaced
    row = store.get_version(conn, rebinding.model, rebinding.version)
    wanted = rebinding.wanted
    if (row.catalogue_name, row.catalogue_version) == (wanted.name, wanted.version):
        history = catalogue_store.catalogue_history(conn, row.model, row.version)
        return history[-1].entry_id if history else row.registered_entry
    catalogue = _fitting(conn, row, wanted)
    now = services.clock.now()
    body: dict[str, JsonValue] = {
        "model": row.model,
        "version": row.version,
        "manifest_digest": row.manifest_digest,
        "catalogue": _named(catalogue.name, catalogue.version, catalogue.digest),
        "replaces": _named(row.catalogue_name, row.catalogue_version, row.catalogue_digest),
        "code_version": CODE_VERSION,
    }
    said = canonical({"by": wanted.by, "note": wanted.note})  # names and free text
    draft = Draft(type=CHANGED, actor=rebinding.actor, body=body, private=said)
    appended = services.log.append_one(draft, now, conn)
    catalogue_store.set_catalogue(
        conn,
        row.model,
        row.version,
        catalogue,
        by=wanted.by,
        note=wanted.note,
        entry_id=appended.entry_id,
        now=now,
    )
    return appended.entry_id


def _fitting(conn: Connection, row: VersionRow, wanted: CatalogueBinding) -> Catalogue:
    try:
        catalogue = store.get_catalogue(conn, wanted.name, wanted.version)
    except CatalogueUnknown as error:
        raise InvalidInput((Flaw("/name", str(error)),)) from None
    manifest = read_stored_manifest(store.read_blob(conn, row.manifest_digest)).manifest
    require_fit(manifest, read_catalogue(catalogue), complete=True)
    return catalogue


def catalogues(services: Services, after: str, limit: int) -> JsonObject:
    """One page of catalogues in order of name; the cursor is the last name."""
    with transaction(services.pool) as conn:
        names = catalogue_store.list_catalogues(conn, after=after, limit=limit + 1)
        page = names[:limit]
        rows = catalogue_store.catalogue_rows(conn, page)
    summaries = [_summary(name, [row for row in rows if row.name == name]) for name in page]
    return {"catalogues": summaries, "next_cursor": page[-1] if len(names) > limit else None}


def catalogue(services: Services, name: str) -> JsonObject:
    """One catalogue and its versions, newest first; raises `CatalogueUnknown`."""
    with transaction(services.pool) as conn:
        rows = catalogue_store.catalogue_rows(conn, [name])
    if not rows:
        raise CatalogueUnknown(f"there is no catalogue {name!r}")
    return _summary(name, rows)


def version(services: Services, name: str, wanted: str) -> JsonObject:
    """One version of a catalogue with its words; raises `CatalogueUnknown`."""
    with transaction(services.pool) as conn:
        row = catalogue_store.catalogue_row(conn, name, wanted)
        body = store.get_catalogue(conn, name, wanted).body
    return {**_described(row), "document": orjson.loads(body)}


def _summary(name: str, rows: list[CatalogueRow]) -> JsonObject:
    return {"name": name, "versions": [_described(row) for row in rows]}


def _described(row: CatalogueRow) -> JsonObject:
    inline = "@" in row.name
    return {
        **_named(row.name, row.version, row.digest),
        "source": "shipped" if row.name in shipped() else "inline" if inline else "registered",
        "created_at": None if row.created_at is None else format_moment(row.created_at),
        "document": None,
        "receipt": None,
    }


def _named(name: str, version_: str, digest: str) -> dict[str, JsonValue]:
    return {"name": name, "version": version_, "digest": digest}
