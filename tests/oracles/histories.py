"""Histories of a log and their signed checkpoints, by the recursive definitions of RFC 6962, section 2.1."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from audit.checkpoint import Checkpoint, sign_checkpoint
from audit.note import Signer
from audit.submission import Submission


def _split(size: int) -> int:
    middle = 1
    while middle * 2 < size:
        middle *= 2
    return middle


def tree_hash(entries: Sequence[bytes]) -> bytes:
    """MTH."""
    if not entries:
        return hashlib.sha256(b"").digest()
    if len(entries) == 1:
        return hashlib.sha256(b"\x00" + entries[0]).digest()
    middle = _split(len(entries))
    return hashlib.sha256(b"\x01" + tree_hash(entries[:middle]) + tree_hash(entries[middle:])).digest()


def _subproof(old: int, entries: Sequence[bytes], *, whole: bool) -> list[bytes]:
    if old == len(entries):
        return [] if whole else [tree_hash(entries)]
    middle = _split(len(entries))
    if old <= middle:
        return [*_subproof(old, entries[:middle], whole=whole), tree_hash(entries[middle:])]
    return [*_subproof(old - middle, entries[middle:], whole=False), tree_hash(entries[:middle])]


def consistency(old: int, entries: Sequence[bytes]) -> list[bytes]:
    """PROOF(old, D[n]); from nothing to anything there is none."""
    return _subproof(old, entries, whole=True) if old else []


@dataclass(frozen=True)
class History:
    """What a log holds, entry by entry, and the key that signs for it."""

    signer: Signer
    entries: tuple[bytes, ...]

    @classmethod
    def of(cls, signer: Signer, size: int, tag: str = "entry") -> History:
        return cls(signer, tuple(f"{tag} {n}".encode() for n in range(size)))

    def grown(self, count: int, tag: str = "later") -> History:
        return History(self.signer, (*self.entries, *(f"{tag} {n}".encode() for n in range(count))))

    def rewritten(self, index: int) -> History:
        """The same but for one entry."""
        changed = list(self.entries)
        changed[index] = b"rewritten"
        return History(self.signer, tuple(changed))

    def cut(self, size: int) -> History:
        return History(self.signer, self.entries[:size])

    @property
    def origin(self) -> str:
        return self.signer.verifier.name

    @property
    def root(self) -> bytes:
        return tree_hash(self.entries)

    def note(self, signers: Sequence[Signer] = ()) -> str:
        checkpoint = Checkpoint(self.origin, len(self.entries), self.root)
        return sign_checkpoint(checkpoint, list(signers) or [self.signer])

    def submission(self, old: int, proof: Sequence[bytes] | None = None) -> bytes:
        """The body for a witness that saw `old` entries, with an honest proof unless one is given."""
        made = consistency(old, self.entries) if proof is None else proof
        return Submission(old, tuple(made), self.note()).to_text().encode()
