"""Keys of the private parts: one per entry, wrapped by one per subject, wrapped by the master key.

The keys database commits before the log does: an entry in the log always has its key, and a key without an
entry opens nothing. Nothing is cached, so that a key destroyed elsewhere is gone here too.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from uuid import UUID, uuid4

from audit import sealing
from audit.database import Connection, Pool, session
from audit.entry import PRIVATE_LIMIT_BYTES, Idempotency, PrivatePart
from audit.errors import KeyMissing, MalformedEntry, PayloadErased, PayloadExpired
from audit.queries import KEYS
from audit.sealing import Opening


@dataclass(frozen=True, slots=True)
class NewKey:
    """The key of one entry, before it is kept; `beside` is an earlier one that it shares its subject with."""

    key_id: UUID
    subject: str | None
    data_key: bytes
    beside: UUID | None = None


@dataclass(frozen=True, slots=True)
class Sealed:
    """An encrypted private part, what the entry says of it, and its key."""

    ciphertext: bytes
    private: PrivatePart
    key: NewKey


@dataclass(frozen=True, slots=True)
class _SubjectKey:
    subject_key_id: UUID
    key: bytes


@dataclass(frozen=True, slots=True)
class _EntryKey:
    """What the keys database says of one entry's key, and of the subject's that it hangs on."""

    wrapped: bytes
    destroyed_at: datetime | None
    destroyed_by: str | None
    master_key_id: str
    subject_key_id: UUID | None
    subject_wrapped: bytes | None
    subject_destroyed_at: datetime | None
    subject_master_key_id: str


_Owner = str | UUID | None
"""Whose key wraps it: a subject's by its name, that of an earlier entry by the id of its key, the master."""


def _owner(key: NewKey) -> _Owner:
    return key.subject if key.beside is None else key.beside


class KeyStore:
    """Seals and opens private parts; knows the master key and the keys database."""

    def __init__(self, pool: Pool, master_key: bytes) -> None:
        """Take a pool on the keys database and the 32-byte master key."""
        if len(master_key) != sealing.KEY_SIZE:
            raise ValueError("the master key has 32 bytes")
        self._pool = pool
        self._wrapping_key = sealing.derive(master_key, "wrapping")
        self._subject_index_key = sealing.derive(master_key, "subject-index")
        self._idempotency_key = sealing.derive(master_key, "idempotency")
        self._fingerprint_key = sealing.derive(master_key, "fingerprint")
        self._request_key = sealing.derive(master_key, "erasure-request")
        self.master_key_id = sealing.derive(master_key, "master-key-id")[:8].hex()

    def conceal(self, idempotency: Idempotency) -> Idempotency:
        """Return keyed HMACs of key and fingerprint: what the database may see of them."""
        return Idempotency(
            _hmac(self._idempotency_key, idempotency.key),
            _hmac(self._fingerprint_key, idempotency.fingerprint),
        )

    @staticmethod
    def seal(entry_id: UUID, subject: str | None, plaintext: bytes, beside: UUID | None = None) -> Sealed:
        """Encrypt a private part under a fresh key. `keep` must follow before the append."""
        if len(plaintext) > PRIVATE_LIMIT_BYTES:
            raise MalformedEntry(f"the private part of an entry has at most {PRIVATE_LIMIT_BYTES} bytes")
        opening = Opening(secrets.token_bytes(sealing.BLIND_SIZE), plaintext)
        key = NewKey(uuid4(), subject, secrets.token_bytes(sealing.KEY_SIZE), beside)
        ciphertext = sealing.seal(key.data_key, entry_id, opening)
        private = PrivatePart(sealing.digest(ciphertext), sealing.commitment(opening), key.key_id)
        return Sealed(ciphertext, private, key)

    def keep(self, keys: Sequence[NewKey]) -> None:
        """Commit the keys of a batch of entries.

        Most subjects are new, so that each is offered a key and the batch wrapped with these; what belongs to
        subjects that had one already is wrapped again. What hangs on the key of an earlier entry raises
        `PayloadErased` once that is destroyed, `KeyMissing` where it is not known.
        """
        if not keys:
            return
        named = {key.subject for key in keys if key.subject is not None and key.beside is None}
        offered = {subject: self._new_subject_key() for subject in named}
        with session(self._pool) as connection:
            owners = self._beside(connection, keys)
            owners.update(offered)
            known = self._put(connection, keys, owners, self._index_of(offered))
            if known:
                self._put(connection, [key for key in keys if _owner(key) in known], known, {})

    def rehearse(self) -> None:
        """Let the database plan what `keep` asks of it, with no key at all."""
        with session(self._pool) as connection:
            self._put(connection, (), {}, {})

    def _put(
        self,
        connection: Connection,
        keys: Sequence[NewKey],
        owners: Mapping[_Owner, _SubjectKey | None],
        by_index: Mapping[bytes, str],
    ) -> dict[_Owner, _SubjectKey | None]:
        """Keep these keys and those of the subjects in `by_index`; return the ones that some of these had."""
        owner_of = [owners.get(_owner(key)) for key in keys]
        offered = [one for subject in by_index.values() if (one := owners[subject]) is not None]
        rows = connection.execute(
            KEYS["keep"],
            {
                "indexes": list(by_index),
                "subject_key_ids": [one.subject_key_id for one in offered],
                "subject_wrapped": [
                    sealing.wrap(self._wrapping_key, one.key, one.subject_key_id) for one in offered
                ],
                "key_ids": [key.key_id for key in keys],
                "owners": [None if owner is None else owner.subject_key_id for owner in owner_of],
                "wrapped": [
                    sealing.wrap(self._wrapping_key if owner is None else owner.key, key.data_key, key.key_id)
                    for key, owner in zip(keys, owner_of, strict=True)
                ],
                "master_key_id": self.master_key_id,
            },
        ).fetchall()
        return {
            by_index[index]: _SubjectKey(subject_key_id, self._unwrap(wrapped, subject_key_id, master_key_id))
            for index, subject_key_id, wrapped, master_key_id in rows
        }

    def _beside(self, connection: Connection, keys: Sequence[NewKey]) -> dict[_Owner, _SubjectKey | None]:
        """Return the subjects' keys that earlier entries hang on, none where one hangs on none."""
        wanted = {key.beside for key in keys if key.beside is not None}
        if not wanted:
            return {}
        rows = connection.execute(KEYS["subject_keys_beside"], {"key_ids": list(wanted)}).fetchall()
        found: dict[_Owner, _SubjectKey | None] = {}
        for key_id, destroyed_at, subject_key_id, wrapped, master_key_id in rows:
            if destroyed_at is not None:
                raise PayloadErased
            there = None
            if subject_key_id is not None:
                there = _SubjectKey(subject_key_id, self._unwrap(wrapped, subject_key_id, master_key_id))
            found[key_id] = there
        if wanted - found.keys():
            raise KeyMissing
        return found

    @staticmethod
    def _new_subject_key() -> _SubjectKey:
        return _SubjectKey(uuid4(), secrets.token_bytes(sealing.KEY_SIZE))

    def _index_of(self, subjects: Iterable[str]) -> dict[bytes, str]:
        return {_hmac(self._subject_index_key, subject.encode()): subject for subject in subjects}

    def discard_broken_connections(self) -> None:
        """Replace the connections that a restarted server has closed."""
        self._pool.check()

    def find_subject(self, subject: str) -> UUID | None:
        """Return the id of a subject's key; None where there is none, or none any more."""
        with session(self._pool) as connection:
            index = _hmac(self._subject_index_key, subject.encode())
            row = connection.execute(KEYS["find_subject_key"], {"index": index}).fetchone()
        return None if row is None else row[0]

    def keys_of_subject(self, subject_key_id: UUID) -> list[UUID]:
        """Return the ids of the entry keys that hang on a subject's key."""
        with session(self._pool) as connection:
            return key_ids_of_subject(connection, subject_key_id)

    def subject_of(self, key_id: UUID) -> UUID | None:
        """Return the id of the subject's key that an entry's key hangs on; raise as `open` does."""
        return self._read(key_id).subject_key_id

    def conceal_request(self, request: bytes) -> bytes:
        """Return the keyed HMAC by which a repeated request is known without keeping what it says."""
        return _hmac(self._request_key, request)

    def refuse_destroyed(self, key_id: UUID) -> None:
        """Raise `PayloadErased`, `PayloadExpired` or `KeyMissing` unless this entry's key is there."""
        self._read(key_id)

    def open(self, entry_id: UUID, key_id: UUID, ciphertext: bytes) -> Opening:
        """Decrypt a private part.

        Raises `PayloadErased` or `PayloadExpired` if its key was destroyed, `KeyMissing` if it is lost.
        """
        row = self._read(key_id)
        wrapping_key = self._wrapping_key
        if row.subject_key_id is not None:
            if row.subject_wrapped is None:
                raise KeyMissing
            wrapping_key = self._unwrap(row.subject_wrapped, row.subject_key_id, row.subject_master_key_id)
        elif row.master_key_id != self.master_key_id:
            raise KeyMissing(f"this entry was encrypted under master key {row.master_key_id}")
        return sealing.unseal(sealing.unwrap(wrapping_key, row.wrapped, key_id), entry_id, ciphertext)

    def _read(self, key_id: UUID) -> _EntryKey:
        """Return the key of an entry, which is there."""
        with session(self._pool) as connection:
            found = connection.execute(KEYS["read_entry_key"], {"key_id": key_id}).fetchone()
        if found is None:
            raise KeyMissing
        row = _EntryKey(*found)
        if row.destroyed_by == "expiry":
            raise PayloadExpired
        if row.destroyed_at is not None or row.subject_destroyed_at is not None:
            raise PayloadErased
        return row

    def _unwrap(self, wrapped: bytes, key_id: UUID, master_key_id: str) -> bytes:
        if master_key_id != self.master_key_id:
            raise KeyMissing(f"this subject's key is wrapped by master key {master_key_id}")
        return sealing.unwrap(self._wrapping_key, wrapped, key_id)


def key_ids_of_subject(connection: Connection, subject_key_id: UUID) -> list[UUID]:
    """Return the ids of the entry keys that hang on a subject's key; needs no master key."""
    rows = connection.execute(KEYS["key_ids_of_subject"], {"subject_key_id": subject_key_id}).fetchall()
    return [row[0] for row in rows]


def _hmac(key: bytes, value: bytes) -> bytes:
    return hmac.new(key, value, sha256).digest()
