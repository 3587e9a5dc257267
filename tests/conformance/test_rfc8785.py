"""Canonical bytes against the samples printed in RFC 8785 and an independent implementation of it."""

from __future__ import annotations

import json
import random
import struct

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.canonical import MAX_INTEGER, canonical, decimal
from audit.errors import NotCanonical
from tests.oracles.verifier_files import make_files

# RFC 8785, section 3.2.2 (its numbers are of those that an entry writes as text) and section 3.2.4.
SAMPLE = {"string": "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/", "literals": [None, True, False]}
NUMBERS = [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001]
PRINTED = '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":'
# RFC 8785, section 3.2.3: names in the order of their UTF-16 code units.
SORTED = {
    "\u20ac": "Euro Sign",
    "\r": "Carriage Return",
    "\ufb33": "Hebrew Letter Dalet With Dagesh",
    "1": "One",
    "\U0001f600": "Emoji: Grinning Face",
    "\u0080": "Control",
    "\u00f6": "Latin Small Letter O With Diaeresis",
}
# Test data of the reference implementation: what has no real and no other name than ASCII.
REFERENCE = [
    ('[56,{"d":true,"10":null,"1":[ ]}]', '[56,{"1":[],"10":null,"d":true}]'),
    (
        '{"1":{"f":{"f":"hi","F":5},"\\n":56},"10":{},"":"empty","a":{},"111":[{"e":"yes","E":"no"}],"A":{}}',
        '{"":"empty","1":{"\\n":56,"f":{"F":5,"f":"hi"}},"10":{},"111":[{"E":"no","e":"yes"}],"A":{},"a":{}}',
    ),
    ('{"Unnormalized Unicode":"A\\u030a"}', '{"Unnormalized Unicode":"A\u030a"}'),
]

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
NAMES = st.text(st.characters(max_codepoint=127), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-MAX_INTEGER, MAX_INTEGER) | TEXT,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=30,
)


def test_the_sample_of_section_3_2_2():
    assert rfc8785.dumps({**SAMPLE, "numbers": NUMBERS}).decode().startswith(PRINTED)
    assert canonical(SAMPLE) == rfc8785.dumps(SAMPLE)
    written = canonical({**SAMPLE, "numbers": [decimal(number) for number in NUMBERS]}).decode()
    texts = json.loads(written)["numbers"]
    assert ",".join(texts) in PRINTED


def test_names_whose_order_depends_on_the_encoding_are_refused():
    """UTF-8 sorts U+FB33 before U+1F600, UTF-16 after: an entry has no such name, so nobody can differ."""
    order = [name for name, _ in json.loads(rfc8785.dumps(SORTED), object_pairs_hook=list)]
    assert order == ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]
    assert order != sorted(SORTED)
    with pytest.raises(NotCanonical):
        canonical(SORTED)
    ascii_names = {name: text for name, text in SORTED.items() if name.isascii()}
    assert canonical(ascii_names) == rfc8785.dumps(ascii_names)


@pytest.mark.parametrize(("given_text", "printed"), REFERENCE)
def test_the_data_of_the_reference_implementation(given_text, printed):
    assert canonical(json.loads(given_text)).decode() == printed


@settings(deadline=None, max_examples=400)
@given(VALUES)
def test_any_value_has_the_bytes_of_the_independent_implementation(value):
    assert canonical(value) == rfc8785.dumps(value)


@settings(deadline=None, max_examples=400)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_any_real_has_the_text_of_the_independent_implementation(number):
    assert decimal(number).encode() == rfc8785.dumps(number)


def test_reals_of_every_size_have_the_same_text():
    chance = random.Random(8785)  # noqa: S311 - repeatable on purpose
    for exponent in range(2047):
        for _ in range(8):
            bits = chance.getrandbits(1) << 63 | exponent << 52 | chance.getrandbits(52)
            (number,) = struct.unpack(">d", struct.pack(">Q", bits))
            assert decimal(number).encode() == rfc8785.dumps(number)
    for power in range(-330, 309):
        for number in (float(f"1e{power}"), float(f"-1.7e{power}")):
            assert decimal(number).encode() == rfc8785.dumps(number)


def test_every_entry_is_its_own_canonical_form():
    for entry in make_files().entries[:10]:
        assert rfc8785.dumps(json.loads(entry)) == entry


@pytest.mark.parametrize("value", [2**53, -(2**53), float("nan"), float("inf"), "\ud800", {"a": "\udfff"}])
def test_both_refuse_what_has_no_one_form(value):
    with pytest.raises(rfc8785.CanonicalizationError):
        rfc8785.dumps(value)
    with pytest.raises(NotCanonical):
        canonical(value)
