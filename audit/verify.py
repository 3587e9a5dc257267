"""Check an evidence file offline, with nothing but the file and the log's public keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from audit.checkpoint import Checkpoint
from audit.entry import Entry, parse_entry
from audit.errors import VerificationFailed
from audit.merkle import leaf_hash, verify_inclusion
from audit.proof import Evidence, TlogProof
from audit.receipt import Receipt, receipt_key_name, verify_receipt
from audit.sealing import opens
from audit.trust import CannotCheck, SignedCheckpoint, Trust, step


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
    signed: SignedCheckpoint


def verify_evidence(data: bytes, vkeys: Sequence[str]) -> Verified:
    """Check every claim of the file; raise `VerificationFailed` with the step that does not hold.

    Steps, in order: keys, file, entry, proof, checkpoint, inclusion, opening, receipt.
    """
    return check_evidence(data, Trust.parse(vkeys))


def check_evidence(data: bytes, trust: Trust) -> Verified:
    """The same with keys that were read before."""
    with step("file"):
        evidence = Evidence.parse(data)
    with step("entry"):
        entry = parse_entry(evidence.entry)
    proof, signed = check_path(evidence.tlog_proof, leaf_hash(evidence.entry), trust)
    checkpoint, plaintext = signed.checkpoint, _opened(evidence, entry)
    return Verified(
        entry=entry,
        plaintext=plaintext,
        private=None if plaintext is None else _json_object(plaintext),
        index=proof.index,
        tree_size=checkpoint.tree_size,
        root=checkpoint.root,
        origin=checkpoint.origin,
        signed_by=signed.signed_by,
        receipt=evidence.receipt,
        receipt_checked=_receipt_checked(evidence, entry, checkpoint, proof.index, trust),
        signed=signed,
    )


def check_path(
    tlog_proof: str, leaf: bytes, trust: Trust, origin: str | None = None
) -> tuple[TlogProof, SignedCheckpoint]:
    """Check that a tlog-proof leads from this leaf to a root that the log signed.

    Where the log is known by its origin, the proof of another one is `CannotCheck`.
    """
    with step("proof"):
        proof = TlogProof.parse(tlog_proof)
    with step("checkpoint"):
        signed = trust.checkpoint(proof.checkpoint)
    if origin not in (None, signed.checkpoint.origin):
        raise CannotCheck("proof", "it is of another log")
    size, root = signed.checkpoint.tree_size, signed.checkpoint.root
    if not verify_inclusion(proof.index, size, leaf, proof.path, root):
        raise VerificationFailed("inclusion", "the path does not lead from this entry to the signed root")
    return proof, signed


def receipt_holds(receipt: Receipt, trust: Trust) -> bool:
    """Tell whether a receipt key of its log signed it: False when none was given; otherwise it must have."""
    valid = verify_receipt(receipt, trust.verifiers)
    if valid is False:
        raise VerificationFailed("receipt", "the signature is wrong")
    if valid is None and any(one.name == receipt_key_name(receipt.log_origin) for one in trust.verifiers):
        raise VerificationFailed("receipt", f"{receipt.key_id[:200]!r} is none of the receipt keys given")
    return valid is True


def _opened(evidence: Evidence, entry: Entry) -> bytes | None:
    if evidence.opening is None:
        return None
    if entry.private is None:
        raise VerificationFailed("opening", "the entry has no private part")
    if not opens(evidence.opening, entry.private.commitment):
        raise VerificationFailed("opening", "the disclosed content is not what the entry committed to")
    return evidence.opening.plaintext


def _receipt_checked(
    evidence: Evidence, entry: Entry, checkpoint: Checkpoint, index: int, trust: Trust
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
    return receipt_holds(receipt, trust)


def _json_object(plaintext: bytes) -> dict[str, object] | None:
    try:
        value = orjson.loads(plaintext)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None
