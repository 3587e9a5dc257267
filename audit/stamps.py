"""Which checkpoints were stamped by which time-stamp authority, kept beside them for ever."""

from __future__ import annotations

from datetime import datetime, timedelta

from audit.database import Pool, session
from audit.queries import LOG
from audit.tree import StoredCheckpoint, newest_checkpoint


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
