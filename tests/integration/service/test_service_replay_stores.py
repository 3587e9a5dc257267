"""What the stores hold today is compared with what the entry names: damaged, exchanged and later parts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.integration.service.replays import Answer, explained, identical, replayed
from tests.integration.service.test_service_catalogues import bind, catalogue, post, worded_by


@contextmanager
def _unguarded(admin: psycopg.Connection[Any], table: str) -> Iterator[None]:
    """Whoever owns a table can take away the check that compares its bytes with their digest."""
    rows = admin.execute(
        "select conname, pg_get_constraintdef(oid) from pg_constraint"
        " where conrelid = %s::regclass and contype = 'c' and pg_get_constraintdef(oid) like '%%sha256%%'",
        (table,),
    ).fetchall()
    assert len(rows) == 1
    ((name, check),) = rows
    admin.execute(f"alter table {table} drop constraint {name}".encode())
    try:
        yield
    finally:
        admin.execute(f"alter table {table} add constraint {name} {check}".encode())


@contextmanager
def _stored_otherwise(running: Any, table: str, change: str, back: str, *values: object) -> Iterator[None]:
    """The owner of the database changes what is stored, and later puts it back."""
    with psycopg.connect(running.admin_url, autocommit=True) as admin, _unguarded(admin, table):
        assert admin.execute(f"update {table} set {change}".encode(), values).rowcount == 1
        try:
            yield
        finally:
            assert admin.execute(f"update {table} set {back}".encode(), values).rowcount == 1


@pytest.fixture(scope="module")
def decided(running: Any, upload: Any) -> Answer:
    """A decision of a version of its own, which tests may damage."""
    worded_by(running, upload, "damaged", "loan-reasons")
    return explained(running, "damaged")


@pytest.fixture(scope="module", autouse=True)
def _registered(running: Any) -> None:
    assert post(running, catalogue()).status_code == 201


OTHER_BYTES = "content = set_byte(content, 0, get_byte(content, 0) # 1) where digest = %s"


@pytest.mark.parametrize("name", ["model_digest", "reference_digest", "manifest_digest"])
def test_damaged_bytes_are_a_difference_by_name(running: Any, decided: Answer, name: str) -> None:
    entry = running.services.log.read(running.uuid(decided["explanation_id"])).entry
    with _stored_otherwise(running, "registry.blob", OTHER_BYTES, OTHER_BYTES, entry.body[name]):
        found = replayed(running, decided["explanation_id"])
    assert found["verdict"] == "different"
    assert found["first_difference"]["pointer"] == f"/version/{name}"
    assert found["first_difference"]["recorded"] == entry.body[name]
    assert found["first_difference"]["recomputed"] not in (None, entry.body[name])
    identical(running, decided)


def test_a_version_that_is_another_one_today_is_a_difference_by_name(running: Any, decided: Answer) -> None:
    entry = running.services.log.read(running.uuid(decided["explanation_id"])).entry
    other = running.services.log.read(
        running.uuid(explained(running, counterfactuals={"count": 0})["explanation_id"])
    ).entry
    change = "update registry.model_version set manifest_digest = %s where model = 'damaged' and %s <> ''"
    digests = (other.body["manifest_digest"], entry.body["manifest_digest"])
    with psycopg.connect(running.admin_url, autocommit=True) as admin:
        assert admin.execute(change, digests).rowcount == 1
        try:
            found = replayed(running, decided["explanation_id"])
        finally:
            assert admin.execute(change, digests[::-1]).rowcount == 1
    first = found["first_difference"]
    assert (first["pointer"], first["recomputed"]) == ("/version/manifest_digest", digests[0])
    assert found["parts"]["attribution"] == "identical"  # by the digests of the record


def test_a_changed_catalogue_is_a_difference_by_name(running: Any, decided: Answer) -> None:
    change = "body = body || ' '::bytea where name = %s"
    back = "body = substring(body, 1, length(body) - 1) where name = %s"
    with _stored_otherwise(running, "registry.catalogue", change, back, "loan-reasons"):
        found = replayed(running, decided["explanation_id"])
    assert found["first_difference"]["pointer"] == "/version/catalogue/digest"
    identical(running, decided)


def test_a_decision_from_before_a_catalogue_change_is_worded_as_it_was(running: Any, upload: Any) -> None:
    worded_by(running, upload, "reworded", "loan-reasons")
    before = explained(running, "reworded")
    assert post(running, catalogue(name="later-reasons", components=[])).status_code == 201
    assert bind(running, "reworded", "later-reasons").status_code == 200
    after = explained(running, "reworded")
    for answer in (before, after, before):
        identical(running, answer)
    loaded = running.services.versions.get("reworded")
    assert loaded.catalogue.name == "later-reasons"


def test_tables_that_somebody_wrote_to_are_made_again(running: Any, decided: Answer) -> None:
    folder = Path(running.services.settings.cache_dir)
    tables = list(folder.rglob("*.tables"))
    assert tables
    for path in tables:
        path.chmod(0o600)
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)
    identical(running, decided)
