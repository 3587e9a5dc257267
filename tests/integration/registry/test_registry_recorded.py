"""A version by what an entry names: as it was then, and without disturbing what serves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from registry import catalogue_store, store
from registry.catalogues import Catalogue
from registry.digests import digest_of
from registry.errors import BlobMissing, CatalogueUnknown
from registry.loading import VersionCache
from registry.preparing import PreparedVersion
from registry.version_row import ServingRow
from runtime.clock import FixedClock
from runtime.postgres import Pool, open_pool

MODEL = "boston-mortgage"


@pytest.fixture
def pool(database: object) -> Iterator[Pool]:
    made = open_pool(database.url("service"), max_size=4)  # type: ignore[attr-defined]
    yield made
    made.close()


@pytest.fixture
def registered(pool: Pool, prepared: PreparedVersion, clock: FixedClock) -> PreparedVersion:
    with pool.connection() as conn:
        store.insert_version(conn, prepared.content, entry_id=uuid4(), now=clock.now())
        store.set_status(
            conn, MODEL, "1", status="approved", by="x", note=None, entry_id=uuid4(), now=clock.now()
        )
    return prepared


def named(pool: Pool) -> ServingRow:
    """What an entry of this moment would name."""
    with pool.connection() as conn:
        return store.serving_row(conn, MODEL, "1")


def test_what_serves_is_lent_and_stays(pool: Pool, registered: PreparedVersion, cache_folder: Path) -> None:
    cache = VersionCache(pool, cache_dir=cache_folder)
    serving = cache.get(MODEL)
    assert cache.get_recorded(named(pool)) is serving
    assert registered.content.identity.artifact_digest == serving.artifact_digest


def test_another_catalogue_of_then_borrows_the_tables_of_now(
    pool: Pool, registered: PreparedVersion, clock: FixedClock, cache_folder: Path
) -> None:
    then = named(pool)
    body = registered.content.catalogue.body.replace(b"Age of applicant", b"Years of age")
    body = body.replace(b"boston-mortgage@1", b"other-words")
    other = Catalogue("other-words", "1", digest_of(body), body)
    with pool.connection() as conn:
        catalogue_store.set_catalogue(
            conn, MODEL, "1", other, by="x", note=None, entry_id=uuid4(), now=clock.now()
        )
    cache = VersionCache(pool, cache_dir=cache_folder)
    serving = cache.get(MODEL)
    recorded = cache.get_recorded(then)
    assert recorded.words.factors["age"].wordings[0].texts == {"en": "Age of applicant"}
    assert recorded.shap is serving.shap
    assert cache.get(MODEL) is serving
    with pytest.raises(CatalogueUnknown):
        cache.get_recorded(replace(then, catalogue_version="9"))


def test_what_was_loaded_for_a_replay_is_dropped_first(
    pool: Pool, registered: PreparedVersion, cache_folder: Path
) -> None:
    cache = VersionCache(pool, cache_dir=cache_folder, capacity=2)
    serving = cache.get(MODEL)
    of_old = replace(named(pool), version="0")
    old = cache.get_recorded(of_old)
    assert old.artifact_digest == serving.artifact_digest
    cache.get_recorded(replace(of_old, version="00"))
    assert cache.get(MODEL) is serving
    assert cache.get_recorded(of_old) is not old


def test_the_digests_of_stored_bytes_are_read_again(pool: Pool, registered: PreparedVersion) -> None:
    identity = registered.content.identity
    gone = "sha256:" + "0" * 64
    with pool.connection() as conn:
        found = store.stored_digests(conn, [identity.artifact_digest, gone])
    assert found == {identity.artifact_digest: identity.artifact_digest, gone: None}


def test_what_is_gone_is_missing_by_name(pool: Pool, registered: PreparedVersion, cache_folder: Path) -> None:
    assert registered.content.blobs
    cache = VersionCache(pool, cache_dir=cache_folder)
    with pytest.raises(BlobMissing):
        cache.get_recorded(replace(named(pool), artifact_digest="sha256:" + "0" * 64))
