"""Catalogues in a real PostgreSQL: stored once, chosen for a version with a history, changed by nobody."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import uuid4

import psycopg
import pytest
from psycopg import errors

from registry import catalogue_store, store
from registry.catalogues import Catalogue
from registry.digests import canonical_json, digest_of
from registry.errors import CatalogueConflict, CatalogueUnknown, VersionUnknown
from registry.shipped import APPENDIX_C, shipped
from registry.store import Conn
from registry.version_row import VersionContent, VersionIdentity

NOW = datetime(2026, 11, 20, 10, 15, 0, 123456, tzinfo=UTC)


@pytest.fixture
def service(database: object) -> Iterator[Conn]:
    with psycopg.connect(database.url("service")) as conn:  # type: ignore[attr-defined]
        yield conn


def catalogue(name: str = "words", version: str = "1", **content: object) -> Catalogue:
    body = canonical_json({"name": name, "version": version, "reasons": [], **content})
    return Catalogue(name, version, digest_of(body), body)


def register(conn: Conn, made: Catalogue) -> None:
    assert catalogue_store.find_same_catalogue(conn, made) is None
    assert store.insert_catalogue(conn, made, entry_id=uuid4(), now=NOW)


def insert_version(conn: Conn, words: Catalogue, version: str = "1") -> None:
    blob = canonical_json({"version": version})
    identity = VersionIdentity("m", version, digest_of(blob), digest_of(blob), digest_of(blob))
    made = VersionContent(
        identity=identity,
        family="xgboost",
        profile="lending",
        reference_digest=digest_of(blob),
        reference_kind="all_applicants",
        reference_rows=100,
        reference_band=None,
        catalogue=words,
        capability=b"{}",
        blobs=(blob,),
    )
    assert store.insert_version(conn, made, entry_id=uuid4(), now=NOW)


def choose(conn: Conn, words: Catalogue, version: str = "1") -> bool:
    return catalogue_store.set_catalogue(
        conn, "m", version, words, by="compliance", note="plainer", entry_id=uuid4(), now=NOW
    )


def test_a_catalogue_comes_back_as_it_was_registered(service: Conn) -> None:
    made = catalogue()
    register(service, made)
    assert store.get_catalogue(service, "words", "1") == made
    row = catalogue_store.catalogue_row(service, "words", "1")
    assert (row.digest, row.created_at) == (made.digest, NOW)
    assert catalogue_store.find_same_catalogue(service, made) == row.registered_entry
    assert not store.insert_catalogue(service, made, entry_id=uuid4(), now=NOW)
    with pytest.raises(CatalogueConflict, match="other content"):
        catalogue_store.find_same_catalogue(service, catalogue(more=1))
    with pytest.raises(CatalogueUnknown, match="'2'"):
        store.get_catalogue(service, "words", "2")


def test_names_come_in_one_order_with_the_shipped_ones_among_them(service: Conn) -> None:
    for name in ("Zeta", "alpha", "regulation-a", "regulation-c", "m@1"):
        register(service, catalogue(name))
    expected = sorted(["Zeta", "alpha", "regulation-a", APPENDIX_C, "regulation-c", "m@1"])
    found: list[str] = []
    while page := catalogue_store.list_catalogues(service, after=found[-1] if found else "", limit=2):
        found += page
    assert found == expected


def test_a_shipped_catalogue_is_stored_where_a_version_uses_it(service: Conn) -> None:
    ours = shipped()[APPENDIX_C]
    assert store.get_catalogue(service, APPENDIX_C, "1") == ours
    with pytest.raises(CatalogueUnknown):
        store.get_catalogue(service, APPENDIX_C, "2")
    insert_version(service, ours)
    stored = service.execute("select digest from registry.catalogue").fetchall()
    assert stored == [(ours.digest,)]
    assert [row.name for row in catalogue_store.catalogue_rows(service, [APPENDIX_C])] == [APPENDIX_C]
    with pytest.raises(CatalogueConflict, match="shipped"):
        catalogue_store.find_same_catalogue(service, catalogue(APPENDIX_C, "2"))


def test_a_version_moves_to_another_catalogue_and_back_and_the_history_stays(service: Conn) -> None:
    own, better = catalogue("m@1"), catalogue("better")
    register(service, better)
    insert_version(service, own)
    assert not choose(service, own)
    assert choose(service, better)
    assert not choose(service, better)
    row = store.get_version(service, "m", "1")
    assert (row.catalogue_name, row.catalogue_digest) == ("better", better.digest)
    assert store.serving_row(service, "m", "1").key.catalogue == ("better", "1")
    assert choose(service, own)
    history = catalogue_store.catalogue_history(service, "m", "1")
    assert [change.catalogue_name for change in history] == ["better", "m@1"]
    assert {(change.changed_by, change.note, change.changed_at) for change in history} == {
        ("compliance", "plainer", NOW)
    }
    with pytest.raises(VersionUnknown):
        choose(service, better, "9")


FORBIDDEN = (
    "update registry.catalogue set body = body",
    "delete from registry.catalogue",
    "truncate registry.catalogue cascade",
    "update registry.model_version set catalogue_version = '2'",
    "insert into registry.catalogue_change (model, version, catalogue_name, catalogue_version, changed_at,"
    " changed_by, entry_id) values ('m', '1', 'm@1', '1', now(), 'x', gen_random_uuid())",
    "update registry.catalogue_change set changed_by = 'x'",
    "delete from registry.catalogue_change",
)


@pytest.mark.parametrize("role", ["service", "worker"])
@pytest.mark.parametrize("statement", FORBIDDEN)
def test_nobody_changes_what_is_stored(database: object, role: str, statement: str) -> None:
    with psycopg.connect(database.url("service")) as conn:  # type: ignore[attr-defined]
        insert_version(conn, catalogue("m@1"))
    with (
        psycopg.connect(database.url(role)) as conn,  # type: ignore[attr-defined]
        pytest.raises(errors.InsufficientPrivilege),
    ):
        conn.execute(statement.encode())


def test_the_worker_reads_words_and_chooses_none(database: object) -> None:
    with psycopg.connect(database.url("service")) as conn:  # type: ignore[attr-defined]
        insert_version(conn, catalogue("m@1"))
    with psycopg.connect(database.url("worker")) as worker:  # type: ignore[attr-defined]
        assert json.loads(store.get_catalogue(worker, "m@1", "1").body)["name"] == "m@1"
        assert catalogue_store.catalogue_history(worker, "m", "1") == []
        with pytest.raises(errors.InsufficientPrivilege):
            worker.execute(
                "select registry.set_catalogue_v1('m', '1', 'm@1', '1', now(), 'x', null, gen_random_uuid())"
            )
