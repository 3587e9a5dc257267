"""Check any file that the log gave out, offline: evidence, receipts, proofs, checkpoints.

`audit/verifier/ofrecord_verify.py` does the same without a line of this package; tests compare the two.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from audit import merkle
from audit.entry import format_time
from audit.errors import MalformedNote, MalformedProof, VerificationFailed
from audit.proof import TLOG_PROOF_HEADER, read_object
from audit.published import PublishedLog, read_published
from audit.receipt import Receipt
from audit.trust import CannotCheck, SignedCheckpoint, Trust, step
from audit.verify import Verified, check_evidence, check_path, receipt_holds

Given = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Beside:
    """What is known beside the file: keys, a published log, other files, the time."""

    trust: Trust
    now: datetime
    folder: Path | None = None
    others: tuple[Given, ...] = ()


@dataclass(frozen=True, slots=True)
class Proved:
    """What a file proves. What it has nothing of is None.

    `index` is where the leaf stands that it is about; `promised` is a receipt that holds; `grown_from` is the
    size of the tree that the signed one is proved to begin with; `published` is a log that begins with it.
    """

    signed: SignedCheckpoint | None = None
    index: int | None = None
    evidence: Verified | None = None
    promised: Receipt | None = None
    grown_from: int | None = None
    published: PublishedLog | None = None


def load(data: bytes) -> Given:
    """Read a file of any kind; an answer with a receipt is read as its receipt."""
    with step("file"):
        try:
            if data.startswith(f"{TLOG_PROOF_HEADER}\n".encode()):
                return {"tlog_proof": data.decode()}
            if not data.lstrip().startswith(b"{"):
                return {"checkpoint": data.decode()}
        except UnicodeDecodeError as error:
            raise MalformedNote("not UTF-8") from error
        value = read_object(data)
        inside = value.get("receipt")
        return inside if isinstance(inside, dict) and "format" not in value else value


def check_file(data: bytes, beside: Beside) -> Proved:
    """Check a file of any kind; raise `VerificationFailed` naming the step, or `CannotCheck`."""
    value = load(data)
    _refuse_forks(_checkpoints(beside))  # what is given beside it holds too, whether it is needed or not
    if "format" in value:
        evidence = check_evidence(data, beside.trust)
        compared = _compared(evidence.signed, beside)
        return Proved(evidence.signed, evidence.index, evidence, published=compared)
    if "tlog_proof" in value:
        return _proof(value, beside)
    if "signature" in value:
        return _receipt(value, beside)
    if "to" in value:
        return _consistency(value, beside)
    with step("checkpoint"):
        signed = beside.trust.checkpoint(_text(value, "checkpoint"))
    return Proved(signed, published=_compared(signed, beside))


def _proof(value: Given, beside: Beside) -> Proved:
    with step("file"):
        named = [one for one in (value, *beside.others) if "leaf_hash" in one]
        leaves = [_hash(one["leaf_hash"]) for one in named]
        if not leaves:
            raise CannotCheck("file", "a proof alone does not say of what; its receipt does")
        tlog_proof = _text(value, "tlog_proof")
    if "signature" in named[0]:  # a receipt says something only if it holds
        return _receipt(named[0], replace(beside, others=(value, *beside.others)))
    proof, signed = check_path(tlog_proof, leaves[0], beside.trust)
    return Proved(signed, proof.index, published=_compared(signed, beside))


def _receipt(value: Given, beside: Beside) -> Proved:
    with step("receipt"):
        receipt = Receipt.from_json(value)
    if not receipt_holds(receipt, beside.trust):
        raise CannotCheck("receipt", f"the key that signs it was not given: {receipt.key_id[:200]}")
    proofs = [one for one in beside.others if "tlog_proof" in one]
    published = _published(receipt.log_origin, beside)
    if proofs:
        with step("another file"):
            tlog_proof = _text(proofs[0], "tlog_proof")
        proof, signed = check_path(tlog_proof, receipt.leaf_hash, beside.trust, receipt.log_origin)
        index = proof.index
    elif published is not None:
        signed, index = published.signed, _kept(receipt, published, beside.now)
    else:
        return Proved(promised=receipt)
    _compared(signed, beside, published)
    if receipt.index not in (None, index):
        raise VerificationFailed("receipt", "it names another index")
    if published is not None:
        entry = published.entry(index)
        if (entry.entry_id, entry.time) != (receipt.entry_id, receipt.time):
            raise VerificationFailed("receipt", "its leaf is of another entry, or of another time")
    return Proved(signed, index, promised=receipt, published=published)


def _kept(receipt: Receipt, published: PublishedLog, now: datetime) -> int:
    """Return where the promised leaf stands; only a copy from after its time can say that it is missing."""
    index = published.index_of(receipt.leaf_hash)
    if index is not None:
        return index
    size, due = published.signed.checkpoint.tree_size, format_time(receipt.integrate_by)
    latest = published.latest
    if latest is None or min(now, latest) <= receipt.integrate_by:
        aged = f"the latest time in it is {format_time(latest) if latest else 'none'}"
        raise CannotCheck(
            "receipt",
            f"the leaf is not in the tree of {size}, nor need it be before {due}; {aged}: "
            "a later copy is needed",
        )
    raise VerificationFailed(
        "BROKEN PROMISE",
        f"the log signed that it would hold this leaf by {due}; the tree of {size} does not have it, "
        f"and was there at {format_time(latest)}: late enough",
    )


def _consistency(value: Given, beside: Beside) -> Proved:
    with step("file"):
        old, new, hashes = value.get("from"), value.get("to"), value.get("hashes")
        if type(old) is not int or type(new) is not int or not isinstance(hashes, list):
            raise MalformedProof("not a consistency proof")
        path = [_hash(one) for one in hashes]
    known = {(one.checkpoint.origin, one.checkpoint.tree_size): one for one in _checkpoints(beside)}
    both = [origin for origin, size in known if size == old and (origin, new) in known]
    if not both:
        raise CannotCheck("consistency", f"both signed checkpoints of one log are needed, of {old} and {new}")
    before, after = known[both[0], old], known[both[0], new]
    if not merkle.verify_consistency(old, new, before.checkpoint.root, after.checkpoint.root, path):
        raise VerificationFailed("consistency", "the older tree is not how the newer one begins")
    return Proved(after, grown_from=old, published=_compared(after, beside))


def _checkpoints(beside: Beside) -> list[SignedCheckpoint]:
    with step("another file"):
        notes = [
            _text(one, "tlog_proof").partition("\n\n")[2] for one in beside.others if "tlog_proof" in one
        ]
        notes += [_text(one, "checkpoint") for one in beside.others if "checkpoint" in one]
        return [beside.trust.checkpoint(note) for note in notes]


def _refuse_forks(seen: Iterable[SignedCheckpoint], published: PublishedLog | None = None) -> None:
    """Of one log, trees of one size have one root, and a published copy begins with each of them."""
    known: dict[tuple[str, int], bytes] = {}
    for one in sorted((signed.checkpoint for signed in seen), key=lambda found: found.tree_size):
        size = one.tree_size
        if known.setdefault((one.origin, size), one.root) != one.root:
            raise VerificationFailed("FORK", f"the log signed two different trees of {size}")
        if published is None or one.origin != published.signed.checkpoint.origin:
            continue
        if size > published.signed.checkpoint.tree_size:
            raise CannotCheck("published log", f"it is shorter than {size}: an old copy, or it was cut back")
        if published.root(size) != one.root:
            raise VerificationFailed(
                "FORK", f"what is published does not begin with the signed tree of {size}"
            )


def _published(origin: str, beside: Beside) -> PublishedLog | None:
    """Read the folder, if one was given, and compare it with every checkpoint that was given of its log."""
    if beside.folder is None:
        return None
    published = read_published(beside.folder, beside.trust)
    if published.signed.checkpoint.origin != origin:
        raise CannotCheck("published log", "it is another log")
    _refuse_forks(_checkpoints(beside), published)
    return published


def _compared(
    signed: SignedCheckpoint, beside: Beside, published: PublishedLog | None = None
) -> PublishedLog | None:
    """Compare a checkpoint with whatever else is known of its log; return what is published of it."""
    _refuse_forks([signed, *_checkpoints(beside)])
    published = published or _published(signed.checkpoint.origin, beside)
    _refuse_forks([signed], published)
    return published


def _text(value: Given, name: str) -> str:
    found = value.get(name)
    if not isinstance(found, str):
        raise MalformedProof(f"{name} is not text")
    return found


def _hash(value: object) -> bytes:
    if not isinstance(value, str) or len(value) != 2 * merkle.HASH_SIZE or value.strip("0123456789abcdef"):
        raise MalformedProof("a hash is 64 lower-case hexadecimal digits")
    return bytes.fromhex(value)
