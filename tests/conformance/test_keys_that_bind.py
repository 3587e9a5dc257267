"""Keys that both verifiers refuse: second forms of a point, no point, and points of small order."""

from __future__ import annotations

import base64
import random

import pytest

from audit.cosignature import Cosigner, CosignerKey
from audit.errors import MalformedNote
from audit.note import Signer, Verifier, hash_of_key
from audit.verifier import ofrecord_verify as single
from audit.verifier.ofrecord_verify import BASE, ORDER, P, decode_point, times

NAME = "log.example/ofrecord"
IDENTITY = (1).to_bytes(32, "little")


def _encoded(point) -> bytes:
    x, y, z, _ = point
    x, y = x * pow(z, P - 2, P) % P, y * pow(z, P - 2, P) % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _small_order() -> set[bytes]:
    """All eight: of any point, times the order of the base point, only the small part is left."""
    found, y = set(), 2
    while len(found) < 8:
        point = decode_point(y.to_bytes(32, "little"))
        if point is not None:
            small = times(ORDER, point)
            found |= {_encoded(times(number, small)) for number in range(1, 9)}
        y += 1
    return found


SMALL = sorted(_small_order())
SECOND_FORMS = [
    (number | sign << 255).to_bytes(32, "little")
    for number in (P, P + 1, P + 3, P + 18, 2**255 - 1)
    for sign in (0, 1)
] + [(1 | 1 << 255).to_bytes(32, "little"), (P - 1 | 1 << 255).to_bytes(32, "little")]
NO_POINT = [number.to_bytes(32, "little") for number in (2, 7)]


def _vkey(public: bytes, kind: bytes) -> str:
    digest = hash_of_key(NAME, kind, public).hex()
    return f"{NAME}+{digest}+{base64.b64encode(kind + public).decode()}"


def test_there_are_eight_points_of_small_order():
    assert len(SMALL) == 8
    assert IDENTITY in SMALL


@pytest.mark.parametrize("public", [*SMALL, *SECOND_FORMS, *NO_POINT], ids=bytes.hex)
@pytest.mark.parametrize(("parse", "kind"), [(Verifier.parse, b"\x01"), (CosignerKey.parse, b"\x04")])
def test_a_key_that_binds_nothing_is_refused(public, parse, kind):
    with pytest.raises(MalformedNote, match="binds"):
        parse(_vkey(public, kind))
    with pytest.raises(ValueError, match="binds"):
        single.parse_key(_vkey(public, kind))


def test_under_such_a_key_one_signature_would_hold_for_every_text():
    """Why they are refused: the arithmetic itself accepts them, here and in the library."""
    forged = IDENTITY + bytes(32)
    for text in (b"one", b"another"):
        assert single.signed(IDENTITY, text, forged)
        assert Verifier(NAME, IDENTITY).verify(text, forged)


def test_every_other_point_is_judged_alike():
    chance, points = random.Random(8), [BASE]  # noqa: S311 - repeatable on purpose
    points += [times(chance.randrange(ORDER), BASE) for _ in range(20)]
    for public in [_encoded(point) for point in points] + [chance.randbytes(32) for _ in range(200)]:
        vkey = _vkey(public, b"\x01")
        if decode_point(public) is None:
            with pytest.raises(MalformedNote):
                Verifier.parse(vkey)
            continue
        assert Verifier.parse(vkey).public_key == single.parse_key(vkey).public == public
    for _ in range(50):
        made = Signer.generate(NAME).verifier
        assert Verifier.parse(made.vkey) == made


AROUND = ["{} ", " {}", "{}\n", "{}@1 ", "{}@1\n", "{} @1", "{}@ 1", "{}@01", "{}@"]


@pytest.mark.parametrize("around", AROUND)
def test_no_verifier_reads_over_what_stands_around_a_key(around):
    for key in (Signer(NAME, bytes(32)).verifier, Cosigner(NAME, bytes(32)).key):
        given = around.format(key.vkey)
        for parse in (Verifier.parse, CosignerKey.parse):
            with pytest.raises(MalformedNote):
                parse(given)
        with pytest.raises(ValueError, match=r"\S"):
            single.parse_key(given)
