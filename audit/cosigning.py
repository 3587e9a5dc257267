"""Bring each new checkpoint before a witness, and keep what it says.

A witness that shows a larger tree, or another history, under the log's own signature and its own, is
believed: the database was put back or rewritten, and nothing more may be signed before somebody has looked.
What it says without proof only makes it a witness that does not answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Protocol

from audit.checkpoint import Checkpoint, check_origin, sign_checkpoint, verify_checkpoint
from audit.cosignature import Cosignature, CosignerKey, read_cosignatures
from audit.database import Connection, Pool, session
from audit.errors import IntegrityHalt, MalformedNote
from audit.merkle import EMPTY_ROOT
from audit.note import Signer, Verifier
from audit.queries import LOG
from audit.submission import Submission
from audit.tree import StoredCheckpoint, StoredTree, newest_checkpoint

_OK, _CONFLICT, _INCONSISTENT = 200, 409, 422
_TRIES = 3
_EARLIEST, _LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)  # as the tables


class WitnessSilent(Exception):
    """A witness could not be asked, or gave an answer that says nothing; it will be asked again."""


class WitnessUnproved(WitnessSilent):
    """A witness says that it has seen something else, and shows no checkpoint that proves it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a witness answered."""

    status: int
    body: str


class WitnessClient(Protocol):
    """How to reach one witness; raises `WitnessSilent`."""

    def submit(self, body: str) -> Answer:
        """Send `add-checkpoint`."""
        ...

    def checkpoint(self, origin_digest: str) -> Answer:
        """Ask for the latest checkpoint it cosigned of the log whose origin has this digest."""
        ...


class Cosigning:
    """One witness and one log. Any number may run: the witness settles who was first."""

    def __init__(
        self,
        pool: Pool,
        client: WitnessClient,
        key: CosignerKey,
        origin: str,
        verifiers: Sequence[Verifier],
        *,
        signers: Sequence[Signer] = (),
    ) -> None:
        """Take a pool of the integrator's role, the witness, and every checkpoint key the log ever had.

        With `signers` a witness can be asked whether the tree may be empty.
        """
        self._pool = pool
        self._client = client
        self._key = key
        self._origin = check_origin(origin)
        self._verifiers = tuple(verifiers)
        self._signers = tuple(signers)
        self._asked_about: int | None = None  # the size it agreed to, in this process

    def step(self) -> bool:
        """Have the newest checkpoint cosigned; tell whether there was something to do.

        The first time it asks in any case, so that a database which was put back is noticed before anything
        new is signed. Raises `WitnessSilent` and `IntegrityHalt`.
        """
        newest, old, proof = self._proposal(None)
        if newest is None:
            if self._asked_about is None:
                self._compare_with_nothing()
                self._asked_about = 0
            return False
        if self._asked_about == newest.tree_size:
            return False
        for _ in range(_TRIES):
            answer = self._client.submit(Submission(old, proof, newest.note).to_text())
            if answer.status == _OK:
                self._keep(newest, self._cosignature(newest.note, answer.body))
                return True
            if answer.status != _CONFLICT:
                raise self._refused(answer)
            newest, old, proof = self._proposal(_size(answer.body))
            if newest is None:
                break
        raise WitnessSilent("it was always elsewhere")

    def _proposal(self, seen: int | None) -> tuple[StoredCheckpoint | None, int, tuple[bytes, ...]]:
        """Return the newest checkpoint, and the proof from what the witness has seen, or is thought to."""
        with session(self._pool) as connection:
            connection.execute(LOG["one_snapshot"])
            newest = newest_checkpoint(connection)
            size = newest.tree_size if newest else 0
            old = self._recorded(connection) if seen is None else seen
            path = StoredTree(connection).consistency_path(old, size) if 0 < old <= size else []
        if old > size:
            raise self._objection(f"it has seen a tree of {old}, the database has one of {size}")
        return newest, old, tuple(path)

    def _recorded(self, connection: Connection) -> int:
        row = connection.execute(LOG["cosigned_size"], {"key_id": self._key.key_id}).fetchone()
        return 0 if row is None else int(row[0])

    def _cosignature(self, note: str, lines: str) -> Cosignature:
        """Verify what the witness answered; only its own line is taken."""
        text = note.partition("\n\n")[0] + "\n"
        try:
            (found,) = read_cosignatures(f"{text}\n{lines}", [self._key])
        except (MalformedNote, ValueError) as error:
            raise WitnessSilent("it did not answer with its cosignature") from error
        if not _EARLIEST <= found.time < _LATEST:
            raise WitnessSilent("its cosignature has a time that the log does not keep")
        return found

    def _keep(self, newest: StoredCheckpoint, cosignature: Cosignature) -> None:
        with session(self._pool) as connection:
            connection.execute(
                LOG["keep_cosignature"],
                {
                    "tree_size": newest.tree_size,
                    "key_id": self._key.key_id,
                    "line": cosignature.line,
                    "cosigned_at": cosignature.time,
                },
            )
        self._asked_about = newest.tree_size

    def _refused(self, answer: Answer) -> Exception:
        if answer.status == _INCONSISTENT:
            return self._objection("it says that the tree did not grow out of what it has seen")
        return WitnessSilent(f"it answered with status {answer.status}")

    def _compare_with_nothing(self) -> None:
        """Our tree is empty: then the witness must not have seen one that we signed.

        It says so by cosigning the empty tree. That it has no checkpoint at the address where it is asked
        says nothing: it may show them elsewhere.
        """
        objection = "it does not say that the tree may be empty"
        if self._signers:
            note = sign_checkpoint(Checkpoint(self._origin, 0, EMPTY_ROOT), self._signers)
            answer = self._client.submit(Submission(0, (), note).to_text())
            if answer.status == _OK:
                self._cosignature(note, answer.body)
                return
            objection = f"it answered with status {answer.status} to an empty tree"
        raise self._objection(objection)

    def _objection(self, said: str) -> Exception:
        """Look at the witness's own latest checkpoint: only that can prove what it says.

        It counts if the log's key and the witness's have signed it. The database is read afterwards: whatever
        another integrator had cosigned by then is in it.
        """
        seen = self._latest(said)
        with session(self._pool) as connection:
            connection.execute(LOG["one_snapshot"])
            newest = newest_checkpoint(connection)
            size = newest.tree_size if newest else 0
            root = StoredTree(connection).root(seen.tree_size) if seen.tree_size <= size else None
        if root is None:
            how = "an older state was put back" if size else "it was emptied"
            return self._halt(f"a tree of {seen.tree_size}, the database has one of {size}: {how}")
        if root != seen.root:
            return self._halt(f"another history than the tree of {seen.tree_size}: it was rewritten")
        return WitnessUnproved(f"{said}; but it shows a tree of {seen.tree_size} that is ours")

    def _latest(self, said: str) -> Checkpoint:
        """Return the latest checkpoint that the witness cosigned of this log, verified."""
        answer = self._client.checkpoint(sha256(self._origin.encode()).hexdigest())
        if answer.status != _OK:
            raise WitnessUnproved(f"{said}, and shows no checkpoint: status {answer.status}")
        try:
            seen, _ = verify_checkpoint(answer.body, self._verifiers)
            cosigned = read_cosignatures(answer.body, [self._key])
        except MalformedNote as error:
            raise WitnessUnproved(f"{said}, and shows no checkpoint of this log: {error}") from error
        if seen.origin != self._origin or not cosigned:
            raise WitnessUnproved(f"{said}, and shows no checkpoint of this log that it cosigned")
        return seen

    def _halt(self, seen: str) -> IntegrityHalt:
        return IntegrityHalt(f"the witness {self._key.key_id} has seen {seen}")


def _size(body: str) -> int:
    text = body.strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 19):
        raise WitnessSilent("it did not say which size it has seen")
    return int(text)
