"""The log: append entries in one transaction, read them back, prove them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from audit import sealing
from audit.checkpoint import check_origin
from audit.database import Connection, Pool, named_failures, session
from audit.entry import Appended, Draft, Entry, Idempotency, entry_bytes, new_id, parse_entry
from audit.errors import AuditUnavailable, Conflict, EntryNotFound, IntegrityHalt
from audit.keys import KeyStore, NewKey
from audit.known_keys import VerifierKey, publish_verifier_key, verifier_keys
from audit.merkle import leaf_hash
from audit.proof import Evidence, TlogProof
from audit.queries import LOG
from audit.receipt import Receipt
from audit.sealing import Opening
from audit.tree import StoredCheckpoint, StoredTree, checkpoint_covering, newest_with_cosignatures


@dataclass(frozen=True, slots=True)
class Prepared:
    """An entry with its id, time and bytes, ready to be committed. Its key is not kept yet."""

    entry_id: UUID
    time: datetime
    canonical: bytes
    ciphertext: bytes | None
    key: NewKey | None
    idempotency: Idempotency | None


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """An entry as the database has it. `index` is None while it is not integrated."""

    entry: Entry
    canonical: bytes
    leaf_hash: bytes
    index: int | None
    ciphertext: bytes | None


@dataclass(frozen=True, slots=True)
class Backlog:
    """What is committed and not yet integrated."""

    entries: int
    oldest: datetime | None


class AuditLog:
    """Append to and read from one log. Thread-safe: every call takes its own connection."""

    def __init__(
        self, pool: Pool, keystore: KeyStore, *, origin: str, single_statements: Pool | None = None
    ) -> None:
        """Take a pool on the main database, the keys, and the name of the log.

        `single_statements` lends connections in autocommit, where an append or a look-up is one round trip
        and a proof, which reads what never changes, needs no more; the time a statement may take there is the
        time an append may take.
        """
        self._pool = pool
        self._single_statements = single_statements or pool
        self._keystore = keystore
        self.origin = check_origin(origin)

    def prepare(self, draft: Draft, now: datetime) -> Prepared:
        """Give a draft its id and time, encrypt its private part, write its bytes. Touches no database."""
        entry_id = new_id(now)
        private, subject, beside = draft.private, draft.subject, draft.beside
        sealed = None if private is None else KeyStore.seal(entry_id, subject, private, beside)
        entry = Entry(
            entry_id=entry_id,
            type=draft.type,
            time=now,
            actor=draft.actor,
            body=draft.body,
            retention_class=draft.retention_class,
            about=draft.about,
            private=sealed.private if sealed else None,
        )
        return Prepared(
            entry_id=entry_id,
            time=now,
            canonical=entry_bytes(entry),
            ciphertext=sealed.ciphertext if sealed else None,
            key=sealed.key if sealed else None,
            idempotency=self._keystore.conceal(draft.idempotency) if draft.idempotency else None,
        )

    def rehearse_keys(self) -> None:
        """Let the keys' database plan what a commit asks of it; nothing is kept there."""
        self._keystore.rehearse()

    def append(
        self, drafts: Sequence[Draft], now: datetime, conn: Connection | None = None
    ) -> list[Appended | Conflict]:
        """Append drafts in one transaction; with `conn` in the caller's, which then decides."""
        return self.commit([self.prepare(draft, now) for draft in drafts], conn)

    def append_one(self, draft: Draft, now: datetime, conn: Connection | None = None) -> Appended:
        """Append one draft; raise `Conflict` instead of returning it."""
        (outcome,) = self.append([draft], now, conn)
        if isinstance(outcome, Conflict):
            raise outcome
        return outcome

    def commit(self, batch: Sequence[Prepared], conn: Connection | None = None) -> list[Appended | Conflict]:
        """Commit prepared entries: first their keys, then all of them in one transaction."""
        self.keep_keys(batch)
        return self.write(batch, conn)

    def keep_keys(self, batch: Sequence[Prepared]) -> None:
        """Commit the keys of prepared entries; only then may `write` be called for these."""
        self._keystore.keep([item.key for item in batch if item.key is not None])

    def write(self, batch: Sequence[Prepared], conn: Connection | None = None) -> list[Appended | Conflict]:
        """Commit prepared entries, whose keys are kept, in one transaction; with `conn` in the caller's.

        The function that appends is the whole of that transaction; its rows come when it is committed.
        """
        if not batch:
            return []
        parameters = {
            "canonicals": [item.canonical for item in batch],
            "ciphertexts": [item.ciphertext for item in batch],
            "keys": [item.idempotency.key if item.idempotency else None for item in batch],
            "fingerprints": [item.idempotency.fingerprint if item.idempotency else None for item in batch],
        }
        if conn is not None:
            with named_failures():
                rows = conn.execute(LOG["append"], parameters).fetchall()
        else:
            with session(self._single_statements) as connection:
                rows = connection.execute(LOG["append"], parameters).fetchall()
        if len(rows) != len(batch):
            raise AuditUnavailable("an idempotency key was taken away during the append; try again")
        return [_outcome(*row) for row in rows]

    def discard_broken_connections(self) -> None:
        """After a failure: replace the connections that a restarted server has closed."""
        for pool in {self._pool, self._single_statements}:
            pool.check()
        self._keystore.discard_broken_connections()

    def find_duplicate(self, idempotency: Idempotency) -> Appended | Conflict | None:
        """Tell what a key already stands for, before any work is done for it."""
        hidden = self._keystore.conceal(idempotency)
        with session(self._single_statements) as connection:
            row = connection.execute(LOG["idempotency"], {"key": hidden.key}).fetchone()
        if row is None:
            return None
        fingerprint, entry_id, leaf, time = row
        if fingerprint != hidden.fingerprint:
            return Conflict(entry_id)
        return Appended(entry_id, leaf, time, duplicate=True)

    def read(self, entry_id: UUID) -> StoredEntry:
        """Return one entry; raise `EntryNotFound`."""
        with session(self._pool) as connection:
            return _read(connection, entry_id)

    def entry_at(self, index: int) -> StoredEntry:
        """Return the entry at an index of the tree; raise `EntryNotFound`."""
        with session(self._pool) as connection:
            row = connection.execute(LOG["entry_id_at"], {"index": index}).fetchone()
            if row is None:
                raise EntryNotFound
            return _read(connection, row[0])

    def about(self, entry_id: UUID, kind: str | None = None) -> list[StoredEntry]:
        """Return the entries that concern this one, all or of one type: reads, reviews; oldest first."""
        with session(self._pool) as connection:
            rows = connection.execute(LOG["entries_about"], {"about": entry_id, "type": kind}).fetchall()
            return [_read(connection, row[0]) for row in rows]

    def open(self, stored: StoredEntry) -> bytes:
        """Return the private part; b"" if there is none. Raise `PayloadErased` or `KeyMissing`."""
        opening = self.opening(stored)
        return b"" if opening is None else opening.plaintext

    def opening(self, stored: StoredEntry) -> Opening | None:
        """Return what opens the commitment of an entry, checked against it."""
        private = stored.entry.private
        if private is None:
            return None
        if stored.ciphertext is None:
            self._keystore.refuse_destroyed(private.key_id)
            raise IntegrityHalt("the ciphertext of this entry is gone, and its key is not")
        if sealing.digest(stored.ciphertext) != private.ciphertext_digest:
            raise IntegrityHalt("the ciphertext is not the one the entry was made with")
        opening = self._keystore.open(stored.entry.entry_id, private.key_id, stored.ciphertext)
        if not sealing.opens(opening, private.commitment):
            raise IntegrityHalt("the private part is not what the entry committed to")
        return opening

    def newest_checkpoint(self) -> StoredCheckpoint | None:
        """Return the newest checkpoint with its cosignatures; None while the tree is empty."""
        with session(self._pool) as connection:
            return newest_with_cosignatures(connection)

    def inclusion_path(self, index: int, tree_size: int) -> list[bytes]:
        """Return an inclusion path (RFC 6962, 2.1.1); raise `MalformedProof` for what cannot be."""
        with session(self._single_statements) as connection:
            return StoredTree(connection).inclusion_path(index, tree_size)

    def consistency_path(self, old: int, new: int) -> list[bytes]:
        """Return a consistency proof (RFC 6962, 2.1.2), for 0 < old <= new."""
        with session(self._single_statements) as connection:
            return StoredTree(connection).consistency_path(old, new)

    def evidence(
        self, entry_id: UUID, *, disclose: bool = True, receipt: Receipt | None = None
    ) -> Evidence | None:
        """Return the evidence file of one entry; None while it is not integrated.

        After an erasure ask with `disclose=False`: what cannot be opened can still be proved.
        """
        with session(self._pool) as connection:
            stored = _read(connection, entry_id)
            if stored.index is None:
                return None
            checkpoint = checkpoint_covering(connection, stored.index)
            path = StoredTree(connection).inclusion_path(stored.index, checkpoint.tree_size)
        proof = TlogProof(stored.index, tuple(path), checkpoint.note)
        opening = self.opening(stored) if disclose else None
        kept = None if receipt is None else receipt.with_index(stored.index)
        return Evidence(proof.to_text(), stored.canonical, opening, kept)

    def backlog(self) -> Backlog:
        """Tell how much waits for the integrator, and since when."""
        with session(self._pool) as connection:
            return read_backlog(connection)

    def ensure_partitions(self, now: datetime) -> list[str]:
        """Make the partitions of this month and the next two; return those that are new."""
        with session(self._pool) as connection:
            rows = connection.execute(LOG["ensure_partitions"], {"month": _month(now)}).fetchall()
        return [row[0] for row in rows]

    def missing_partitions(self, month: date) -> list[str]:
        """Return the retention classes that have no partition for the month of this day."""
        with session(self._pool) as connection:
            rows = connection.execute(LOG["missing_partitions"], {"month": month}).fetchall()
        return [row[0] for row in rows]

    def publish_verifier_key(self, role: str, vkey: str, now: datetime) -> None:
        """Make a public key known for ever; publishing it again changes nothing."""
        with session(self._pool) as connection:
            publish_verifier_key(connection, role, vkey, now)

    def verifier_keys(self) -> list[VerifierKey]:
        """Return present and past verifier keys, the newest of each role first."""
        with session(self._pool) as connection:
            return verifier_keys(connection)


def read_backlog(connection: Connection) -> Backlog:
    """Count what is committed and not integrated."""
    row = connection.execute(LOG["backlog"]).fetchone()
    return Backlog(0, None) if row is None else Backlog(*row)


def _outcome(outcome: str, entry_id: UUID, leaf: bytes, time: datetime) -> Appended | Conflict:
    if outcome == "conflict":
        return Conflict(entry_id)
    return Appended(entry_id, leaf, time, duplicate=outcome == "duplicate")


def _read(connection: Connection, entry_id: UUID) -> StoredEntry:
    row = connection.execute(LOG["entry_by_id"], {"entry_id": entry_id}).fetchone()
    if row is None:
        raise EntryNotFound
    canonical, leaf, index, ciphertext = row
    if leaf_hash(canonical) != leaf:
        raise IntegrityHalt("the bytes of an entry do not have the leaf hash they were stored with")
    return StoredEntry(parse_entry(canonical), canonical, leaf, index, ciphertext)


def _month(now: datetime) -> date:
    return now.date().replace(day=1)
