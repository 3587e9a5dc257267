"""The entry format is final: golden bytes, written out by hand and computed with the standard library."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from audit import sealing
from audit.entry import Draft, Entry, PrivatePart, entry_bytes, format_time, new_id, parse_entry, parse_time
from audit.errors import MalformedEntry, NotCanonical
from audit.keys import KeyStore
from audit.merkle import leaf_hash

CLEAR = Entry(
    entry_id=UUID("019aa0e2-3f00-7abc-8def-0123456789ab"),
    type="model.approved",
    time=datetime(2026, 11, 20, 10, 15, tzinfo=UTC),
    actor="anna",
    body={"version": "1", "model": "boston-mortgage"},
)
CLEAR_BYTES = (
    b'{"about":null,"actor":"anna","body":{"model":"boston-mortgage","version":"1"},"ciphertext_digest":null,'
    b'"commitment":null,"entry_id":"019aa0e2-3f00-7abc-8def-0123456789ab","key_id":null,'
    b'"retention_class":"standard","time":"2026-11-20T10:15:00.000000Z","type":"model.approved","v":1}'
)
CLEAR_LEAF = "18a158e9ebe1d7feb8a3f132655538a1495c78a3e32f12c1b6bda67afa28fa2e"

BLIND = bytes(range(32))
PLAINTEXT = b'{"decision_id":"A-2026-000123","features":[{"name":"income","type":"number","value":"56"}]}'
CIPHERTEXT = bytes(12) + b"not decrypted here"
SEALED = Entry(
    entry_id=UUID("019aa0e2-3f7b-7abc-8def-0123456789ab"),
    type="explanation.created",
    time=datetime(2026, 11, 20, 10, 15, 0, 123456, tzinfo=UTC),
    actor="svc-lending",
    body={
        "model": "boston-mortgage",
        "version": "1",
        "outcome": "decline",
        "favourable": False,
        "reason_codes": ["R07", "R05"],
        "catalogue": {"name": "boston-mortgage", "version": 1},
    },
    retention_class="consumer_credit",
    about=UUID("019aa0e2-3f00-7abc-8def-0123456789ab"),
    private=PrivatePart(
        ciphertext_digest="sha256:" + hashlib.sha256(CIPHERTEXT).hexdigest(),
        commitment=hmac.new(BLIND, PLAINTEXT, "sha256").hexdigest(),
        key_id=UUID("5f0c1f63-9f4a-4c34-8a52-5d1f6b1b2c3d"),
    ),
)


def test_golden_bytes_of_a_clear_entry():
    assert entry_bytes(CLEAR) == CLEAR_BYTES
    assert leaf_hash(CLEAR_BYTES).hex() == CLEAR_LEAF


def test_golden_bytes_of_an_encrypted_entry():
    value = {
        "v": 1,
        "entry_id": "019aa0e2-3f7b-7abc-8def-0123456789ab",
        "type": "explanation.created",
        "time": "2026-11-20T10:15:00.123456Z",
        "actor": "svc-lending",
        "about": "019aa0e2-3f00-7abc-8def-0123456789ab",
        "retention_class": "consumer_credit",
        "body": SEALED.body,
        "ciphertext_digest": SEALED.private.ciphertext_digest,
        "commitment": SEALED.private.commitment,
        "key_id": "5f0c1f63-9f4a-4c34-8a52-5d1f6b1b2c3d",
    }
    expected = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert entry_bytes(SEALED) == expected
    assert leaf_hash(expected) == hashlib.sha256(b"\x00" + expected).digest()


def test_entries_read_back():
    assert parse_entry(CLEAR_BYTES) == CLEAR
    assert parse_entry(entry_bytes(SEALED)) == SEALED


def test_the_time_of_an_entry_is_written_in_utc():
    elsewhere = CLEAR.time.astimezone(timezone(timedelta(hours=2)))
    assert entry_bytes(replace(CLEAR, time=elsewhere)) == CLEAR_BYTES


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"type": "created"}, "noun.verb"),
        ({"type": "Model.approved"}, "noun.verb"),
        ({"actor": ""}, "actor"),
        ({"actor": "a" * 201}, "actor"),
        ({"actor": "an\x00na"}, "U\\+0000"),
        ({"retention_class": "Long Time"}, "retention_class"),
        ({"body": {"text": "a" * 65_536}}, "at most 65535 bytes"),
        ({"time": CLEAR.time.replace(tzinfo=None)}, "zone"),
        ({"private": replace(SEALED.private, commitment="00")}, "SHA-256"),
        ({"private": replace(SEALED.private, ciphertext_digest="md5:00")}, "SHA-256"),
    ],
)
def test_refuses_to_write(change, message):
    with pytest.raises(MalformedEntry, match=message):
        entry_bytes(replace(CLEAR, **change))


@pytest.mark.parametrize("body", [{"score": 0.7}, {"größe": 1}, {"n": 2**60}])
def test_refuses_a_body_without_canonical_form(body):
    with pytest.raises(NotCanonical):
        entry_bytes(replace(CLEAR, body=body))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b'"v":1', b'"v":2', "version 2"),
        (b'"v":1', b'"v":true', "version True"),
        (b'"v":1', b'"v":1.0', "version 1.0"),
        (b'"about":null,', b"", "members"),
        (b'"about":null', b'"about":null,"also":1', "members"),
        (b'"about":null', b'"about": null', "canonical"),
        (b'"about":null', b'"about":null,"about":null', "canonical"),
        (b'"about":null', b'"about":"x"', "UUID"),
        (b'"about":null', b'"about":5', "UUID"),
        (b"019aa0e2-3f00", b"019AA0E2-3F00", "UUID"),
        (b"019aa0e2-3f00-", b"019aa0e23f00", "UUID"),
        (b'"version":"1"', b'"version":1.5', "float"),
        (b'{"model":"boston-mortgage","version":"1"}', b"[]", "body"),
        (b'"actor":"anna"', b'"actor":null', "actor"),
        (b".000000Z", b"Z", "time"),
        (b"2026-11-20", b"2026-02-30", "day"),
        (b'"commitment":null', b'"commitment":"00"', "together"),
        (b'"anna"', b'"\\u0061nna"', "canonical"),
    ],
)
def test_refuses_to_read_what_it_would_not_write(old, new, message):
    assert old in CLEAR_BYTES
    with pytest.raises(MalformedEntry, match=message):
        parse_entry(CLEAR_BYTES.replace(old, new, 1))


@pytest.mark.parametrize("note", ["\\u0000", "a \\\\u0000 b"])
def test_a_backslash_and_u0000_written_out_are_ordinary_text(note):
    entry = replace(CLEAR, body={"note": note})
    assert parse_entry(entry_bytes(entry)).body == {"note": note}


@pytest.mark.parametrize("zero", ["\x00", "\\\x00", "\\\\\x00"])
def test_a_zero_character_is_refused_behind_any_backslashes(zero):
    with pytest.raises(MalformedEntry, match=r"U\+0000"):
        entry_bytes(replace(CLEAR, body={"note": zero}))


@pytest.mark.parametrize("data", [b"", b"null", b"[]", b'"v"', b"{", b"\xff", b"{}", CLEAR_BYTES + b"\n"])
def test_refuses_what_is_no_entry(data):
    with pytest.raises(MalformedEntry):
        parse_entry(data)


def test_times_keep_their_microseconds():
    moment = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
    assert format_time(moment) == "2026-01-02T03:04:05.000006Z"
    assert parse_time(format_time(moment)) == moment


def test_ids_are_uuid_version_7_of_the_time():
    moment = datetime(2026, 11, 20, 10, 15, 0, 123456, tzinfo=UTC)
    made = {new_id(moment) for _ in range(100)}
    assert len(made) == 100
    for entry_id in made:
        assert (entry_id.version, entry_id.variant) == (7, "specified in RFC 4122")
        assert entry_id.int >> 80 == 1795169700123


def test_the_private_part_is_encrypted_as_the_format_says():
    entry_id = SEALED.entry_id
    sealed = KeyStore.seal(entry_id, "S-1", PLAINTEXT)
    nonce, rest = sealed.ciphertext[:12], sealed.ciphertext[12:]
    joined = AESGCM(sealed.key.data_key).decrypt(nonce, rest, b"ofrecord/entry/v1\n" + str(entry_id).encode())
    blind, plaintext = joined[:32], joined[32:]
    assert plaintext == PLAINTEXT
    assert sealed.private.commitment == hmac.new(blind, PLAINTEXT, "sha256").hexdigest()
    assert sealed.private.ciphertext_digest == "sha256:" + hashlib.sha256(sealed.ciphertext).hexdigest()
    assert sealed.private.key_id == sealed.key.key_id


def test_every_seal_has_its_own_key_blind_and_nonce():
    made = [KeyStore.seal(SEALED.entry_id, "S-1", PLAINTEXT) for _ in range(20)]
    assert len({sealed.key.data_key for sealed in made}) == 20
    assert len({sealed.private.commitment for sealed in made}) == 20
    assert len({sealed.ciphertext[:12] for sealed in made}) == 20


@pytest.mark.parametrize("position", [0, 11, 12, 40, -1])
def test_a_changed_ciphertext_does_not_open(position):
    sealed = KeyStore.seal(SEALED.entry_id, None, PLAINTEXT)
    changed = bytearray(sealed.ciphertext)
    changed[position] ^= 1
    with pytest.raises(sealing.NotDecrypted):
        sealing.unseal(sealed.key.data_key, SEALED.entry_id, bytes(changed))
    with pytest.raises(sealing.NotDecrypted):
        sealing.unseal(sealed.key.data_key, CLEAR.entry_id, sealed.ciphertext)
    with pytest.raises(sealing.NotDecrypted):
        sealing.unseal(sealed.key.data_key, SEALED.entry_id, sealed.ciphertext[:20])


def test_a_commitment_opens_one_way_only():
    opening = sealing.Opening(BLIND, PLAINTEXT)
    assert sealing.opens(opening, SEALED.private.commitment)
    assert not sealing.opens(replace(opening, plaintext=PLAINTEXT + b" "), SEALED.private.commitment)
    # HMAC pads a short key with zeros: only a blind of full length is an opening.
    padded = sealing.Opening(BLIND + bytes(1), PLAINTEXT)
    assert sealing.commitment(padded) == SEALED.private.commitment
    assert not sealing.opens(padded, SEALED.private.commitment)


def test_the_private_part_has_a_limit():
    with pytest.raises(MalformedEntry, match="private part"):
        KeyStore.seal(SEALED.entry_id, None, bytes((4 << 20) + 1))


def test_a_draft_is_standard_and_clear_unless_said_otherwise():
    draft = Draft("a.b", "x", {})
    assert (draft.retention_class, draft.private, draft.subject, draft.about) == (
        "standard",
        None,
        None,
        None,
    )
