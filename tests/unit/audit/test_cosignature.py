"""Cosignatures: written as an independent implementation reads them, and refused when anything is off."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.checkpoint import Checkpoint, sign_checkpoint, verify_checkpoint
from audit.cosignature import Cosigner, CosignerKey, read_cosignatures
from audit.errors import MalformedNote
from audit.note import Signer, Verifier, key_id_of, signature_line

ORIGIN = "log.example/ofrecord"
SEED = bytes(range(40, 72))
COSIGNER = Cosigner("witness.example/w1", SEED)
SIGNER = Signer(ORIGIN, bytes(range(32)))
NOW = datetime(2026, 11, 20, 10, 15, 0, 999_999, tzinfo=UTC)
NOTE = sign_checkpoint(Checkpoint(ORIGIN, 7, bytes(range(32))), [SIGNER])
TEXT = NOTE.partition("\n\n")[0] + "\n"


def _by_the_specification(seconds: int) -> str:
    """Write the line with nothing of ours, from C2SP tlog-cosignature's own words."""
    private = Ed25519PrivateKey.from_private_bytes(SEED)
    public = private.public_key().public_bytes_raw()
    key_id = hashlib.sha256(b"witness.example/w1\n\x04" + public).digest()[:4]
    signed = private.sign(f"cosignature/v1\ntime {seconds}\n{TEXT}".encode())
    blob = key_id + seconds.to_bytes(8, "big") + signed
    return f"\N{EM DASH} witness.example/w1 {base64.b64encode(blob).decode()}\n"


def test_a_cosignature_is_what_the_specification_says():
    assert COSIGNER.cosign(TEXT, NOW) == _by_the_specification(1795169700)


def test_a_cosignature_is_read_beside_the_signature_of_the_log():
    note = NOTE + COSIGNER.cosign(TEXT, NOW)
    (found,) = read_cosignatures(note, [COSIGNER.key])
    assert (found.key, found.time) == (COSIGNER.key, NOW.replace(microsecond=0))
    assert found.line == COSIGNER.cosign(TEXT, NOW)
    checkpoint, signed_by = verify_checkpoint(note, [SIGNER.verifier])
    assert (checkpoint.tree_size, signed_by) == (7, (SIGNER.verifier,))


def test_unknown_cosigners_are_ignored_and_each_known_one_counts_once():
    stranger = Cosigner("witness.example/w1", bytes(32))
    lines = stranger.cosign(TEXT, NOW) + COSIGNER.cosign(TEXT, NOW)
    again = COSIGNER.cosign(TEXT, NOW + timedelta(seconds=5))
    found = read_cosignatures(NOTE + lines + again, [COSIGNER.key])
    assert [one.time for one in found] == [NOW.replace(microsecond=0)]
    assert read_cosignatures(NOTE, [COSIGNER.key]) == ()


@pytest.mark.parametrize(
    "signature",
    [
        b"",
        b"x" * 64,
        (0).to_bytes(8, "big") + bytes(64),
        (2**63).to_bytes(8, "big") + bytes(64),
        (1795169700).to_bytes(8, "big") + bytes(64),
        (1795169700).to_bytes(8, "big") + bytes(65),
    ],
)
def test_a_wrong_cosignature_of_a_known_key_is_refused(signature):
    assert not COSIGNER.key.verify(TEXT.encode(), signature)
    line = signature_line(COSIGNER.key, signature or b"0")
    with pytest.raises(MalformedNote, match="signature of witness"):
        read_cosignatures(NOTE + line, [COSIGNER.key])


def test_another_time_or_another_text_is_refused():
    line = COSIGNER.cosign(TEXT, NOW)
    raw = bytearray(base64.b64decode(line.split()[2]))
    raw[11] ^= 1
    later = f"\N{EM DASH} witness.example/w1 {base64.b64encode(raw).decode()}\n"
    for note in (NOTE + later, NOTE.replace("\n7\n", "\n8\n") + line):
        with pytest.raises(MalformedNote, match="signature of witness"):
            read_cosignatures(note, [COSIGNER.key])


def test_keys_are_written_and_read():
    assert Cosigner.parse(COSIGNER.private_text()).key == COSIGNER.key
    assert CosignerKey.parse(COSIGNER.key.vkey) == COSIGNER.key
    assert key_id_of(COSIGNER.key.vkey) == COSIGNER.key.key_id
    assert key_id_of(SIGNER.verifier.vkey) == SIGNER.verifier.key_id
    made = Cosigner.generate("witness.example/w2")
    assert Cosigner.parse(made.private_text()).key == made.key


def test_a_key_of_a_log_is_no_key_of_a_witness():
    with pytest.raises(MalformedNote, match="not an Ed25519 key for this purpose"):
        Cosigner.parse(SIGNER.private_text())
    with pytest.raises(MalformedNote, match="not an Ed25519 key for this purpose"):
        CosignerKey.parse(SIGNER.verifier.vkey)
    with pytest.raises(MalformedNote, match="not an Ed25519 key for this purpose"):
        Verifier.parse(COSIGNER.key.vkey)


@pytest.mark.parametrize("text", ["", "PRIVATE+KEY+", "PRIVATE+KEY+a+b", "witness+00000000+BA=="])
def test_what_is_no_key_is_refused(text):
    with pytest.raises(MalformedNote):
        Cosigner.parse(text)


def test_a_key_whose_hash_is_wrong_is_refused():
    wrong = COSIGNER.key.vkey.replace(COSIGNER.key.key_hash.hex(), "00000000")
    with pytest.raises(MalformedNote, match="key hash"):
        CosignerKey.parse(wrong)
    private = COSIGNER.private_text().replace(COSIGNER.key.key_hash.hex(), "00000000")
    with pytest.raises(MalformedNote, match="key hash"):
        Cosigner.parse(private)
