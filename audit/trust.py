"""Whom a verification trusts: the log's keys, its receipts' keys, and the witnesses that were named."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from audit.checkpoint import Checkpoint, verify_checkpoint
from audit.cosignature import Cosignature, CosignerKey, read_cosignatures
from audit.errors import AuditError, MalformedNote, VerificationFailed
from audit.note import Verifier, within


class CannotCheck(VerificationFailed):
    """Something that the check needs was not given."""


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A checkpoint with those of the trusted keys that vouch for it."""

    checkpoint: Checkpoint
    signed_by: tuple[str, ...]
    cosignatures: tuple[Cosignature, ...]


@dataclass(frozen=True, slots=True)
class Trust:
    """The keys that are believed; `require_witness` asks for a cosignature by one of the witnesses."""

    verifiers: tuple[Verifier, ...]
    witnesses: tuple[CosignerKey, ...]
    require_witness: bool = False

    @classmethod
    def parse(cls, vkeys: Sequence[str], *, require_witness: bool = False) -> Trust:
        """Read verifier keys of both kinds, past ones `VKEY@SIZE`; raise `CannotCheck` for what is none."""
        verifiers, witnesses = [], []
        for vkey in vkeys:
            try:
                verifiers.append(Verifier.parse(vkey))
            except MalformedNote as error:
                try:
                    witnesses.append(CosignerKey.parse(vkey))
                except MalformedNote:
                    raise CannotCheck("keys", str(error)) from error
        return cls(tuple(verifiers), tuple(witnesses), require_witness)

    def checkpoint(self, note: str) -> SignedCheckpoint:
        """Check a signed checkpoint; raise `MalformedNote` if it is none, or not signed by whom it must."""
        checkpoint, signed_by = verify_checkpoint(note, self.verifiers)
        cosignatures = read_cosignatures(note, within(self.witnesses, checkpoint.tree_size))
        if self.require_witness and not cosignatures:
            raise MalformedNote("no witness whose key was given has cosigned")
        return SignedCheckpoint(checkpoint, tuple(one.key_id for one in signed_by), cosignatures)


@contextmanager
def step(name: str) -> Iterator[None]:
    """Name the step in which something of a file does not hold."""
    try:
        yield
    except VerificationFailed:
        raise
    except AuditError as error:
        raise VerificationFailed(name, str(error)) from error
