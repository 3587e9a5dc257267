"""Receipts stand on their own: signed text, one key, one promise."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.entry import Appended
from audit.errors import MalformedNote, MalformedProof
from audit.note import Signer
from audit.receipt import Receipt, issue_receipt, receipt_key_name, verify_receipt

ORIGIN = "log.example/ofrecord"
SIGNER = Signer(receipt_key_name(ORIGIN), bytes(range(32)))
APPENDED = Appended(
    UUID("019aa0e2-3f7b-7abc-8def-0123456789ab"),
    bytes(range(32)),
    datetime(2026, 11, 20, 10, 15, 0, 123456, tzinfo=UTC),
    duplicate=False,
)
RECEIPT = issue_receipt(SIGNER, ORIGIN, APPENDED)


def test_the_signed_text_is_written_out():
    text = (
        b"ofrecord-receipt/v1\nlog.example/ofrecord\n"
        b"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"
        b"2026-11-20T10:15:00.123456Z\n2026-11-21T10:15:00.123456Z\n"
    )
    assert RECEIPT.text() == text
    public = Ed25519PrivateKey.from_private_bytes(bytes(range(32))).public_key()
    public.verify(RECEIPT.signature, text)
    assert verify_receipt(RECEIPT, [SIGNER.verifier]) is True


def test_the_same_entry_gets_the_same_receipt():
    assert issue_receipt(SIGNER, ORIGIN, replace(APPENDED, duplicate=True)) == RECEIPT


def test_a_receipt_survives_json():
    value = RECEIPT.to_json()
    assert value["leaf_hash"] == bytes(range(32)).hex()
    assert base64.b64decode(str(value["signature"])) == RECEIPT.signature
    assert value["index"] is None
    assert Receipt.from_json(value) == RECEIPT
    assert Receipt.from_json({**RECEIPT.with_index(5).to_json(), "more": 1}) == RECEIPT.with_index(5)


@pytest.mark.parametrize(
    "change",
    [
        {"leaf_hash": bytes(32)},
        {"time": APPENDED.time + timedelta(microseconds=1)},
        {"integrate_by": APPENDED.time},
        {"signature": bytes(64)},
        {"signature": b""},
    ],
)
def test_a_changed_receipt_does_not_verify(change):
    assert verify_receipt(replace(RECEIPT, **change), [SIGNER.verifier]) is False


def test_a_key_that_is_not_there_decides_nothing():
    assert verify_receipt(RECEIPT, []) is None
    assert verify_receipt(RECEIPT, [Signer(ORIGIN, bytes(range(32))).verifier]) is None
    assert verify_receipt(replace(RECEIPT, log_origin="other.example"), [SIGNER.verifier]) is None


def test_only_a_receipt_key_of_this_log_signs_its_receipts():
    with pytest.raises(MalformedNote, match="is named"):
        issue_receipt(Signer(ORIGIN, bytes(32)), ORIGIN, APPENDED)


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("leaf_hash", "00"),
        ("leaf_hash", "zz"),
        ("entry_id", "x"),
        ("time", "today"),
        ("integrate_by", None),
        ("signature", "%"),
        ("index", -1),
        ("index", "1"),
        ("index", True),
    ],
)
def test_what_is_no_receipt(member, value):
    with pytest.raises(MalformedProof):
        Receipt.from_json({**RECEIPT.to_json(), member: value})


@pytest.mark.parametrize("member", sorted(set(RECEIPT.to_json()) - {"index"}))
def test_every_member_of_a_receipt_is_needed(member):
    value = RECEIPT.to_json()
    del value[member]
    with pytest.raises(MalformedProof):
        Receipt.from_json(value)
