"""Check an evidence file offline, with nothing but the file and the log's public keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import orjson

from audit.checkpoint import Checkpoint, verify_checkpoint
from audit.entry import Entry, parse_entry
from audit.errors import AuditError, VerificationFailed
from audit.merkle import leaf_hash, verify_inclusion
from audit.note import Verifier
from audit.proof import Evidence, TlogProof
from audit.receipt import Receipt, receipt_key_name, verify_receipt
from audit.sealing import opens

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Verified:
    """What an evidence file proves.

    `plaintext` is None when nothing was disclosed; `private` is the plaintext as a JSON object, if it is one.
    `receipt_checked` is False when the file has a receipt whose key was not among the keys given.
    """

    entry: Entry
    plaintext: bytes | None
    private: dict[str, object] | None
    index: int
    tree_size: int
    root: bytes
    origin: str
    signed_by: tuple[str, ...]
    receipt: Receipt | None
    receipt_checked: bool


def verify_evidence(data: bytes, vkeys: Sequence[str]) -> Verified:
    """Check every claim of the file; raise `VerificationFailed` with the step that does not hold.

    Steps, in order: file, keys, entry, proof, checkpoint, inclusion, opening, receipt.
    """
    evidence = _step("file", lambda: Evidence.parse(data))
    verifiers = _step("keys", lambda: [Verifier.parse(vkey) for vkey in vkeys])
    entry = _step("entry", lambda: parse_entry(evidence.entry))
    proof = _step("proof", lambda: TlogProof.parse(evidence.tlog_proof))
    checkpoint, signed_by = _step("checkpoint", lambda: verify_checkpoint(proof.checkpoint, verifiers))
    leaf = leaf_hash(evidence.entry)
    if not verify_inclusion(proof.index, checkpoint.tree_size, leaf, proof.path, checkpoint.root):
        raise VerificationFailed("inclusion", "the path does not lead from this entry to the signed root")
    plaintext = _opened(evidence, entry)
    return Verified(
        entry=entry,
        plaintext=plaintext,
        private=None if plaintext is None else _json_object(plaintext),
        index=proof.index,
        tree_size=checkpoint.tree_size,
        root=checkpoint.root,
        origin=checkpoint.origin,
        signed_by=tuple(verifier.key_id for verifier in signed_by),
        receipt=evidence.receipt,
        receipt_checked=_receipt_checked(evidence, entry, checkpoint, proof.index, verifiers),
    )


def _step(name: str, check: Callable[[], Result]) -> Result:
    try:
        return check()
    except AuditError as error:
        raise VerificationFailed(name, str(error)) from error


def _opened(evidence: Evidence, entry: Entry) -> bytes | None:
    if evidence.opening is None:
        return None
    if entry.private is None:
        raise VerificationFailed("opening", "the entry has no private part")
    if not opens(evidence.opening, entry.private.commitment):
        raise VerificationFailed("opening", "the disclosed content is not what the entry committed to")
    return evidence.opening.plaintext


def _receipt_checked(
    evidence: Evidence, entry: Entry, checkpoint: Checkpoint, index: int, verifiers: Sequence[Verifier]
) -> bool:
    receipt = evidence.receipt
    if receipt is None:
        return False
    if (receipt.entry_id, receipt.time) != (entry.entry_id, entry.time):
        raise VerificationFailed("receipt", "the receipt is for another entry")
    if receipt.leaf_hash != leaf_hash(evidence.entry) or receipt.log_origin != checkpoint.origin:
        raise VerificationFailed("receipt", "the receipt is for another leaf or another log")
    if receipt.index not in (None, index):
        raise VerificationFailed("receipt", "the receipt names another index")
    valid = verify_receipt(receipt, verifiers)
    if valid is False:
        raise VerificationFailed("receipt", "the signature is wrong")
    if valid is None and any(given.name == receipt_key_name(receipt.log_origin) for given in verifiers):
        raise VerificationFailed("receipt", f"{receipt.key_id[:200]!r} is none of the receipt keys given")
    return valid is True


def _json_object(plaintext: bytes) -> dict[str, object] | None:
    try:
        value = orjson.loads(plaintext)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None
