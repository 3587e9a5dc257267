"""Bring each new checkpoint before a witness, and keep what it says.

A witness that has seen a larger tree, or another history, is believed: the database was put back or
rewritten, and nothing more may be signed before somebody has looked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

from audit.checkpoint import check_origin, read_checkpoint
from audit.cosignature import Cosignature, CosignerKey, read_cosignatures
from audit.database import Connection, Pool, session
from audit.errors import IntegrityHalt, MalformedNote
from audit.note import Verifier, parse_note, verify_note
from audit.queries import LOG
from audit.submission import Submission
from audit.tree import StoredCheckpoint, StoredTree, newest_checkpoint

_OK, _NOT_FOUND, _CONFLICT, _INCONSISTENT = 200, 404, 409, 422
_TRIES = 3


class WitnessSilent(Exception):
    """A witness could not be asked, or gave an answer that says nothing; it will be asked again."""


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
        self, pool: Pool, client: WitnessClient, key: CosignerKey, origin: str, verifiers: Sequence[Verifier]
    ) -> None:
        """Take a pool of the integrator's role, the witness, and every checkpoint key the log ever had."""
        self._pool = pool
        self._client = client
        self._key = key
        self._origin = check_origin(origin)
        self._verifiers = tuple(verifiers)
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
                self._keep(newest, self._cosignature(newest, answer.body))
                return True
            if answer.status != _CONFLICT:
                raise self._refused(answer, newest)
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
            if old > size:
                raise self._halt(
                    f"a tree of {old}, the database has one of {size}: an older state was put back"
                )
            path = StoredTree(connection).consistency_path(old, size) if old else []
        return newest, old, tuple(path)

    def _recorded(self, connection: Connection) -> int:
        row = connection.execute(LOG["cosigned_size"], {"key_id": self._key.key_id}).fetchone()
        return 0 if row is None else int(row[0])

    def _cosignature(self, newest: StoredCheckpoint, lines: str) -> Cosignature:
        """Verify what the witness answered; only its own line is taken."""
        text = newest.note.partition("\n\n")[0] + "\n"
        try:
            (found,) = read_cosignatures(f"{text}\n{lines}", [self._key])
        except (MalformedNote, ValueError) as error:
            raise WitnessSilent("it did not answer with its cosignature") from error
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

    def _refused(self, answer: Answer, newest: StoredCheckpoint) -> Exception:
        if answer.status == _INCONSISTENT:
            return self._halt(f"another history than the tree of {newest.tree_size}: it was rewritten")
        return WitnessSilent(f"it answered with status {answer.status}")

    def _compare_with_nothing(self) -> None:
        """Our tree is empty: then the witness must not have seen one that we signed."""
        answer = self._client.checkpoint(sha256(self._origin.encode()).hexdigest())
        if answer.status == _NOT_FOUND:
            return
        try:
            note = parse_note(answer.body)
            seen = read_checkpoint(note)
            verify_note(note, self._verifiers)
        except MalformedNote as error:
            raise WitnessSilent("it did not answer with a checkpoint of this log") from error
        if seen.origin == self._origin and seen.tree_size > 0:
            raise self._halt(f"a tree of {seen.tree_size}, the database has none: it was emptied")

    def _halt(self, seen: str) -> IntegrityHalt:
        return IntegrityHalt(f"the witness {self._key.key_id} has seen {seen}")


def _size(body: str) -> int:
    text = body.strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 19):
        raise WitnessSilent("it did not say which size it has seen")
    return int(text)
