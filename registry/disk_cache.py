"""Artifacts on local disk by digest: the database holds the truth; what disk holds is checked when read."""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from registry.digests import digest_of

logger = logging.getLogger(__name__)


class DiskCache:
    """Bytes by digest, below one folder. A folder that cannot be written only makes it slower."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "blobs"

    def get(self, digest: str, fetch: Callable[[str], bytes]) -> bytes:
        """Return the bytes of this digest from disk, or else from `fetch`, which has checked them."""
        path = self._folder / digest.removeprefix("sha256:")
        with contextlib.suppress(OSError):
            found = path.read_bytes()
            if digest_of(found) == digest:
                return found
            logger.warning("a cached artifact was damaged and is fetched again")
        content = fetch(digest)
        try:
            self._write(path, content)
        except OSError:
            logger.warning("an artifact could not be cached on disk")
        return content

    def _write(self, path: Path, content: bytes) -> None:
        """Write beside the place and rename: a reader sees all of it or nothing."""
        self._folder.mkdir(parents=True, exist_ok=True)
        descriptor, beside = tempfile.mkstemp(dir=self._folder, prefix=".writing-")
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(content)
            Path(beside).replace(path)
        except OSError:
            Path(beside).unlink(missing_ok=True)
            raise
