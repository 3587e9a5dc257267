"""The signed tree head (C2SP tlog-checkpoint). An empty tree has none."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from audit.cosignature import parse_keys
from audit.errors import MalformedNote
from audit.merkle import HASH_SIZE
from audit.note import (
    RECEIPT_SUFFIX,
    Note,
    Signer,
    Verifier,
    check_name,
    decode_base64,
    parse_note,
    sign_note,
    verify_note,
    within,
)

_SIZE_LIMIT = 2**63


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What the log says of itself at one size."""

    origin: str
    tree_size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def text(self) -> str:
        """Return the note text that is signed."""
        return f"{self.origin}\n{self.tree_size}\n{base64.b64encode(self.root).decode()}\n"


def check_origin(origin: str) -> str:
    """Return an origin that can name both a log and its key; receipt keys have names of their own."""
    if check_name(origin).endswith(RECEIPT_SUFFIX):
        raise MalformedNote(f"an origin does not end with {RECEIPT_SUFFIX}: that is a receipt key's name")
    return origin


def checkpoint_keys(vkeys: Sequence[str]) -> tuple[Verifier, ...]:
    """Return the checkpoint keys among verifier keys, which may also be of receipts and witnesses."""
    return tuple(key for key in parse_keys(vkeys)[0] if not key.name.endswith(RECEIPT_SUFFIX))


def sign_checkpoint(checkpoint: Checkpoint, signers: Sequence[Signer]) -> str:
    """Return the checkpoint as a note; several signers while a key is being replaced."""
    check_origin(checkpoint.origin)
    if not signers or any(signer.verifier.name != checkpoint.origin for signer in signers):
        raise MalformedNote("a checkpoint is signed by keys that bear the log's origin")
    return sign_note(checkpoint.text(), signers)


def read_checkpoint(note: Note | str) -> Checkpoint:
    """Read a checkpoint without trusting it."""
    parsed = parse_note(note) if isinstance(note, str) else note
    lines = parsed.text.split("\n")[:-1]
    if len(lines) < 3 or not all(lines):
        raise MalformedNote("a checkpoint is origin, tree size and root")
    size, root = lines[1], decode_base64(lines[2])
    if not (size.isascii() and size.isdigit()) or (size != "0" and size.startswith("0")) or len(size) > 19:
        raise MalformedNote("a tree size is a decimal number")
    if int(size) >= _SIZE_LIMIT or len(root) != HASH_SIZE:
        raise MalformedNote("a root is 32 bytes and a tree size below 2**63")
    return Checkpoint(lines[0], int(size), root, tuple(lines[3:]))


def verify_checkpoint(note: str, verifiers: Sequence[Verifier]) -> tuple[Checkpoint, tuple[Verifier, ...]]:
    """Return the checkpoint and the log's keys that signed it.

    Only a key whose name is the origin speaks for the log: a receipt key or a witness does not. A past key
    that has a limit speaks for no larger tree.
    """
    parsed = parse_note(note)
    checkpoint = read_checkpoint(parsed)
    check_origin(checkpoint.origin)
    of_log = [verifier for verifier in verifiers if verifier.name == checkpoint.origin]
    if not of_log:
        raise MalformedNote("the origin is not that of a known key")
    return checkpoint, verify_signers(parsed, of_log, checkpoint.tree_size)


def verify_signers(note: Note, keys: Sequence[Verifier], tree_size: int) -> tuple[Verifier, ...]:
    """Return the keys that signed a tree of this size; name the past key where only such a one has."""
    able = within(keys, tree_size)
    lines = {(line.name, line.key_hash) for line in note.signatures}
    signed = [key for key in keys if (key.name, key.key_hash) in lines]
    if signed and not within(signed, tree_size):
        past = min((key for key in signed if key.limit is not None), key=lambda key: key.limit or 0)
        raise MalformedNote(
            f"signed by a past key alone: {past.key_id} was given for trees of up to {past.limit} only"
        )
    return verify_note(note, able)
