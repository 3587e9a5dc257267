"""The public keys that the log makes known: who signs, who signed, and up to which tree a past one may.

Nothing is verified by what stands here: whoever writes into the database could name keys. Trust is told by
the operator, in the settings.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from audit.checkpoint import verify_checkpoint
from audit.database import Connection
from audit.errors import LimitContradicted, MalformedNote
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


def publish_limit(connection: Connection, key: Verifier, beside: Sequence[Verifier], now: datetime) -> None:
    """Make known up to which tree a past checkpoint key may be believed; what was said last is shown.

    `beside` are all keys of the log that are trusted. Raises `LimitContradicted` where this one alone has
    signed a larger tree: what is said cannot be taken back. It is looked for when a limit is new.
    """
    if key.limit is None:
        return
    said = {"vkey": key.vkey, "tree_size": key.limit}
    if connection.execute(LOG["is_new_limit"], said).fetchone() == (True,):
        others = [
            _line(one)
            for one in beside
            if one.key_id != key.key_id and (one.limit is None or one.limit > key.limit)
        ]
        asked = {**said, "line": _line(key), "other_lines": others}
        row = connection.execute(LOG["signed_beyond"], asked).fetchone()
        if row is not None and (size := _signed(row[0], key)):
            raise LimitContradicted(
                f"{key.key_id} is given for trees of up to {key.limit} only, but alone signed one of {size}"
            )
    connection.execute(LOG["publish_key_limit"], {**said, "since": now})


def _line(key: Verifier) -> str:
    """Return how a signature line of this key begins: five digits of base64 are of the key hash alone."""
    return f"\n— {key.name} {base64.b64encode(key.key_hash).decode()[:5]}"


def _signed(note: str, key: Verifier) -> int | None:
    """Return the size of a tree that this key has signed; None if it has not."""
    try:
        return verify_checkpoint(note, [replace(key, limit=None)])[0].tree_size
    except MalformedNote:
        return None
