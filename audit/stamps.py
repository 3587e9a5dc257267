"""Which checkpoints were stamped by which time-stamp authority, kept beside them for ever."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from audit.database import Connection, Pool, session
from audit.queries import LOG
from audit.tree import StoredCheckpoint, newest_checkpoint


@dataclass(frozen=True, slots=True)
class StoredStamp:
    """An authority's answer (RFC 3161, DER) over the bytes of a checkpoint's note, without cosignatures."""

    tree_size: int
    authority: str
    stamped_at: datetime
    response: bytes
    note: str


def first_stamp(connection: Connection, tree_size: int) -> StoredStamp | None:
    """Return the stamp of the smallest stamped tree of at least this size; None if there is none yet."""
    row = connection.execute(LOG["first_timestamp"], {"tree_size": tree_size}).fetchone()
    return None if row is None else StoredStamp(*row)


def checkpoint_to_stamp(
    pool: Pool, authority: str, now: datetime, every: timedelta
) -> StoredCheckpoint | None:
    """Return the newest checkpoint if it is new to this authority and the last stamp is old enough."""
    with session(pool) as connection:
        newest = newest_checkpoint(connection)
        last = connection.execute(LOG["newest_timestamp"], {"authority": authority}).fetchone()
    if newest is None or (last is not None and (last[0] >= newest.tree_size or now - last[1] < every)):
        return None
    return newest


def keep_timestamp(pool: Pool, tree_size: int, authority: str, stamped_at: datetime, response: bytes) -> None:
    """Keep an authority's verified answer."""
    with session(pool) as connection:
        connection.execute(
            LOG["keep_timestamp"],
            {
                "tree_size": tree_size,
                "authority": authority,
                "stamped_at": stamped_at,
                "response": response,
            },
        )
