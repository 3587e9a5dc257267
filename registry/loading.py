"""Loaded model versions, each in memory once: bounded, loaded by one thread while others wait."""

from __future__ import annotations

import threading
from collections import OrderedDict
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

from psycopg import Connection
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool

from explain.reference import Reference
from registry import store
from registry.catalogues import read_catalogue
from registry.disk_cache import DiskCache
from registry.errors import NotApproved
from registry.loaded_version import TABLE_BYTES, LoadedVersion, assemble, understand
from registry.manifests import read_stored_manifest
from registry.version_row import ServingRow, VersionKey

__all__ = ["LoadedVersion", "VersionCache"]

Pool = ConnectionPool[Connection[TupleRow]]


class VersionCache:
    """Model versions by their content; whether one may serve is asked of the database every time.

    Driver errors of the database pass through as they are.
    """

    def __init__(
        self,
        pool: Pool,
        *,
        cache_dir: Path,
        table_bytes: int = TABLE_BYTES,
        capacity: int = 16,
        single_statements: Pool | None = None,
    ) -> None:
        """`single_statements` lends connections in autocommit, to ask whether a version may serve."""
        self._pool = pool
        self._single_statements = single_statements or pool
        self._cache_dir = cache_dir
        self._table_bytes = table_bytes
        self._disk = DiskCache(cache_dir)
        self._capacity = capacity
        self._lock = threading.Lock()
        self._proved: set[VersionKey] = set()
        self._loaded: OrderedDict[VersionKey, Future[LoadedVersion]] = OrderedDict()

    def get(self, model: str, version: str | None = None) -> LoadedVersion:
        """Return the approved version, or this one if it is approved.

        Raises ModelUnknown, VersionUnknown or NotApproved, or what loading raises.
        """
        with self._single_statements.connection() as conn:
            row = store.serving_row(conn, model, version)
        if row.status != "approved":
            raise NotApproved(model, version)
        return self._load(row)

    def get_any(self, model: str, version: str) -> LoadedVersion:
        """Return this version whatever its status: to replay and to cross-check what was decided with it."""
        with self._pool.connection() as conn:
            row = store.serving_row(conn, model, version)
        return self._load(row)

    def get_recorded(self, row: ServingRow) -> LoadedVersion:
        """Return what an entry names, by its digests and its catalogue, whatever the registry says today.

        What serves is left as it is: one that differs in its catalogue alone lends everything else, and what
        must be loaded anew is the first to be dropped.
        """
        key = row.key
        with self._lock:
            alike = [
                (known, loading)
                for known, loading in self._loaded.items()
                if known.without_words == key.without_words and _usable(loading)
            ]
        for known, loading in alike:
            if known == key:
                return loading.result()
        if alike:
            return self._reworded(alike[0][1].result(), row)
        loaded = self._load(row)
        with self._lock:
            if key in self._loaded:
                self._loaded.move_to_end(key, last=False)
        return loaded

    def load_all_approved(self) -> tuple[LoadedVersion, ...]:
        """Load every version that serves and never was loaded; the first that cannot be loaded raises.

        Returns those that it loaded.
        """
        with self._pool.connection() as conn:
            rows = store.serving_rows(conn)
        return tuple(self._load(row) for row in rows if row.key not in self._proved)

    def forget_approved(self, model: str) -> None:
        """Let go of versions of this model that do not serve any more; a replay loads them again."""
        with self._pool.connection() as conn:
            serving = {row.key for row in store.serving_rows(conn)}
        with self._lock:
            for key in [key for key in self._loaded if key.model == model and key not in serving]:
                del self._loaded[key]

    def _load(self, row: ServingRow) -> LoadedVersion:
        """Load once: the first to ask loads, all others wait for it; a failure is not kept."""
        key = row.key
        with self._lock:
            waiting = self._loaded.get(key)
            if waiting is not None and not _spoilt(waiting):
                self._loaded.move_to_end(key)
            else:
                mine: Future[LoadedVersion] = Future()
                self._loaded[key] = mine
                waiting, other = None, self._otherwise_worded(key)
        if waiting is not None:
            return waiting.result()
        try:
            loaded = self._read(row) if other is None else self._reworded(other, row)
        except BaseException as error:
            with self._lock:
                if self._loaded.get(key) is mine:
                    del self._loaded[key]
            mine.set_exception(error)
            raise
        mine.set_result(loaded)
        self._proved.add(key)
        self._evict()
        return loaded

    def _otherwise_worded(self, key: VersionKey) -> LoadedVersion | None:
        """Take out the same version with another catalogue, if it is loaded; to be called under the lock."""
        for known, loading in self._loaded.items():
            if known != key and known.without_words == key.without_words and loading.done():
                del self._loaded[known]
                return None if loading.exception() is not None or _spoilt(loading) else loading.result()
        return None

    def _reworded(self, loaded: LoadedVersion, row: ServingRow) -> LoadedVersion:
        """Give a loaded version another catalogue; its tables stay as they are."""
        with self._pool.connection() as conn:
            catalogue = store.get_catalogue(conn, row.catalogue_name, row.catalogue_version)
        return replace(loaded, catalogue=catalogue, words=read_catalogue(catalogue))

    def _evict(self) -> None:
        """Drop the versions that were asked for longest ago, as many as are too many."""
        with self._lock:
            finished = [key for key, future in self._loaded.items() if future.done()]
            for key in finished[: max(0, len(self._loaded) - self._capacity)]:
                del self._loaded[key]

    def _read(self, row: ServingRow) -> LoadedVersion:
        """Build a version from its stored bytes, each compared with its digest."""
        manifest, artifact, frozen = (
            self._disk.get(digest, self._fetch)
            for digest in (row.manifest_digest, row.artifact_digest, row.reference_digest)
        )
        with self._pool.connection() as conn:
            catalogue = store.get_catalogue(conn, row.catalogue_name, row.catalogue_version)
        understood = understand(read_stored_manifest(manifest), artifact)
        reference = Reference.from_bytes(frozen, kind=row.reference_kind, band=row.reference_band)
        return assemble(
            understood,
            reference,
            uploaded_digest=row.uploaded_digest,
            catalogue=catalogue,
            cache_dir=self._cache_dir,
            table_bytes=self._table_bytes,
        )

    def _fetch(self, digest: str) -> bytes:
        with self._pool.connection() as conn:
            return store.read_blob(conn, digest)


def _usable(loading: Future[LoadedVersion]) -> bool:
    """Tell whether a version is loaded and its tables are as they were."""
    return loading.done() and loading.exception() is None and not _spoilt(loading)


def _spoilt(loading: Future[LoadedVersion]) -> bool:
    """Tell whether somebody changed the tables of a version that is loaded: it must be loaded anew."""
    return loading.done() and loading.exception() is None and not loading.result().shap.intact
