"""The log as a folder that anybody can follow without us (C2SP tlog-tiles): tiles, entry bundles, checkpoint.

Only what is committed is copied; every tile is derived again from the entries' bytes on the way. A file that
is there is never replaced by another content, and the checkpoint comes last and never goes back: so a folder
that is ahead of the database, or tells another history, betrays a database that was put back or rewritten.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from audit.checkpoint import Checkpoint, check_origin, verify_checkpoint
from audit.cosignature import CosignerKey, read_cosignatures
from audit.database import Connection, Pool, session
from audit.errors import IntegrityHalt, MalformedNote
from audit.merkle import leaf_hash
from audit.note import Verifier, within
from audit.queries import LOG
from audit.tile_paths import CHECKPOINT, bundle, entries_path, tile_path
from audit.tiles import WIDTH, Edge, full_tiles
from audit.tree import (
    COSIGNATURE_TIME,
    StoredCheckpoint,
    StoredTree,
    checkpoint_at,
    newest_checkpoint,
    with_cosignatures,
)

_MOST: Final = 1 << 16  # leaves in one go: after a crash no more than that is done again


class Folder:
    """A folder that holds one log's public files."""

    def __init__(self, path: Path) -> None:
        """Take the folder; it is made when it is missing."""
        self._path = path
        self._touched: set[Path] = set()

    @contextmanager
    def held(self) -> Iterator[bool]:
        """Hold the folder alone; False when another publisher has it."""
        self._path.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True
        finally:
            os.close(descriptor)

    def checkpoint(self) -> str | None:
        """Return the published checkpoint."""
        try:
            return (self._path / CHECKPOINT).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except UnicodeDecodeError as error:
            raise IntegrityHalt("the published checkpoint is not text") from error

    def put(self, name: str, content: bytes) -> None:
        """Write a file once; raise `IntegrityHalt` if it is there with another content."""
        path = self._path / name
        try:
            if path.read_bytes() == content:
                return
        except FileNotFoundError:
            self._write(path, content)
        else:
            raise IntegrityHalt(f"{name} was published with another content")

    def advance(self, note: str) -> None:
        """Make everything written so far last, then replace the checkpoint."""
        self._sync()
        self._write(self._path / CHECKPOINT, note.encode())
        self._sync()

    def drop_partial(self, name: str) -> None:
        """Take the partial forms of a file away whose full form has been published before."""
        folder = self._path / f"{name}.p"
        if folder.is_dir():
            for file in folder.iterdir():
                file.unlink()
            folder.rmdir()

    def _write(self, path: Path, content: bytes) -> None:
        self._make(path.parent)
        staging = self._path / ".new"
        with staging.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        staging.replace(path)
        self._touched.add(path.parent)

    def _make(self, folder: Path) -> None:
        if not folder.is_dir():
            self._make(folder.parent)
            folder.mkdir()
            self._touched.add(folder.parent)

    def _sync(self) -> None:
        for folder in self._touched:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        self._touched.clear()


class Publisher:
    """Keeps a folder up to date with a log. Any number may run; one at a time has the folder."""

    def __init__(
        self,
        pool: Pool,
        path: Path,
        origin: str,
        verifiers: Sequence[Verifier],
        *,
        witnesses: Sequence[CosignerKey] = (),
    ) -> None:
        """Take a pool that may read the tree and the entries, and every checkpoint key the log ever had.

        Where there are witnesses, a checkpoint waits some seconds for one of them before it is published.
        """
        self._pool = pool
        self._folder = Folder(path)
        self._origin = check_origin(origin)
        self._verifiers = tuple(verifiers)
        self._witnesses = tuple(witnesses)
        self._waiting_since: float | None = None  # for a cosignature
        self._compared = False
        self._full: list[str] = []  # what became full in the last publication

    def step(self) -> bool:
        """Publish up to some thousands of entries; tell whether there was something to do.

        Raises `IntegrityHalt` when folder and database contradict each other, and OSError. The first time it
        compares them even while another publisher has the folder.
        """
        if not self._compared:
            self._compare()
            self._compared = True
        with self._folder.held() as alone:
            return alone and self._publish()

    def _compare(self) -> None:
        _, published = self._published()
        with session(self._pool) as connection:
            connection.execute(LOG["one_snapshot"])
            self._edge(connection, published)

    def _published(self) -> tuple[str | None, Checkpoint | None]:
        text = self._folder.checkpoint()
        return text, None if text is None else self._verified(text, "the published checkpoint")

    def _publish(self) -> bool:
        text, published = self._published()
        start = published.tree_size if published else 0
        with session(self._pool) as connection:
            connection.execute(LOG["one_snapshot"])
            edge = self._edge(connection, published)
            target = self._target(connection, start)
            if target is None:
                return False
            note = with_cosignatures(connection, target).note
        vouching = self._vouching(note)
        if text is not None and target.tree_size == start and vouching <= self._vouching(text):
            return False
        checkpoint = self._verified(note, f"checkpoint {target.tree_size}")
        if (checkpoint.tree_size, checkpoint.root) != (target.tree_size, target.root):
            raise IntegrityHalt(f"checkpoint {target.tree_size}: the note says otherwise than its row")
        full = self._copy(edge, target.tree_size)
        if edge.root() != target.root:
            raise IntegrityHalt(f"the entries do not have the root that was signed for {target.tree_size}")
        self._folder.advance(note)
        for name in self._full:
            self._folder.drop_partial(name)
        self._full = full
        self._waiting_since = None
        return True

    def _target(self, connection: Connection, published: int) -> StoredCheckpoint | None:
        """Return what to publish next: what is cosigned, or has waited in vain, or what is there already."""
        cosigned = self._newest_cosigned(connection)
        if cosigned is not None and published < cosigned.tree_size <= published + _MOST:
            return cosigned
        following = _next(connection, published)
        behind = cosigned is not None and cosigned.tree_size > published
        if following is not None and (behind or not self._witnesses or self._has_waited()):
            return following
        return checkpoint_at(connection, published)

    def _newest_cosigned(self, connection: Connection) -> StoredCheckpoint | None:
        keys = [key.key_id for key in self._witnesses]
        row = connection.execute(LOG["newest_cosigned_by"], {"key_ids": keys}).fetchone()
        return None if row is None else StoredCheckpoint(*row)

    def _has_waited(self) -> bool:
        """Tell whether what is not cosigned has waited long enough; it waits from the first time on."""
        if self._waiting_since is None:
            self._waiting_since = time.monotonic()
        return time.monotonic() - self._waiting_since >= COSIGNATURE_TIME.total_seconds()

    def _vouching(self, note: str) -> int:
        """Count the lines on a checkpoint that were verified: the log's and its witnesses'."""
        try:
            checkpoint, signed_by = verify_checkpoint(note, self._verifiers)
            able = within(self._witnesses, checkpoint.tree_size)
            return len(signed_by) + len(read_cosignatures(note, able))
        except MalformedNote as error:
            raise IntegrityHalt(f"a checkpoint with a line that is wrong: {error}") from error

    def _verified(self, note: str, what: str) -> Checkpoint:
        try:
            checkpoint, _ = verify_checkpoint(note, self._verifiers)
        except MalformedNote as error:
            raise IntegrityHalt(f"{what}: {error}") from error
        if checkpoint.origin != self._origin:
            raise IntegrityHalt(f"{what} is of another log, {checkpoint.origin}")
        return checkpoint

    def _edge(self, connection: Connection, published: Checkpoint | None) -> Edge:
        """Return the right edge at what was published, after comparing the database with it."""
        if published is None:
            return Edge()
        newest = newest_checkpoint(connection)
        size = newest.tree_size if newest else 0
        if published.tree_size > size:
            raise IntegrityHalt(
                f"a tree of {published.tree_size} was published, the database has one of {size}: an older "
                "state was put back"
            )
        edge = StoredTree(connection).edge(published.tree_size)
        if edge.root() != published.root:
            raise IntegrityHalt(f"another tree of {published.tree_size} was published: history was rewritten")
        return edge

    def _copy(self, edge: Edge, size: int) -> list[str]:
        """Write bundles and tiles up to a size, let the edge grow with them, and return what became full."""
        full: list[str] = []
        position = edge.size - edge.size % WIDTH
        while position < size:
            stop = min(position + WIDTH, size)
            entries = self._entries(position, stop)
            hashes = [leaf_hash(entry) for entry in entries]
            known = edge.size - position
            if hashes[:known] != edge.partial[0]:
                raise IntegrityHalt(f"an entry from {position} on is not the one that was published")
            self._folder.put(entries_path(position // WIDTH, len(entries)), bundle(entries))
            for tile in edge.append(hashes[known:]):
                full.append(tile_path(tile.level, tile.index))
                self._folder.put(full[-1], tile.hashes)
                if tile.level == 0:
                    full.append(entries_path(tile.index))
            position = stop
        for level, partial in enumerate(edge.partial):
            if partial:
                name = tile_path(level, full_tiles(level, size), len(partial))
                self._folder.put(name, b"".join(partial))
        return full

    def _entries(self, start: int, stop: int) -> list[bytes]:
        with session(self._pool) as connection:
            rows = connection.execute(LOG["entries_between"], {"start": start, "stop": stop}).fetchall()
        if [index for index, _ in rows] != list(range(start, stop)):
            raise IntegrityHalt(f"an entry between {start} and {stop} is missing")
        return [canonical for _, canonical in rows]


def _next(connection: Connection, after: int) -> StoredCheckpoint | None:
    """Return the largest signed checkpoint within reach, or the next one however far it is."""
    row = connection.execute(LOG["next_checkpoint"], {"after": after, "most": _MOST}).fetchone()
    return None if row is None else StoredCheckpoint(*row)
