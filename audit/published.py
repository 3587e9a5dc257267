"""A log as somebody else may follow it: a folder with its checkpoint, tiles and entries (C2SP tlog-tiles)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from audit import merkle, tiles
from audit.entry import Entry, parse_entry
from audit.errors import MalformedNote, MalformedProof, VerificationFailed
from audit.tile_paths import CHECKPOINT, ENTRIES, tile_path
from audit.trust import CannotCheck, SignedCheckpoint, Trust, step

_FILE_LIMIT_BYTES = 16 << 20
_LENGTH_BYTES = 2


@dataclass(frozen=True, slots=True)
class PublishedLog:
    """A folder whose leaves have the root that its checkpoint signs."""

    folder: Path
    signed: SignedCheckpoint
    leaves: tuple[bytes, ...]
    newest: datetime | None

    @property
    def latest(self) -> datetime | None:
        """Return a time at or after which this copy was made: of its newest entry, or of a cosignature."""
        times = [self.newest] if self.newest else []
        return max([*times, *(one.time for one in self.signed.cosignatures)], default=None)

    def root(self, size: int) -> bytes:
        """Return the root of its first leaves."""
        return merkle.root(self.leaves[:size])

    def index_of(self, leaf: bytes) -> int | None:
        """Return where a leaf stands; None if the tree does not have it."""
        return self.leaves.index(leaf) if leaf in self.leaves else None

    def entry(self, index: int) -> Entry:
        """Return the entry that is the leaf at this index; raise as `read_published` does."""
        with step("published log"):
            number, place = divmod(index, tiles.WIDTH)
            return parse_entry(_bundle(self.folder, number, self.leaves)[place])


def read_published(folder: Path, trust: Trust) -> PublishedLog:
    """Read all leaf hashes and make the root of them again; read the newest entries for their times.

    Raises `VerificationFailed`, or `CannotCheck` where a file is missing.
    """
    with step("published log"):
        try:
            note = _read(folder / CHECKPOINT).decode()
        except UnicodeDecodeError as error:
            raise MalformedNote("a note is UTF-8") from error
        signed = trust.checkpoint(note)
        size = signed.checkpoint.tree_size
        leaves: list[bytes] = []
        for number in range(-(-size // tiles.WIDTH)):
            leaves += tiles.cut(_tile(folder, "0", number, size))
        if len(leaves) != size or merkle.root(leaves) != signed.checkpoint.root:
            raise MalformedProof("its leaves do not have the root that was signed")
        newest = _bundle(folder, (size - 1) // tiles.WIDTH, leaves) if size else []
        times = [parse_entry(entry).time for entry in newest]
        return PublishedLog(folder, signed, tuple(leaves), max(times, default=None))


def _bundle(folder: Path, number: int, leaves: Sequence[bytes]) -> list[bytes]:
    """Return the entries of one bundle, after comparing them with their leaves."""
    bundle, entries = _tile(folder, ENTRIES, number, len(leaves)), []
    for leaf in leaves[number * tiles.WIDTH : (number + 1) * tiles.WIDTH]:
        end = _LENGTH_BYTES + int.from_bytes(bundle[:_LENGTH_BYTES])
        entry, bundle = bundle[_LENGTH_BYTES:end], bundle[end:]
        if merkle.leaf_hash(entry) != leaf:
            raise MalformedProof("an entry is not that of its leaf")
        entries.append(entry)
    return entries


def _tile(folder: Path, kind: str, number: int, size: int) -> bytes:
    """Return a tile of the tree of this size; the full one serves where the partial one is gone."""
    width = min(tiles.WIDTH, size - number * tiles.WIDTH)
    partial = folder / tile_path(kind, number, width)
    data = _read(partial if partial.is_file() else folder / tile_path(kind, number))
    return data if kind == ENTRIES else data[: width * merkle.HASH_SIZE]


def _read(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise CannotCheck("published log", f"{path.name} is not there")
        with path.open("rb") as file:
            data = file.read(_FILE_LIMIT_BYTES + 1)
    except OSError as error:
        raise CannotCheck("published log", f"{path.name}: {error.strerror}") from error
    if len(data) > _FILE_LIMIT_BYTES:
        raise VerificationFailed("published log", f"{path.name} has more than {_FILE_LIMIT_BYTES} bytes")
    return data
