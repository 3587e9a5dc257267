"""A log as somebody else may follow it: a folder with its checkpoint, tiles and entries (C2SP tlog-tiles)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from audit import merkle, tiles
from audit.entry import parse_entry
from audit.errors import MalformedNote, MalformedProof, VerificationFailed
from audit.tile_paths import CHECKPOINT, ENTRIES, tile_path
from audit.trust import CannotCheck, SignedCheckpoint, Trust, step

_FILE_LIMIT_BYTES = 16 << 20
_LENGTH_BYTES = 2


@dataclass(frozen=True, slots=True)
class PublishedLog:
    """A folder whose leaves have the root that its checkpoint signs."""

    signed: SignedCheckpoint
    leaves: tuple[bytes, ...]
    newest: datetime | None

    def root(self, size: int) -> bytes:
        """Return the root of its first leaves."""
        return merkle.root(self.leaves[:size])

    def index_of(self, leaf: bytes) -> int | None:
        """Return where a leaf stands; None if the tree does not have it."""
        return self.leaves.index(leaf) if leaf in self.leaves else None


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
        return PublishedLog(signed, tuple(leaves), _newest(folder, leaves))


def _newest(folder: Path, leaves: list[bytes]) -> datetime | None:
    """Return the latest time in the last bundle of entries, after comparing them with their leaves."""
    if not leaves:
        return None
    number = (len(leaves) - 1) // tiles.WIDTH
    bundle, times = _tile(folder, ENTRIES, number, len(leaves)), []
    for leaf in leaves[number * tiles.WIDTH :]:
        end = _LENGTH_BYTES + int.from_bytes(bundle[:_LENGTH_BYTES])
        entry, bundle = bundle[_LENGTH_BYTES:end], bundle[end:]
        if merkle.leaf_hash(entry) != leaf:
            raise MalformedProof("an entry is not that of its leaf")
        times.append(parse_entry(entry).time)
    return max(times)


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
