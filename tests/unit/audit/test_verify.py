"""Evidence checked offline, and broken in each possible place: the step that fails is named."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from uuid import UUID

import pytest

from audit import merkle
from audit.checkpoint import Checkpoint, sign_checkpoint
from audit.entry import Appended, Entry, entry_bytes
from audit.errors import MalformedProof, VerificationFailed
from audit.keys import KeyStore
from audit.note import Signer, sign_note
from audit.proof import Evidence, TlogProof
from audit.receipt import issue_receipt, receipt_key_name
from audit.sealing import unseal
from audit.verify import verify_evidence

ORIGIN = "log.example/ofrecord"
SIGNER, RECEIPTS = Signer(ORIGIN, bytes(32)), Signer(receipt_key_name(ORIGIN), bytes(range(32)))
VKEYS = [SIGNER.verifier.vkey, RECEIPTS.verifier.vkey]
ENTRY_ID = UUID("019aa0e2-3f7b-7abc-8def-0123456789ab")
TIME = datetime(2026, 11, 20, 10, 15, tzinfo=UTC)
PLAINTEXT = b'{"decision_id":"A-1"}'
SEALED = KeyStore.seal(ENTRY_ID, "S-1", PLAINTEXT)
OPENING = unseal(SEALED.key.data_key, ENTRY_ID, SEALED.ciphertext)
ENTRY = Entry(ENTRY_ID, "explanation.created", TIME, "svc", {"outcome": "decline"}, private=SEALED.private)
BYTES = entry_bytes(ENTRY)
LEAVES = [merkle.leaf_hash(b"%d" % number) for number in range(10)]
LEAVES[6] = merkle.leaf_hash(BYTES)
PATH = merkle.inclusion_path(
    6, 10, lambda level, index: merkle.root(LEAVES[index << level : (index + 1) << level])
)
CHECKPOINT = sign_checkpoint(Checkpoint(ORIGIN, 10, merkle.root(LEAVES)), [SIGNER])
PROOF = TlogProof(6, tuple(PATH), CHECKPOINT)
RECEIPT = issue_receipt(RECEIPTS, ORIGIN, Appended(ENTRY_ID, LEAVES[6], TIME, duplicate=False))
EVIDENCE = json.loads(Evidence(PROOF.to_text(), BYTES, OPENING, RECEIPT.with_index(6)).to_bytes())


def written(**change: object) -> bytes:
    return json.dumps({**EVIDENCE, **change}).encode()


def test_what_good_evidence_proves():
    verified = verify_evidence(written(), VKEYS)
    assert verified.entry == ENTRY
    assert verified.private == {"decision_id": "A-1"}
    assert (verified.index, verified.tree_size, verified.origin) == (6, 10, ORIGIN)
    assert verified.root == merkle.root(LEAVES)
    assert verified.signed_by == (SIGNER.verifier.key_id,)
    assert verified.receipt_checked


def test_evidence_without_opening_and_receipt():
    verified = verify_evidence(written(opening=None, receipt=None), VKEYS[:1])
    assert (verified.plaintext, verified.private, verified.receipt, verified.receipt_checked) == (
        *(None, None, None),
        False,
    )


def test_a_receipt_without_its_key_is_said_to_be_unchecked():
    assert not verify_evidence(written(), VKEYS[:1]).receipt_checked


def test_the_proof_is_the_format_of_c2sp():
    lines = EVIDENCE["tlog_proof"].split("\n")
    assert lines[0] == "c2sp.org/tlog-proof@v1"
    assert lines[1] == "index 6"
    assert [base64.b64decode(line) for line in lines[2:6]] == PATH[:4]
    assert lines[6] == ""
    assert "\n".join(lines[7:]) == CHECKPOINT


def test_a_proof_may_carry_extra_data():
    extra = TlogProof(6, tuple(PATH), CHECKPOINT, b"anything")
    assert TlogProof.parse(extra.to_text()) == extra
    verified = verify_evidence(written(tlog_proof=extra.to_text()), VKEYS)
    assert verified.index == 6


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def proof(**change: object) -> str:
    values = {"index": 6, "path": tuple(PATH), "checkpoint": CHECKPOINT, **change}
    return TlogProof(**values).to_text()


OTHER_ROOT = sign_checkpoint(Checkpoint(ORIGIN, 10, bytes(32)), [SIGNER])
OTHER_SIZE = sign_checkpoint(Checkpoint(ORIGIN, 11, merkle.root(LEAVES)), [SIGNER])
OTHER_LOG = sign_note(CHECKPOINT.split("\n\n")[0].replace("ofrecord", "other") + "\n", [SIGNER])
THIEF = sign_checkpoint(Checkpoint(ORIGIN, 10, merkle.root(LEAVES)), [Signer(ORIGIN, b"\x01" * 32)])
RECEIPT_JSON = EVIDENCE["receipt"]
OPENED = EVIDENCE["opening"]

BROKEN = {
    "a changed format": ("file", {"format": "ofrecord-evidence/v2"}),
    "a missing entry": ("file", {"entry": None}),
    "an entry that is not base64": ("file", {"entry": "%%"}),
    "an opening that is no object": ("file", {"opening": "x"}),
    "an opening without a blind": ("file", {"opening": {"plaintext": OPENED["plaintext"]}}),
    "a receipt that is none": ("file", {"receipt": {}}),
    "entry bytes that are no entry": ("entry", {"entry": encoded(b"{}")}),
    "entry bytes that are not canonical": ("entry", {"entry": encoded(BYTES + b" ")}),
    "a proof with another header": ("proof", {"tlog_proof": proof().replace("@v1", "@v2")}),
    "a proof without index": ("proof", {"tlog_proof": proof().replace("index 6\n", "")}),
    "a proof with an odd index": ("proof", {"tlog_proof": proof().replace("index 6", "index 06")}),
    "a proof with a short hash": ("proof", {"tlog_proof": proof(path=(b"short",))}),
    "a proof with too many hashes": ("proof", {"tlog_proof": proof(path=(bytes(32),) * 64)}),
    "a proof without checkpoint": ("proof", {"tlog_proof": proof().split("\n\n")[0]}),
    "a checkpoint of another log": ("checkpoint", {"tlog_proof": proof(checkpoint=OTHER_LOG)}),
    "a checkpoint signed by a stranger": ("checkpoint", {"tlog_proof": proof(checkpoint=THIEF)}),
    "a checkpoint with a changed root": ("checkpoint", {"tlog_proof": proof().replace("\n10\n", "\n11\n")}),
    "a checkpoint for another root": ("inclusion", {"tlog_proof": proof(checkpoint=OTHER_ROOT)}),
    "a checkpoint for another size": ("inclusion", {"tlog_proof": proof(index=7, checkpoint=OTHER_SIZE)}),
    "another index": ("inclusion", {"tlog_proof": proof(index=5)}),
    "an index beyond the tree": ("inclusion", {"tlog_proof": proof(index=10)}),
    "a shorter path": ("inclusion", {"tlog_proof": proof(path=tuple(PATH[:-1]))}),
    "a path in another order": ("inclusion", {"tlog_proof": proof(path=tuple(PATH[::-1]))}),
    "a changed entry": ("inclusion", {"entry": encoded(BYTES.replace(b"decline", b"approve"))}),
    "another plaintext": ("opening", {"opening": {**OPENED, "plaintext": encoded(b'{"decision_id":"A-2"}')}}),
    "another blind": ("opening", {"opening": {**OPENED, "blind": encoded(bytes(32))}}),
    "a padded blind": ("opening", {"opening": {**OPENED, "blind": encoded(OPENING.blind + bytes(1))}}),
    "a receipt for another entry": ("receipt", {"receipt": {**RECEIPT_JSON, "entry_id": str(UUID(int=7))}}),
    "a receipt for another leaf": ("receipt", {"receipt": {**RECEIPT_JSON, "leaf_hash": "00" * 32}}),
    "a receipt of another log": ("receipt", {"receipt": {**RECEIPT_JSON, "log_origin": "other"}}),
    "a receipt with another index": ("receipt", {"receipt": {**RECEIPT_JSON, "index": 5}}),
    "a receipt with a later promise": (
        "receipt",
        {"receipt": {**RECEIPT_JSON, "integrate_by": "2027-11-20T10:15:00.000000Z"}},
    ),
    "a receipt that names another key": ("receipt", {"receipt": {**RECEIPT_JSON, "key_id": "x+00000000"}}),
    "a receipt with a forged signature": (
        "receipt",
        {"receipt": {**RECEIPT_JSON, "signature": encoded(bytes(64))}},
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_evidence_names_the_step(name):
    step, change = BROKEN[name]
    with pytest.raises(VerificationFailed, match=f"^{step}: ") as caught:
        verify_evidence(written(**change), VKEYS)
    assert caught.value.step == step


def test_an_opening_for_an_entry_without_private_part_is_refused():
    clear = entry_bytes(Entry(ENTRY_ID, "model.approved", TIME, "svc", {}))
    leaf = merkle.leaf_hash(clear)
    checkpoint = sign_checkpoint(Checkpoint(ORIGIN, 1, leaf), [SIGNER])
    data = Evidence(TlogProof(0, (), checkpoint).to_text(), clear, OPENING, None).to_bytes()
    with pytest.raises(VerificationFailed, match=r"^opening: "):
        verify_evidence(data, VKEYS)


@pytest.mark.parametrize("vkeys", [[], [VKEYS[1]], [Signer(ORIGIN, b"\x01" * 32).verifier.vkey]])
def test_without_the_logs_key_nothing_is_proved(vkeys):
    with pytest.raises(VerificationFailed, match=r"^checkpoint: "):
        verify_evidence(written(), vkeys)


def test_a_malformed_key_is_named():
    with pytest.raises(VerificationFailed, match=r"^keys: "):
        verify_evidence(written(), [*VKEYS, "nonsense"])


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b"\xff", b"{}", b'{"format":1}'])
def test_what_is_no_evidence_file(data):
    with pytest.raises(VerificationFailed, match=r"^file: "):
        verify_evidence(data, VKEYS)


def test_an_evidence_file_has_a_limit():
    with pytest.raises(MalformedProof, match="at most"):
        Evidence.parse(bytes((16 << 20) + 1))


def test_a_plaintext_that_is_no_json_is_shown_as_bytes():
    sealed = KeyStore.seal(ENTRY_ID, None, b"\xffraw")
    opening = unseal(sealed.key.data_key, ENTRY_ID, sealed.ciphertext)
    data = entry_bytes(Entry(ENTRY_ID, "a.b", TIME, "svc", {}, private=sealed.private))
    checkpoint = sign_checkpoint(Checkpoint(ORIGIN, 1, merkle.leaf_hash(data)), [SIGNER])
    verified = verify_evidence(
        Evidence(TlogProof(0, (), checkpoint).to_text(), data, opening, None).to_bytes(), VKEYS
    )
    assert (verified.plaintext, verified.private) == (b"\xffraw", None)


@pytest.mark.parametrize("twice", [b'"entry":"",', b'"receipt":null,', b'"x":{"y":1,"y":2},'])
def test_a_name_that_occurs_twice_is_refused(twice):
    data = json.dumps(EVIDENCE).encode()
    with pytest.raises(VerificationFailed, match=r"file: .*twice"):
        verify_evidence(data[:1] + twice + data[1:], VKEYS)
