"""Artifacts on disk: checked when read, written whole, and no worse than slow where disk fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from registry.digests import digest_of
from registry.disk_cache import DiskCache
from registry.errors import BlobMissing

CONTENT = b"trees" * 1000
DIGEST = digest_of(CONTENT)


class Database:
    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, digest: str) -> bytes:
        self.asked += 1
        if digest != DIGEST:
            raise BlobMissing(digest)
        return CONTENT


def test_bytes_are_fetched_once_and_then_read_from_disk(tmp_path: Path) -> None:
    database = Database()
    for _ in range(3):
        assert DiskCache(tmp_path / "deep" / "er").get(DIGEST, database) == CONTENT
    assert database.asked == 1
    assert [path.name for path in (tmp_path / "deep" / "er" / "blobs").iterdir()] == [
        DIGEST.removeprefix("sha256:")
    ]


@pytest.mark.parametrize("damage", [b"", CONTENT[:-1], CONTENT + b"x", b"X" + CONTENT[1:]])
def test_a_damaged_file_is_never_used_and_is_mended(tmp_path: Path, damage: bytes) -> None:
    database = Database()
    cache = DiskCache(tmp_path)
    cache.get(DIGEST, database)
    (path,) = (tmp_path / "blobs").iterdir()
    path.write_bytes(damage)
    assert cache.get(DIGEST, database) == CONTENT
    assert path.read_bytes() == CONTENT
    assert database.asked == 2


def test_a_folder_that_cannot_be_written_only_makes_it_slower(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    database = Database()
    cache = DiskCache(tmp_path / "file")
    assert [cache.get(DIGEST, database), cache.get(DIGEST, database)] == [CONTENT, CONTENT]
    assert database.asked == 2


def test_what_the_database_lacks_is_not_cached(tmp_path: Path) -> None:
    other = digest_of(b"other")
    with pytest.raises(BlobMissing):
        DiskCache(tmp_path).get(other, Database())
    assert not (tmp_path / "blobs").exists()
