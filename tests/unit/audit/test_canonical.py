"""Canonical bytes against the standard library and the vectors that RFC 8785 prints."""

from __future__ import annotations

import json
import struct

import pytest

from audit.canonical import MAX_INTEGER, canonical, decimal
from audit.errors import NotCanonical


def stdlib(value: object) -> bytes:
    """Equal to RFC 8785 as long as keys are ASCII and no number is real."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        0,
        -1,
        MAX_INTEGER,
        -MAX_INTEGER,
        "",
        "é € 😂 דּ",
        "\u2028\u2029\x7f\x80",
        [],
        {},
        [[], {}, [{}]],
        {"b": 1, "a": {"z": None, "B": False, "": [1, "2"]}, "1": 0, "10": 0, "\r": "\n"},
    ],
)
def test_equals_the_standard_library(value):
    assert canonical(value) == stdlib(value)


def test_rfc_8785_literals_and_string():
    # RFC 8785, section 3.2.2: `literals` and `string` of the sample, and the bytes of section 3.2.4.
    sample = {"string": "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/", "literals": [None, True, False]}
    expected = (
        "7b 22 6c 69 74 65 72 61 6c 73 22 3a 5b 6e 75 6c 6c 2c 74 72 75 65 2c 66 61 6c 73 65 5d 2c"
        "22 73 74 72 69 6e 67 22 3a 22 e2 82 ac 24 5c 75 30 30 30 66 5c 6e 41 27 42 5c 22 5c 5c"
        "5c 5c 5c 22 2f 22 7d"
    )
    assert canonical(sample) == bytes.fromhex(expected)


def test_every_control_character_as_rfc_8785_escapes_it():
    short = {8: b"\\b", 9: b"\\t", 10: b"\\n", 12: b"\\f", 13: b"\\r"}
    for code in range(32):
        assert canonical(chr(code)) == b'"' + short.get(code, b"\\u%04x" % code) + b'"'


@pytest.mark.parametrize(
    "value",
    [
        1.0,
        {"a": [float("nan")]},
        2**53,
        -(2**53),
        2**70,
        {1: 2},
        {"é": 1},
        "\ud800",
        b"bytes",
        {"a": {1, 2}},
        object(),
    ],
)
def test_refuses_what_has_no_canonical_form(value):
    with pytest.raises(NotCanonical):
        canonical(value)


def test_refuses_a_circle():
    circle: list[object] = []
    circle.append(circle)
    with pytest.raises(NotCanonical):
        canonical(circle)


# RFC 8785, appendix B: IEEE 754 bits and the text of the number.
APPENDIX_B = [
    ("0000000000000000", "0"),
    ("8000000000000000", "0"),
    ("0000000000000001", "5e-324"),
    ("8000000000000001", "-5e-324"),
    ("7fefffffffffffff", "1.7976931348623157e+308"),
    ("ffefffffffffffff", "-1.7976931348623157e+308"),
    ("4340000000000000", "9007199254740992"),
    ("c340000000000000", "-9007199254740992"),
    ("4430000000000000", "295147905179352830000"),
    ("44b52d02c7e14af5", "9.999999999999997e+22"),
    ("44b52d02c7e14af6", "1e+23"),
    ("44b52d02c7e14af7", "1.0000000000000001e+23"),
    ("444b1ae4d6e2ef4e", "999999999999999700000"),
    ("444b1ae4d6e2ef4f", "999999999999999900000"),
    ("444b1ae4d6e2ef50", "1e+21"),
    ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
    ("3eb0c6f7a0b5ed8d", "0.000001"),
    ("41b3de4355555553", "333333333.3333332"),
    ("41b3de4355555554", "333333333.33333325"),
    ("41b3de4355555555", "333333333.3333333"),
    ("41b3de4355555556", "333333333.3333334"),
    ("41b3de4355555557", "333333333.33333343"),
    ("becbf647612f3696", "-0.0000033333333333333333"),
    ("43143ff3c1cb0959", "1424953923781206.2"),
]


@pytest.mark.parametrize(("bits", "text"), APPENDIX_B)
def test_reals_as_rfc_8785_writes_them(bits, text):
    (number,) = struct.unpack(">d", bytes.fromhex(bits))
    assert decimal(number) == text


@pytest.mark.parametrize(("number", "text"), [(56.0, "56"), (0.1, "0.1"), (-1.5, "-1.5"), (7, "7")])
def test_reals_as_people_write_them(number, text):
    assert decimal(number) == text


@pytest.mark.parametrize("bits", ["7fffffffffffffff", "7ff0000000000000", "fff0000000000000"])
def test_what_is_no_number_has_no_text(bits):
    (number,) = struct.unpack(">d", bytes.fromhex(bits))
    with pytest.raises(NotCanonical):
        decimal(number)
