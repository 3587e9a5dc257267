"""Values have the bytes that the standard library writes; entries read back; any change is noticed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.canonical import MAX_INTEGER, canonical, decimal
from audit.entry import Entry, PrivatePart, entry_bytes, parse_entry
from audit.errors import MalformedEntry

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
KEYS = st.text(st.characters(max_codepoint=127))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-MAX_INTEGER, MAX_INTEGER) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
HEX = st.binary(min_size=32, max_size=32).map(bytes.hex)
NO_NUL = TEXT.filter(lambda text: "\0" not in text)
ENTRIES = st.builds(
    Entry,
    entry_id=st.uuids(),
    type=st.sampled_from(["explanation.created", "model.approved", "log.started"]),
    time=st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    actor=NO_NUL.filter(lambda text: 0 < len(text) <= 200),
    body=st.dictionaries(
        st.sampled_from(["a", "b", "Z"]), NO_NUL | st.booleans() | st.lists(NO_NUL, max_size=3)
    ),
    retention_class=st.sampled_from(["standard", "consumer_credit"]),
    about=st.none() | st.uuids(),
    private=st.none() | st.builds(PrivatePart, HEX.map(lambda text: "sha256:" + text), HEX, st.uuids()),
)


@settings(deadline=None)
@given(VALUES)
def test_canonical_bytes_are_sorted_minimal_json(value):
    expected = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert canonical(value) == expected.encode()


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_decimal_reads_back_as_the_same_double(number):
    assert float(decimal(number)) == number


@settings(deadline=None)
@given(ENTRIES)
def test_an_entry_reads_back(entry):
    assert parse_entry(entry_bytes(entry)) == entry


@settings(deadline=None, max_examples=300)
@given(ENTRIES, st.data())
def test_other_bytes_are_another_entry_or_none(entry, data):
    encoded = bytearray(entry_bytes(entry))
    place = data.draw(st.integers(0, len(encoded) - 1))
    encoded[place] ^= data.draw(st.integers(1, 255))
    try:
        changed = parse_entry(bytes(encoded))
    except MalformedEntry:
        return
    assert changed != entry
    assert entry_bytes(changed) == bytes(encoded)


def test_the_nil_uuid_is_an_id_like_any_other():
    entry = Entry(UUID(int=0), "a.b", datetime(2026, 1, 1, tzinfo=UTC), "x", {})
    assert parse_entry(entry_bytes(entry)) == entry
    with pytest.raises(MalformedEntry):
        parse_entry(entry_bytes(entry).replace(b"0000-0000", b"00000000", 1))
