"""Loaded versions: only what is approved serves, each is loaded once, and reads back as it was."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import numpy as np
import pytest

from explain.errors import TablesChanged
from registry import catalogue_store, loading, store
from registry.catalogues import Catalogue
from registry.digests import digest_of
from registry.errors import BlobDamaged, ModelUnknown, NotApproved, VersionUnknown
from registry.loaded_version import LoadedVersion
from registry.loading import VersionCache
from registry.preparing import PreparedVersion
from runtime.clock import FixedClock
from runtime.postgres import Pool, open_pool


@pytest.fixture
def pool(database: object) -> Iterator[Pool]:
    made = open_pool(database.url("service"), max_size=8)  # type: ignore[attr-defined]
    yield made
    made.close()


@pytest.fixture
def registered(pool: Pool, prepared: PreparedVersion, clock: FixedClock) -> PreparedVersion:
    with pool.connection() as conn:
        store.insert_version(conn, prepared.content, entry_id=uuid4(), now=clock.now())
    return prepared


def decide_status(pool: Pool, status: Literal["approved", "retired"], clock: FixedClock) -> None:
    with pool.connection() as conn:
        store.set_status(
            conn,
            "boston-mortgage",
            "1",
            status=status,
            by="A. Officer",
            note=None,
            entry_id=uuid4(),
            now=clock.now(),
        )


def test_only_what_is_approved_is_served_and_the_rest_can_be_replayed(
    pool: Pool, registered: PreparedVersion, clock: FixedClock, cache_folder: Path
) -> None:
    cache = VersionCache(pool, cache_dir=cache_folder)
    cache.load_all_approved()
    with pytest.raises(NotApproved):
        cache.get("boston-mortgage")
    with pytest.raises(NotApproved, match="version '1'"):
        cache.get("boston-mortgage", "1")
    with pytest.raises(ModelUnknown):
        cache.get("nothing")
    with pytest.raises(VersionUnknown):
        cache.get("boston-mortgage", "2")
    decide_status(pool, "approved", clock)
    loaded = cache.get("boston-mortgage")
    assert cache.get("boston-mortgage", "1") is loaded
    decide_status(pool, "retired", clock)
    with pytest.raises(NotApproved):
        cache.get("boston-mortgage")
    assert cache.get_any("boston-mortgage", "1") is loaded
    cache.forget_approved("boston-mortgage")
    assert cache.get_any("boston-mortgage", "1") is not loaded


def test_a_version_read_back_explains_as_it_did_when_it_was_registered(
    pool: Pool, registered: PreparedVersion, cache_folder: Path
) -> None:
    mine, before = (
        VersionCache(pool, cache_dir=cache_folder).get_any("boston-mortgage", "1"),
        registered.loaded,
    )
    for field in ("manifest", "manifest_digest", "artifact_digest", "uploaded_digest", "reference_digest"):
        assert getattr(mine, field) == getattr(before, field)
    assert (mine.catalogue, mine.factors, mine.rule) == (before.catalogue, before.factors, before.rule)
    row = before.reference.rows[0]
    base_value, phi = mine.shap.explain(row)
    expected, same = before.shap.explain(row)
    assert base_value == expected
    np.testing.assert_array_equal(phi, same)


def test_a_version_whose_tables_were_changed_is_loaded_anew(
    pool: Pool, registered: PreparedVersion, tmp_path: Path
) -> None:
    cache = VersionCache(pool, cache_dir=tmp_path)
    loaded = cache.get_any("boston-mortgage", "1")
    row = loaded.reference.rows[0]
    expected = loaded.shap.explain(row)[1]
    for file in tmp_path.glob("treeshap-*.tables"):
        file.chmod(0o600)
        file.write_bytes(file.read_bytes()[:-1] + b"!")
    with pytest.raises(TablesChanged):
        loaded.shap.explain(row)
    again = cache.get_any("boston-mortgage", "1")
    assert again is not loaded
    assert cache.get_any("boston-mortgage", "1") is again
    np.testing.assert_array_equal(again.shap.explain(row)[1], expected)


def choose(pool: Pool, words: Catalogue, clock: FixedClock) -> None:
    with pool.connection() as conn:
        catalogue_store.set_catalogue(
            conn, "boston-mortgage", "1", words, by="x", note=None, entry_id=uuid4(), now=clock.now()
        )


def test_every_process_words_by_the_catalogue_of_now_and_keeps_its_tables(
    pool: Pool, registered: PreparedVersion, clock: FixedClock, cache_folder: Path
) -> None:
    decide_status(pool, "approved", clock)
    caches = [VersionCache(pool, cache_dir=cache_folder) for _ in range(2)]
    first = [cache.get("boston-mortgage") for cache in caches]
    body = registered.content.catalogue.body.replace(b"Age of applicant", b"Years of age")
    body = body.replace(b"boston-mortgage@1", b"other-words")
    other = Catalogue("other-words", "1", digest_of(body), body)
    choose(pool, other, clock)
    for cache, before in zip(caches, first, strict=True):
        after = cache.get("boston-mortgage")
        assert after.catalogue == other
        assert after.words.factors["age"].wordings[0].texts == {"en": "Years of age"}
        assert after.shap is before.shap
        assert cache.get("boston-mortgage") is after
        assert cache.load_all_approved() == ()
    assert first[0].words.factors["age"].wordings[0].texts == {"en": "Age of applicant"}
    choose(pool, registered.content.catalogue, clock)
    assert caches[0].get("boston-mortgage").catalogue == registered.content.catalogue


def test_one_thread_loads_while_the_others_wait(
    pool: Pool, registered: PreparedVersion, monkeypatch: pytest.MonkeyPatch, cache_folder: Path
) -> None:
    cache, start, loads = VersionCache(pool, cache_dir=cache_folder), threading.Barrier(6), []
    real = loading.assemble

    def slow(*given: Any, **named: Any) -> LoadedVersion:
        loads.append(threading.get_ident())
        time.sleep(0.2)
        return real(*given, **named)

    monkeypatch.setattr(loading, "assemble", slow)
    found: list[LoadedVersion] = []

    def ask() -> None:
        start.wait()
        found.append(cache.get_any("boston-mortgage", "1"))

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(loads) == 1
    assert len(found) == 6
    assert len({id(loaded) for loaded in found}) == 1


def test_a_failure_reaches_everyone_and_is_not_kept(
    pool: Pool, registered: PreparedVersion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = registered.content.identity.artifact_digest
    cache = VersionCache(pool, cache_dir=tmp_path)
    monkeypatch.setattr(store, "digest_of", lambda _: "sha256:" + "0" * 64)
    with pytest.raises(BlobDamaged):
        cache.get_any("boston-mortgage", "1")
    monkeypatch.undo()
    assert cache.get_any("boston-mortgage", "1").artifact_digest == digest


def test_the_cache_is_bounded_and_drops_what_was_asked_for_longest_ago(
    pool: Pool,
    registered: PreparedVersion,
    monkeypatch: pytest.MonkeyPatch,
    clock: FixedClock,
    cache_folder: Path,
) -> None:
    with pool.connection() as conn:
        for version in ("2", "3"):
            identity = replace(registered.content.identity, version=version)
            catalogue = replace(registered.content.catalogue, name=f"boston-mortgage@{version}")
            content = replace(registered.content, identity=identity, catalogue=catalogue)
            store.insert_version(conn, content, entry_id=uuid4(), now=clock.now())
    cache = VersionCache(pool, cache_dir=cache_folder, capacity=2)
    loads: list[str] = []
    real = loading.assemble

    def counted(*given: Any, **named: Any) -> LoadedVersion:
        loads.append("load")
        return real(*given, **named)

    monkeypatch.setattr(loading, "assemble", counted)
    for version in ("1", "2", "1", "3", "1"):
        cache.get_any("boston-mortgage", version)
    assert len(loads) == 3
    cache.get_any("boston-mortgage", "2")
    assert len(loads) == 4
