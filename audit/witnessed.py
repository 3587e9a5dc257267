"""What witnesses have said of the stored checkpoints, and whether that can be believed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from audit.cosignature import CosignerKey, read_cosignatures
from audit.database import Connection
from audit.errors import MalformedNote
from audit.note import within
from audit.queries import LOG


@dataclass(frozen=True, slots=True)
class Witnessed:
    """The largest tree that one witness has cosigned; `verified` is None where its key was not given.

    `cosigned_at` is None where the row has no time that can be read.
    """

    key_id: str
    tree_size: int
    cosigned_at: datetime | None
    verified: bool | None


def latest_cosignatures(
    connection: Connection, tree_size: int, keys: Sequence[CosignerKey]
) -> Iterator[Witnessed]:
    """Yield each witness's last word on a tree up to this size, checked with the keys that are given."""
    rows = connection.execute(LOG["latest_cosignatures"], {"tree_size": tree_size}).fetchall()
    for key_id, size, cosigned_at, line, note in rows:
        known = [key for key in keys if key.key_id == key_id]
        verified = _holds(note + line, within(known, size)) if known else None
        yield Witnessed(key_id, size, cosigned_at, verified)


def _holds(note: str, able: Sequence[CosignerKey]) -> bool:
    """Tell whether one of them cosigned; a past key does not for a tree larger than its limit."""
    try:
        return bool(read_cosignatures(note, able))
    except MalformedNote:
        return False
