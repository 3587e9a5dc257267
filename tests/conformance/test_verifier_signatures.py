"""The verifier's own Ed25519 against RFC 8032, the library of the service, and known weak points."""

from __future__ import annotations

from hashlib import sha512

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.verifier import ofrecord_verify as single
from audit.verifier.ofrecord_verify import BASE, ORDER, P, decode_point, signed, times
from tests.conformance.test_cosignature_vectors import NOTE, REMORA, SMARTIT
from tests.conformance.test_signed_note_vectors import C2SP_NOTE, C2SP_VKEY, GO_NOTE, GO_VKEY

# RFC 8032, section 7.1: public key, message, signature of tests 1, 2, 3 and "SHA(abc)".
RFC_8032 = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
        "d25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
        "387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
        "4a7c15e9716ed28dc027beceea1ec40a",
    ),
    (
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
        "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e030"
        "3dca179c138ac17ad9bef1177331a704",
    ),
]


@pytest.mark.parametrize(("public", "message", "signature"), RFC_8032)
def test_the_vectors_of_rfc_8032(public, message, signature):
    key, data, mark = (bytes.fromhex(text) for text in (public, message, signature))
    assert signed(key, data, mark)
    assert not signed(key, data + b"\0", mark)
    for place in range(0, 512, 7):
        changed = (int.from_bytes(mark, "little") ^ 1 << place).to_bytes(64, "little")
        assert not signed(key, data, changed)


def test_a_second_form_of_a_signature_is_refused():
    """S + order gives the same equation; RFC 8032 allows S below the order only."""
    key, data, mark = (bytes.fromhex(text) for text in RFC_8032[1])
    s = int.from_bytes(mark[32:], "little")
    assert s + ORDER < 2**256
    assert not signed(key, data, mark[:32] + (s + ORDER).to_bytes(32, "little"))
    for length in (0, 32, 63, 65):
        assert not signed(key, data, (mark * 2)[:length])


def _encoded(y: int, sign: int = 0) -> bytes:
    return (y | sign << 255).to_bytes(32, "little")


@pytest.mark.parametrize(
    "data",
    [
        _encoded(P),  # y = 0 in a second form
        _encoded(P + 1),
        _encoded(2**255 - 1),
        _encoded(1, 1),  # x = 0 has no negative
        _encoded(P - 1, 1),
        _encoded(2),  # no x on the curve
        _encoded(7),
    ],
)
def test_what_encodes_no_point(data):
    assert decode_point(data) is None
    assert not signed(data, b"", bytes(64))


def test_the_base_point_has_its_order_and_its_printed_coordinates():
    # RFC 8032, section 5.1
    assert BASE[0] == 15112221349535400772501151409588531511454012693041857206046113283949847762202
    assert BASE[1] == 46316835694926478169428394003475163141307993866256225615783033603165251855960
    x, y, z, _ = times(ORDER, BASE)
    assert (x % P, (y - z) % P) == (0, 0)


@settings(deadline=None, max_examples=60)
@given(seed=st.binary(min_size=32, max_size=32), message=st.binary(max_size=200), bit=st.integers(0, 511))
def test_agrees_with_the_library_of_the_service(seed, message, bit):
    private = Ed25519PrivateKey.from_private_bytes(seed)
    public, mark = private.public_key().public_bytes_raw(), private.sign(message)
    assert signed(public, message, mark)
    changed = (int.from_bytes(mark, "little") ^ 1 << bit).to_bytes(64, "little")
    assert not signed(public, message, changed)
    with pytest.raises(InvalidSignature):
        Ed25519PublicKey.from_public_bytes(public).verify(changed, message)


def test_a_signature_that_only_holds_times_eight_is_refused_as_the_library_does():
    """R moved by a point of order two: the equation holds times eight, but not as it stands."""
    private = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    public, half = private.public_key().public_bytes_raw(), sha512(bytes(range(32))).digest()
    secret = int.from_bytes(half[:32], "little") & (1 << 254) - 8 | 1 << 254
    nonce = 123456789
    x, y, z, _ = times(nonce, BASE)
    moved_x, moved_y = -x * pow(z, P - 2, P) % P, -y * pow(z, P - 2, P) % P  # plus (0, -1)
    r = _encoded(moved_y, moved_x & 1)
    k = int.from_bytes(sha512(r + public + b"m").digest(), "little") % ORDER
    mark = r + ((nonce + k * secret) % ORDER).to_bytes(32, "little")
    assert decode_point(r) is not None
    assert not signed(public, b"m", mark)
    with pytest.raises(InvalidSignature):
        Ed25519PublicKey.from_public_bytes(public).verify(mark, b"m")


@pytest.mark.parametrize(("note", "vkey"), [(C2SP_NOTE, C2SP_VKEY), (GO_NOTE, GO_VKEY)])
def test_published_notes(note, vkey):
    key = single.parse_key(vkey)
    body, _, line = note.partition("\n\n")
    mark = single.b64(line.split(" ")[2].strip())
    assert key.id == f"{key.name}+{mark[:4].hex()}"
    assert signed(key.public, body.encode() + b"\n", mark[4:])
    assert not signed(key.public, body.encode(), mark[4:])


@pytest.mark.parametrize(
    "vkey", [C2SP_VKEY.replace("530d", "530e"), C2SP_VKEY[:-4], "name", "a b+00000000+AA=="]
)
def test_what_is_no_verifier_key(vkey):
    with pytest.raises(ValueError, match=r"key|form|base64|padding"):
        single.parse_key(vkey)


@pytest.mark.parametrize("witness", [REMORA, SMARTIT])
def test_cosignatures_of_the_public_witness_network(witness):
    """The log's own key is not given: whatever its witnesses say, the checkpoint proves nothing."""
    given_keys = single.Given([single.parse_key(witness)], True, None, [], "")
    with pytest.raises(ValueError, match="no key that was given has signed for this log"):
        single.parse_checkpoint(NOTE, given_keys)
    for old, new in (("1432088532", "1432088533"), ("U7WM", "U7WN"), ("AAAABq", "AAAABr")):
        with pytest.raises(ValueError, match=r"signature of .* is wrong"):
            single.parse_checkpoint(NOTE.replace(old, new), given_keys)
