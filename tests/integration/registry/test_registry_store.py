"""Model versions in a real PostgreSQL, as the roles of the service and of the worker."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import errors

from registry import store
from registry.catalogues import Catalogue
from registry.digests import canonical_json, digest_of
from registry.errors import (
    BlobMissing,
    CatalogueUnknown,
    ModelUnknown,
    NotApproved,
    StatusRefused,
    VersionConflict,
    VersionUnknown,
)
from registry.store import Conn
from registry.version_row import StatusOutcome, VersionContent, VersionIdentity

NOW = datetime(2026, 11, 20, 10, 15, 0, 123456, tzinfo=UTC)


@pytest.fixture
def service(database: object) -> Iterator[Conn]:
    with psycopg.connect(database.url("service")) as conn:  # type: ignore[attr-defined]
        yield conn


@pytest.fixture
def worker(database: object) -> Iterator[Conn]:
    with psycopg.connect(database.url("worker")) as conn:  # type: ignore[attr-defined]
        yield conn


def content(version: str = "1", *, model: str = "m", artifact: bytes = b"trees") -> VersionContent:
    manifest = canonical_json({"model": model, "version": version})
    uploaded, rows = b"a,b\n1,2\n", b"\x93NUMPY" + bytes(range(256))
    body = canonical_json({"texts": [model, version]})
    return VersionContent(
        identity=VersionIdentity(
            model, version, digest_of(manifest), digest_of(artifact), digest_of(uploaded)
        ),
        family="xgboost",
        profile="lending",
        reference_digest=digest_of(rows),
        reference_kind="near_cutoff_approved",
        reference_rows=100,
        reference_band=0.0625,
        catalogue=Catalogue(f"{model}@{version}", "1", digest_of(body), body),
        capability=canonical_json({"trees": 3}),
        blobs=(manifest, artifact, uploaded, rows),
    )


def insert(conn: Conn, what: VersionContent) -> bool:
    return store.insert_version(conn, what, entry_id=uuid4(), now=NOW)


def approve(conn: Conn, version: str, status: str = "approved", model: str = "m") -> StatusOutcome:
    return store.set_status(
        conn,
        model,
        version,
        status=status,
        by="A. Officer",
        note=None,
        entry_id=uuid4(),
        now=NOW,  # type: ignore[arg-type]
    )


def test_a_version_comes_back_as_it_was_registered(service: Conn) -> None:
    made, entry = content(), UUID("01932d5c-0a5e-7000-8000-000000000001")
    assert store.insert_version(service, made, entry_id=entry, now=NOW)
    row = store.get_version(service, "m", "1")
    assert row.identity == made.identity
    assert (row.status, row.created_at, row.registered_entry) == ("registered", NOW, entry)
    assert (row.reference_kind, row.reference_rows, row.reference_band) == (
        "near_cutoff_approved",
        100,
        0.0625,
    )
    assert row.catalogue_digest == made.catalogue.digest
    assert json.loads(row.capability) == {"trees": 3}
    for blob in made.blobs:
        assert store.read_blob(service, digest_of(blob)) == blob
    assert store.get_catalogue(service, "m@1", "1") == made.catalogue


def test_the_same_again_is_no_second_version(service: Conn) -> None:
    assert insert(service, content())
    assert not insert(service, content())
    same = store.find_same(service, content().identity)
    assert same is not None
    assert store.find_same(service, content("2").identity) is None
    assert len(store.versions_of(service, ["m"])) == 1


def test_other_content_under_the_same_version_is_a_conflict(service: Conn) -> None:
    insert(service, content())
    with pytest.raises(VersionConflict, match="another artifact") as caught:
        insert(service, content(artifact=b"other trees"))
    assert caught.value.parts == ("artifact",)
    assert (caught.value.model, caught.value.version) == ("m", "1")


def test_blobs_are_shared_and_missing_ones_are_named(service: Conn, admin: Conn) -> None:
    insert(service, content("1"))
    insert(service, content("2"))
    service.commit()
    held = admin.execute("select count(*) from registry.blob").fetchone()
    assert held == (5,)  # two manifests; artifact, upload and reference once
    with pytest.raises(BlobMissing):
        store.read_blob(service, "sha256:" + "0" * 64)


def test_one_version_serves_and_approval_retires_the_one_before(service: Conn) -> None:
    insert(service, content("1"))
    insert(service, content("2"))
    with pytest.raises(NotApproved):
        store.approved_version(service, "m")
    assert approve(service, "1") == StatusOutcome(changed=True, retired=())
    assert approve(service, "2") == StatusOutcome(changed=True, retired=("1",))
    assert store.approved_version(service, "m").version == "2"
    assert store.get_version(service, "m", "1").status == "retired"
    assert [row.status for row in store.status_history(service, "m", "1")] == ["approved", "retired"]
    superseded = store.status_history(service, "m", "1")[-1]
    assert (superseded.note, superseded.changed_by) == ("superseded by 2", "A. Officer")
    assert approve(service, "1") == StatusOutcome(changed=True, retired=("2",))  # a way back


def test_setting_the_status_it_has_changes_nothing(service: Conn) -> None:
    insert(service, content("1"))
    approve(service, "1")
    assert approve(service, "1") == StatusOutcome(changed=False, retired=())
    assert len(store.status_history(service, "m", "1")) == 1
    assert approve(service, "1", "retired") == StatusOutcome(changed=True, retired=())
    with pytest.raises(NotApproved):
        store.serving_row(service, "m", None)


def test_a_status_that_cannot_be_set_is_refused(service: Conn) -> None:
    insert(service, content("1"))
    with pytest.raises(StatusRefused, match="registered"):
        approve(service, "1", "registered")


def test_what_is_unknown_is_named(service: Conn) -> None:
    insert(service, content("1"))
    with pytest.raises(ModelUnknown, match="'x'"):
        store.get_version(service, "x", "1")
    with pytest.raises(VersionUnknown, match="'9'"):
        store.get_version(service, "m", "9")
    with pytest.raises(VersionUnknown):
        approve(service, "9")
    with pytest.raises(ModelUnknown):
        store.serving_row(service, "x", None)
    with pytest.raises(VersionUnknown):
        store.serving_row(service, "m", "9")
    with pytest.raises(CatalogueUnknown):
        store.get_catalogue(service, "x", "1")


def test_the_inventory_is_paged_by_name_and_newest_first(service: Conn) -> None:
    for model in ("b", "a", "c"):
        insert(service, content(model=model))
    store.insert_version(service, content("2", model="a"), entry_id=uuid4(), now=NOW.replace(year=2027))
    assert store.list_models(service) == ["a", "b", "c"]
    assert store.list_models(service, after="a", limit=1) == ["b"]
    assert [(row.model, row.version) for row in store.versions_of(service, ["c", "a"])] == [
        ("a", "2"),
        ("a", "1"),
        ("c", "1"),
    ]
    approve(service, "2", model="a")
    assert [row.key.version for row in store.serving_rows(service)] == ["2"]


def test_a_rollback_of_the_caller_takes_everything_back(service: Conn) -> None:
    insert(service, content())
    service.rollback()
    assert store.list_models(service) == []


def test_two_registrations_at_once_make_one_version(database: object) -> None:
    start, results = threading.Barrier(2), []

    def register() -> None:
        with psycopg.connect(database.url("service")) as conn:  # type: ignore[attr-defined]
            start.wait()
            results.append(insert(conn, content()))

    threads = [threading.Thread(target=register) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [False, True]


def test_approvals_at_once_follow_each_other(database: object, service: Conn) -> None:
    versions = [str(number) for number in range(4)]
    for version in versions:
        insert(service, content(version))
    service.commit()
    start = threading.Barrier(len(versions))

    def serve(version: str) -> None:
        with psycopg.connect(database.url("service")) as conn:  # type: ignore[attr-defined]
            start.wait()
            approve(conn, version)

    threads = [threading.Thread(target=serve, args=(version,)) for version in versions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    statuses = sorted(row.status for row in store.versions_of(service, ["m"]))
    assert statuses == ["approved", "retired", "retired", "retired"]


FORBIDDEN = (
    b"update registry.model_version set status = 'approved'",
    b"update registry.model_version set manifest_digest = artifact_digest",
    b"delete from registry.model_version",
    b"truncate registry.model_version cascade",
    b"update registry.blob set content = 'x'",
    b"delete from registry.blob",
    b"update registry.catalogue set version = '2'",
    b"delete from registry.catalogue",
    b"delete from registry.status_change",
    b"insert into registry.status_change (model, version, status, changed_at, changed_by, entry_id)"
    b" values ('m', '1', 'approved', '2026-01-01', 'x', gen_random_uuid())",
    b"insert into registry.model_version (model, version, status) values ('m', '3', 'approved')",
)


def test_neither_service_nor_worker_changes_what_is_stored(service: Conn, worker: Conn) -> None:
    insert(service, content())
    service.commit()
    for conn in (service, worker):
        for statement in FORBIDDEN:
            with pytest.raises(errors.InsufficientPrivilege):
                conn.execute(statement)
            conn.rollback()


def test_the_worker_reads_and_nothing_else(service: Conn, worker: Conn) -> None:
    insert(service, content())
    service.commit()
    assert store.get_version(worker, "m", "1").version == "1"
    assert store.read_blob(worker, content().identity.artifact_digest) == b"trees"
    for attempt in (lambda: insert(worker, content("2")), lambda: approve(worker, "1")):
        with pytest.raises(errors.InsufficientPrivilege):
            attempt()
        worker.rollback()


def test_bytes_that_are_not_their_digest_cannot_be_stored(service: Conn) -> None:
    with pytest.raises(errors.CheckViolation):
        service.execute(
            "insert into registry.blob (digest, content) values (%s, %s)", (digest_of(b"a"), b"b")
        )
