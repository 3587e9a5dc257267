"""The public keys that the log makes known: who signs, who signed, and up to which tree a past one may.

Nothing is verified by what stands here: whoever writes into the database could name keys. Trust is told by
the operator, in the settings.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from audit.database import Connection
from audit.note import Verifier
from audit.queries import LOG


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key that signs or signed for this log.

    `limit` is the size of the largest tree that a past checkpoint key may sign, made known at `limited_at`.
    """

    role: str
    vkey: str
    since: datetime
    limit: int | None = None
    limited_at: datetime | None = None

    @property
    def trusted(self) -> str:
        """Return it as a verifier takes it: a past key with its limit."""
        return self.vkey if self.limit is None else f"{self.vkey}@{self.limit}"


def verifier_keys(connection: Connection) -> list[VerifierKey]:
    """Return present and past verifier keys, the newest of each role first."""
    return [VerifierKey(*row) for row in connection.execute(LOG["verifier_keys"]).fetchall()]


def publish_verifier_key(connection: Connection, role: str, vkey: str, now: datetime) -> None:
    """Make a public key known for ever, through a connection of whoever may; again, it changes nothing."""
    connection.execute(LOG["publish_verifier_key"], {"role": role, "vkey": vkey, "since": now})


def publish_limit(connection: Connection, key: Verifier, now: datetime) -> None:
    """Make known up to which tree a past checkpoint key may be believed; the smallest limit stays."""
    if key.limit is not None:
        said = {"vkey": key.vkey, "tree_size": key.limit, "since": now}
        connection.execute(LOG["publish_key_limit"], said)
