"""Files of every kind that a small log gives out, and a published copy of it, to try verifiers on."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from audit import merkle
from audit.checkpoint import Checkpoint, sign_checkpoint
from audit.cosignature import Cosigner
from audit.entry import Appended, Entry, entry_bytes, format_time
from audit.keys import KeyStore
from audit.note import Signer
from audit.proof import Evidence, TlogProof
from audit.receipt import Receipt, issue_receipt, receipt_key_name
from audit.sealing import Opening, unseal

ORIGIN = "log.example/ofrecord"
SIGNER, RECEIPTS = Signer(ORIGIN, bytes(32)), Signer(receipt_key_name(ORIGIN), bytes(range(32)))
WITNESS = Cosigner("witness.example/w1", bytes(range(1, 33)))
VKEYS = [SIGNER.verifier.vkey, RECEIPTS.verifier.vkey, WITNESS.key.vkey]
TIME = datetime(2026, 11, 20, 10, 15, tzinfo=UTC)
SIZE, OLD, PLACE = 300, 270, 6
PRIVATE = {
    "decision_id": "A-1",
    "subject_ref": "S-1",
    "decision": {"score": "0.71", "threshold": "0.5"},
    "reasons": [
        {
            "rank": 1,
            "code": "R07",
            "text": "Excessive obligations",
            "observed": [{"feature": "debt_ratio", "value": "61"}],
        }
    ],
    "counterfactuals": {
        "status": "found",
        "items": [
            {
                "outcome": "approve",
                "score": "0.46",
                "changes": [{"feature": "loan_amount", "from": "89", "to": "74"}],
            }
        ],
    },
}
REVIEW = {
    "explanation_id": str(UUID(int=PLACE + 1)),
    "model": "loans",
    "version": "1",
    "kind": "corrected",
    "outcome": "approve",
    "supersedes": str(UUID(int=90)),
    "superseded_by": str(UUID(int=91)),
}
SAID = {"note": "Wage slips seen.\nThe income was that of one month.", "reviewer": "Jane Doe"}


def entry_of(number: int, **more: object) -> tuple[Entry, bytes]:
    values = {"type": "model.approved", "time": TIME + timedelta(minutes=number), "actor": "anna", "body": {}}
    entry = Entry(entry_id=UUID(int=number + 1), **{**values, **more})  # type: ignore[arg-type]
    return entry, entry_bytes(entry)


@dataclass(frozen=True)
class Files:
    """One file of each kind, by name, and where the log is published."""

    by_name: dict[str, bytes]
    entries: list[bytes]

    def leaves(self) -> list[bytes]:
        return [merkle.leaf_hash(entry) for entry in self.entries]

    def publish(self, folder: Path, size: int = SIZE) -> Path:
        """Write the first entries as C2SP tlog-tiles says, in the plainest way."""
        leaves = self.leaves()[:size]
        for first in range(0, size, 256):
            name = f"{first // 256:03}" + ("" if size - first >= 256 else f".p/{size - first}")
            bundle = b"".join(
                len(one).to_bytes(2, "big") + one for one in self.entries[first : min(first + 256, size)]
            )
            for kind, data in (("0", b"".join(leaves[first : first + 256])), ("entries", bundle)):
                path = folder / "tile" / kind / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
        (folder / "checkpoint").write_text(signed_tree(leaves))
        return folder


def signed_tree(leaves: list[bytes], signer: Signer = SIGNER, cosigned: datetime = TIME) -> str:
    """A checkpoint over these leaves, cosigned."""
    checkpoint = Checkpoint(signer.verifier.name, len(leaves), merkle.root(leaves))
    note = sign_checkpoint(checkpoint, [signer])
    return note + WITNESS.cosign(note.rpartition("\n\n")[0] + "\n", cosigned)


def _json(receipt: Receipt) -> bytes:
    return json.dumps(receipt.to_json()).encode()


def _review() -> tuple[bytes, Opening]:
    """A correction of the decision, and what opens it."""
    entry_id = UUID(int=PLACE + 2)
    sealed = KeyStore.seal(entry_id, "S-1", json.dumps(SAID).encode())
    more = {"about": UUID(int=PLACE + 1), "private": sealed.private}
    _, data = entry_of(PLACE + 1, type="explanation.reviewed", body=REVIEW, **more)
    return data, unseal(sealed.key.data_key, entry_id, sealed.ciphertext)


def make_files() -> Files:
    """Build the log and everything it would give out about one of its entries."""
    entry_id = UUID(int=PLACE + 1)
    sealed = KeyStore.seal(entry_id, "S-1", json.dumps(PRIVATE).encode())
    opening = unseal(sealed.key.data_key, entry_id, sealed.ciphertext)
    body = {"model": "loans", "version": "1", "outcome": "decline", "reason_codes": ["R07"]}
    told, data = entry_of(PLACE, type="explanation.created", body=body, private=sealed.private)
    entries = [entry_of(number)[1] for number in range(SIZE)]
    review, review_opening = _review()
    entries[PLACE], entries[PLACE + 1] = data, review
    leaves = [merkle.leaf_hash(entry) for entry in entries]

    def node(level: int, index: int) -> bytes:
        return merkle.root(leaves[index << level : (index + 1) << level])

    path, proof = merkle.inclusion_path(PLACE, SIZE, node), merkle.consistency_path(OLD, SIZE, node)
    tlog_proof = TlogProof(PLACE, tuple(path), signed_tree(leaves)).to_text()
    receipt = issue_receipt(RECEIPTS, ORIGIN, Appended(entry_id, leaves[PLACE], told.time, duplicate=False))
    review_path = merkle.inclusion_path(PLACE + 1, SIZE, node)
    review_proof = TlogProof(PLACE + 1, tuple(review_path), signed_tree(leaves)).to_text()
    inclusion = {"index": PLACE, "leaf_hash": leaves[PLACE].hex(), "tlog_proof": tlog_proof}
    gone, hour = Appended(UUID(int=9), bytes(32), told.time, duplicate=False), timedelta(hours=1)
    return Files(
        {
            "evidence": Evidence(tlog_proof, data, opening, receipt.with_index(PLACE)).to_bytes(),
            "closed": Evidence(tlog_proof, data, None, None).to_bytes(),
            "review": Evidence(review_proof, review, review_opening, None).to_bytes(),
            "review_closed": Evidence(review_proof, review, None, None).to_bytes(),
            "receipt": _json(receipt),
            "answer": json.dumps({"explanation_id": str(entry_id), "receipt": receipt.to_json()}).encode(),
            "lost": _json(issue_receipt(RECEIPTS, ORIGIN, gone, integrate_within=hour)),
            "due later": _json(issue_receipt(RECEIPTS, ORIGIN, gone)),
            "proof": tlog_proof.encode(),
            "inclusion": json.dumps(inclusion).encode(),
            "consistency": json.dumps({"from": OLD, "to": SIZE, "hashes": [h.hex() for h in proof]}).encode(),
            "old": signed_tree(leaves[:OLD]).encode(),
            "new": signed_tree(leaves).encode(),
        },
        entries,
    )


BESIDE = {  # what each file is checked with
    "evidence": [],
    "closed": [],
    "review": [],
    "review_closed": [],
    "receipt": ["inclusion"],
    "answer": ["proof"],
    "proof": ["receipt"],
    "inclusion": [],
    "consistency": ["old", "new"],
    "old": [],
    "new": ["old"],
}
"""`lost` is of a leaf that is not in the log, due before its last entries; `due later` after all of them."""
LATER = format_time(TIME + timedelta(days=30))


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode()
