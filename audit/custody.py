"""What the key custodian may do: destroy keys that it cannot read, and drop what has expired.

None of this needs the master key. What the custodian puts on record has no private part.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass
from datetime import date, datetime
from typing import LiteralString
from uuid import UUID

import psycopg

from audit.database import Connection, Pool, named_failures, session
from audit.entry import Appended, Draft, Entry, entry_bytes, new_id
from audit.errors import AuditUnavailable, CustodyRefused, MalformedEntry
from audit.keys import key_ids_of_subject
from audit.queries import CUSTODY, KEYS, LOG

_BATCH = 1000


class KeyCustody:
    """The keys database as the custodian sees it: ids, never keys."""

    def __init__(self, pool: Pool) -> None:
        """Take a pool of the custodian's role on the keys database."""
        self._pool = pool

    def keys_of_subject(self, subject_key_id: UUID) -> list[UUID]:
        """Return the ids of the entry keys that hang on a subject's key."""
        with session(self._pool) as connection:
            return key_ids_of_subject(connection, subject_key_id)

    def destroy_subjects(self, subject_key_ids: Sequence[UUID], at: datetime) -> list[UUID]:
        """Destroy the keys of subjects; return those that were still there."""
        with session(self._pool) as connection:
            asked = {"subject_key_ids": list(subject_key_ids), "at": at}
            return [row[0] for row in connection.execute(KEYS["destroy_subject_keys"], asked).fetchall()]

    @contextmanager
    def locked(self, subject_key_id: UUID) -> Iterator[LockedSubject]:
        """Lock a subject's key for as long as this lasts; what is destroyed in it is gone when it ends."""
        with session(self._pool) as connection, connection.transaction():
            row = connection.execute(KEYS["lock_subject_key"], {"subject_key_id": subject_key_id}).fetchone()
            yield LockedSubject(connection, subject_key_id, there=row == (True,))

    def unlink_subject(self, subject_key_id: UUID, at: datetime) -> int:
        """Empty the entry keys under a destroyed key and let go of it; return how many hung on it."""
        with session(self._pool) as connection:
            return _number(connection, KEYS["unlink_subject"], {"subject_key_id": subject_key_id, "at": at})

    def destroy_entries(self, key_ids: Sequence[UUID], at: datetime) -> int:
        """Destroy the keys of entries, and of subjects left with none; return how many are destroyed now."""
        with session(self._pool) as connection:
            return _number(connection, KEYS["destroy_entry_keys"], {"key_ids": list(key_ids), "at": at})

    def discard_broken_connections(self) -> None:
        """Replace the connections that a restarted server has closed."""
        self._pool.check()


@dataclass(frozen=True, slots=True)
class LockedSubject:
    """The key of a subject, locked; `there` is False once it is destroyed."""

    _connection: Connection
    _subject_key_id: UUID
    _: KW_ONLY
    there: bool

    def key_ids(self) -> list[UUID]:
        """Return the ids of the entry keys that hang on it: no other can be added now."""
        return key_ids_of_subject(self._connection, self._subject_key_id)

    def destroy(self, at: datetime) -> None:
        """Destroy it."""
        asked = {"subject_key_ids": [self._subject_key_id], "at": at}
        self._connection.execute(KEYS["destroy_subject_keys"], asked).fetchall()


@dataclass(frozen=True, slots=True, order=True)
class Partition:
    """The payloads of one month and class."""

    month: date
    retention_class: str

    @property
    def name(self) -> str:
        """The month as an entry writes it, for instance `2026-11`."""
        return f"{self.month:%Y-%m}"

    @property
    def table(self) -> str:
        """The table that holds them."""
        return f"payload_{self.retention_class}_{self.month:%Y_%m}"


@dataclass(frozen=True, slots=True)
class PrivateEntries:
    """How many entries of a partition have a private part, and the digest of their ids."""

    count: int
    digest: str


def append_clear(conn: Connection, draft: Draft, now: datetime) -> Appended:
    """Append an entry without a private part, in the caller's transaction."""
    if draft.private is not None or draft.idempotency is not None:
        raise MalformedEntry("what has a private part or a key is appended with the master key")
    entry = Entry(new_id(now), draft.type, now, draft.actor, draft.body, draft.retention_class, draft.about)
    nothing: list[bytes | None] = [None]
    asked = {
        "canonicals": [entry_bytes(entry)],
        "ciphertexts": nothing,
        "keys": nothing,
        "fingerprints": nothing,
    }
    with named_failures():
        row = conn.execute(LOG["append"], asked).fetchone()
    if row is None:
        raise AuditUnavailable
    return Appended(row[1], row[2], row[3], duplicate=False)


def forget_indexes(conn: Connection, requested_entry_id: UUID, key_ids: Sequence[UUID]) -> int:
    """Remove the index rows of an erased subject's entries, behind the entry that requested it.

    Raises `CustodyRefused` where the log has no such entry.
    """
    asked = {"requested": requested_entry_id, "key_ids": list(key_ids)}
    with _named_refusals():
        return _number(conn, CUSTODY["forget_indexes"], asked)


def entries_of_keys(conn: Connection, key_ids: Sequence[UUID]) -> list[UUID]:
    """Return the entries that were encrypted under these keys."""
    rows = conn.execute(CUSTODY["entry_ids_of_keys"], {"key_ids": list(key_ids)}).fetchall()
    return [row[0] for row in rows]


def partitions(conn: Connection) -> list[Partition]:
    """Return the partitions of payloads that there are, the oldest first."""
    return [Partition(month, name) for name, month in conn.execute(CUSTODY["partitions"]).fetchall()]


def private_entries(conn: Connection, partition: Partition) -> PrivateEntries:
    """Count and digest the entries of a partition as its expiry declares them."""
    row = conn.execute(CUSTODY["private_entries"], _asked(partition)).fetchone()
    assert row is not None  # noqa: S101  an aggregate always answers
    return PrivateEntries(*row)


def keys_of_partition(conn: Connection, partition: Partition) -> Iterator[list[UUID]]:
    """Yield the ids of the entry keys of a partition, a batch at a time."""
    after = UUID(int=0)
    while True:
        asked = {**_asked(partition), "after": after, "limit": _BATCH}
        rows = conn.execute(CUSTODY["keys_of_month"], asked).fetchall()
        if not rows:
            return
        yield [row[1] for row in rows]
        after = rows[-1][0]


def is_integrated(conn: Connection, entry_id: UUID) -> bool:
    """Tell whether an entry has its place in the tree."""
    return conn.execute(CUSTODY["is_integrated"], {"entry_id": entry_id}).fetchone() == (True,)


def drop_expired_partition(conn: Connection, partition: Partition, manifest: UUID) -> bool:
    """Drop the payloads of a partition behind its manifest; False if they were dropped before.

    Raises `CustodyRefused`: no such manifest is in the tree, it declares other entries, or there is a hold.
    """
    asked = {**_asked(partition), "manifest": manifest}
    with _named_refusals():
        return conn.execute(CUSTODY["drop_expired_partition"], asked).fetchone() == (True,)


@contextmanager
def _named_refusals() -> Iterator[None]:
    """Tell a refusal of the database's own functions from a database that is away."""
    with named_failures():
        try:
            yield
        except psycopg.errors.ObjectNotInPrerequisiteState as error:
            raise CustodyRefused(error.diag.message_primary) from error


def _asked(partition: Partition) -> dict[str, object]:
    return {"retention_class": partition.retention_class, "month": partition.month}


def _number(conn: Connection, statement: LiteralString, asked: dict[str, object]) -> int:
    row = conn.execute(statement, asked).fetchone()
    return 0 if row is None else int(row[0])
