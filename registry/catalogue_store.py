"""Registered catalogues and which one a version uses; the caller commits, as in `registry.store`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg.rows import class_row

from registry.catalogues import Catalogue
from registry.errors import CatalogueConflict, CatalogueUnknown
from registry.queries import queries
from registry.shipped import shipped
from registry.store import Conn, get_version, insert_catalogue


@dataclass(frozen=True, slots=True)
class CatalogueRow:
    """One version of a catalogue without its words.

    `registered_entry` is None for texts that came inside a manifest, and for a shipped catalogue, which has
    no time either.
    """

    name: str
    version: str
    digest: str
    registered_entry: UUID | None
    created_at: datetime | None


@dataclass(frozen=True, slots=True)
class CatalogueChangeRow:
    """One change of the catalogue that a version uses."""

    catalogue_name: str
    catalogue_version: str
    changed_at: datetime
    changed_by: str
    note: str | None
    entry_id: UUID


def find_same_catalogue(conn: Conn, catalogue: Catalogue) -> UUID | None:
    """Return the entry of this very catalogue, None if there is none; CatalogueConflict if it differs.

    The names of shipped catalogues are taken.
    """
    if catalogue.name in shipped():
        raise CatalogueConflict(f"the name {catalogue.name!r} is that of a shipped catalogue")
    with conn.cursor(row_factory=class_row(CatalogueRow)) as cursor:
        parameters = {"name": catalogue.name, "version": catalogue.version}
        row = cursor.execute(queries()["catalogue_row"], parameters).fetchone()
    if row is not None and row.digest != catalogue.digest:
        raise CatalogueConflict(
            f"version {row.version!r} of the catalogue {row.name!r} is registered with other content"
        )
    return None if row is None else row.registered_entry


def list_catalogues(conn: Conn, *, after: str = "", limit: int = 100) -> list[str]:
    """Return names of catalogues after this one, shipped ones among them, in order."""
    stored = conn.execute(queries()["catalogue_names"], {"after": after, "limit": limit})
    names = {row[0] for row in stored} | {name for name in shipped() if name > after}
    return sorted(names)[:limit]


def catalogue_rows(conn: Conn, names: Sequence[str]) -> list[CatalogueRow]:
    """Return all versions of these catalogues, in order of name, newest first."""
    with conn.cursor(row_factory=class_row(CatalogueRow)) as cursor:
        rows = cursor.execute(queries()["catalogue_rows"], {"names": list(names)}).fetchall()
    ours = [shipped()[name] for name in names if name in shipped()]
    kept = [row for row in rows if row.name not in shipped()]
    return kept + [CatalogueRow(one.name, one.version, one.digest, None, None) for one in ours]


def catalogue_row(conn: Conn, name: str, version: str) -> CatalogueRow:
    """Return one version of a catalogue; raises CatalogueUnknown."""
    for row in catalogue_rows(conn, [name]):
        if row.version == version:
            return row
    raise CatalogueUnknown(f"there is no version {version!r} of a catalogue {name!r}")


def set_catalogue(
    conn: Conn,
    model: str,
    version: str,
    catalogue: Catalogue,
    *,
    by: str,
    note: str | None,
    entry_id: UUID,
    now: datetime,
) -> bool:
    """Let this catalogue word the reasons of a version from now on; False if it does so already.

    Raises ModelUnknown or VersionUnknown.
    """
    get_version(conn, model, version)
    insert_catalogue(conn, catalogue, entry_id=None, now=now)  # a shipped one is stored where it is used
    parameters = {
        "model": model,
        "version": version,
        "name": catalogue.name,
        "catalogue_version": catalogue.version,
        "at": now,
        "by": by,
        "note": note,
        "entry_id": entry_id,
    }
    return conn.execute(queries()["set_catalogue"], parameters).fetchone() == (True,)


def catalogue_history(conn: Conn, model: str, version: str) -> list[CatalogueChangeRow]:
    """Return the changes of a version's catalogue, oldest first."""
    with conn.cursor(row_factory=class_row(CatalogueChangeRow)) as cursor:
        parameters = {"model": model, "version": version}
        return cursor.execute(queries()["catalogue_history"], parameters).fetchall()
