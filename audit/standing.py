"""How far the log is: what waits, how large the tree is, what the witnesses have seen of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from audit.database import Pool, session
from audit.queries import LOG


@dataclass(frozen=True, slots=True)
class Standing:
    """One look at the log; `cosigned` is the largest size that each witness, by its name, has cosigned."""

    pending: int
    oldest: datetime | None
    tree_size: int
    cosigned: dict[str, int]

    def waiting_seconds(self, now: datetime) -> float:
        """Return how long the oldest entry has waited for its place in the tree; 0 when none waits."""
        return 0.0 if self.oldest is None else max(0.0, (now - self.oldest).total_seconds())


def read_standing(pool: Pool) -> Standing:
    """Look at the log, in one snapshot."""
    with session(pool) as connection:
        connection.execute(LOG["one_snapshot"])
        row = connection.execute(LOG["standing"]).fetchone()
        cosigned = connection.execute(LOG["cosigned_sizes"]).fetchall()
    pending, oldest, tree_size = row if row is not None else (0, None, 0)
    sizes: dict[str, int] = {}
    for name, size in cosigned:  # a witness may have had several keys under one name
        sizes[name] = max(size, sizes.get(name, 0))
    return Standing(pending, oldest, tree_size, sizes)
