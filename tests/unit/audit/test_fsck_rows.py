"""The quick check of a row accepts nothing in which the slow one finds a fault."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.entry import Entry, PrivatePart, entry_bytes
from audit.fsck_rows import Row, agrees, faults, payload_digest
from audit.merkle import leaf_hash

NOW = datetime(2026, 11, 20, 10, 15, 0, 123456, tzinfo=UTC)
ABOUT, KEY = UUID(int=7), UUID(int=8)
CIPHERTEXT = b"c" * 99
PAYLOAD = payload_digest(CIPHERTEXT)
BODY = {"codes": ["R1", "R2"], "n": 3, "nested": {"a": [{"b": None, "c": True}]}, "text": "ä \\ x"}
ENTRY = Entry(
    UUID(int=5),
    "explanation.created",
    NOW,
    "svc-lending",
    BODY,
    "consumer_credit",
    ABOUT,
    PrivatePart(PAYLOAD, "ab" * 32, KEY),
)
CLEAR = Entry(UUID(int=5), "model.approved", NOW, "anna", {"n": -3})
BYTES = entry_bytes(ENTRY)
COLUMNS = ("explanation.created", NOW, ABOUT.bytes, KEY.bytes, "consumer_credit")


def row(canonical: bytes = BYTES, columns: tuple[object, ...] = COLUMNS) -> Row:
    return (UUID(int=5).bytes, canonical, leaf_hash(canonical), *columns)


def judged(one: Row, leaf: bytes | None = None, payload: str | None = PAYLOAD) -> bool:
    """Tell whether the quick check accepts, after comparing it with the slow one."""
    expected = leaf_hash(one[1]) if leaf is None else leaf
    found = list(faults(one, expected, payload))
    if agrees(one, expected, payload):
        assert not found
        return True
    return False


def test_good_rows_are_accepted():
    assert judged(row())
    assert judged(row(), payload=None)  # whether it may be missing is asked elsewhere
    clear = (UUID(int=5).bytes, entry_bytes(CLEAR), leaf_hash(entry_bytes(CLEAR)))
    assert judged((*clear, "model.approved", NOW, None, None, "standard"), payload=None)
    plain = entry_bytes(Entry(UUID(int=5), "a.b", NOW, "x", {"n": 2**53 - 1, "list": [1, [2], {}]}))
    assert judged(row(plain, ("a.b", NOW, None, None, "standard")), payload=None)


def test_a_good_row_that_the_quick_check_leaves_to_the_slow_one_has_no_fault():
    backslash = entry_bytes(Entry(UUID(int=5), "a.b", NOW, "x", {"t": "\\u0000"}))
    one = row(backslash, ("a.b", NOW, None, None, "standard"))
    assert not agrees(one, leaf_hash(backslash), None)
    assert list(faults(one, leaf_hash(backslash), None)) == []


COLUMN_FAULTS = {
    "type": ("explanation.read", *COLUMNS[1:]),
    "time": (COLUMNS[0], NOW + timedelta(microseconds=1), *COLUMNS[2:]),
    "about": (*COLUMNS[:2], UUID(int=9).bytes, *COLUMNS[3:]),
    "no about": (*COLUMNS[:2], None, *COLUMNS[3:]),
    "key": (*COLUMNS[:3], UUID(int=9).bytes, COLUMNS[4]),
    "no key": (*COLUMNS[:3], None, COLUMNS[4]),
    "class": (*COLUMNS[:4], "standard"),
}


@pytest.mark.parametrize("name", COLUMN_FAULTS)
def test_a_column_that_says_otherwise_is_named(name):
    changed = row(columns=COLUMN_FAULTS[name])
    assert not judged(changed)
    assert ("columns", "say otherwise than its bytes") in list(faults(changed, changed[2], PAYLOAD))


def test_other_hashes_ids_and_payloads_are_named():
    good = row()
    assert [part for part, _ in faults(good, bytes(32), PAYLOAD)] == ["bytes"]
    assert not judged(good, leaf=bytes(32))
    stored = (*good[:2], bytes(32), *good[3:])
    assert not judged(stored, leaf=leaf_hash(BYTES))
    assert [part for part, _ in faults(stored, leaf_hash(BYTES), PAYLOAD)] == ["bytes"]
    assert not judged((UUID(int=6).bytes, *good[1:]))
    assert not judged(good, payload=payload_digest(b"other"))
    clear = (UUID(int=5).bytes, entry_bytes(CLEAR), leaf_hash(entry_bytes(CLEAR)))
    too_many = (*clear, "model.approved", NOW, None, None, "standard")
    assert not judged(too_many)
    assert [part for part, _ in faults(too_many, clear[2], PAYLOAD)] == ["payload"]


REWRITTEN = {
    "a space": BYTES.replace(b'"v":1', b'"v": 1'),
    "an escaped letter": BYTES.replace(b'"R1"', b'"\\u00521"'),
    "a member twice": BYTES.replace(b'"v":1', b'"v":1,"v":1'),
    "another order": orjson.dumps(dict(reversed(orjson.loads(BYTES).items()))),
    "version 2": BYTES.replace(b'"v":1', b'"v":2'),
    "version true": BYTES.replace(b'"v":1', b'"v":true'),
    "version 1.0": BYTES.replace(b'"v":1', b'"v":1.0'),
    "a real": BYTES.replace(b'"n":3', b'"n":3.5'),
    "a real far inside": BYTES.replace(b'"c":true', b'"c":1e-7'),
    "an integer beyond": BYTES.replace(b'"n":3', b'"n":9007199254740992'),
    "a name that is not ASCII": BYTES.replace(b'"text":', '"täxt":'.encode()),
    "a member too many": BYTES.replace(b'"v":1', b'"v":1,"w":1'),
    "a member gone": BYTES.replace(b',"v":1', b""),
    "no body": BYTES.replace(b'"body":{', b'"body":[{').replace(b"}]}", b"}]}"),
    "a list": b"[" + BYTES + b"]",
    "no JSON": BYTES[:-1],
    "a zero": BYTES.replace(b'"R1"', b'"\\u0000"'),
    "an empty actor": BYTES.replace(b"svc-lending", b""),
    "a long actor": BYTES.replace(b"svc-lending", b"a" * 201),
    "an actor that is a number": BYTES.replace(b'"svc-lending"', b"3"),
    "an upper-case id": BYTES.replace(b"000000000005", b"00000000000A"),
    "an upper-case commitment": BYTES.replace(b"ab" * 32, b"AB" * 32),
    "a short commitment": BYTES.replace(b"ab" * 32, b"ab" * 31),
    "no commitment": BYTES.replace(b'"' + b"ab" * 32 + b'"', b"null"),
    "a time without digits": BYTES.replace(b".123456Z", b"Z"),
    "too long": BYTES.replace(b'"R2"', b'"' + b"R" * 65_000 + b'"'),
}


@pytest.mark.parametrize("name", REWRITTEN)
def test_bytes_no_entry_would_have_are_named_though_their_hash_is_right(name):
    changed = row(REWRITTEN[name])
    assert REWRITTEN[name] != BYTES
    assert not judged(changed)
    assert list(faults(changed, changed[2], PAYLOAD))


@pytest.mark.parametrize("kind", ["Explanation.created", "created", "a.b" * 40])
def test_a_type_that_columns_and_bytes_agree_on_is_still_no_type(kind):
    changed = row(BYTES.replace(b"explanation.created", kind.encode()), (kind, *COLUMNS[1:]))
    assert not judged(changed)
    assert list(faults(changed, changed[2], PAYLOAD))


@given(st.integers(0, len(BYTES) - 1), st.integers(1, 255), st.booleans())
def test_no_single_byte_can_change_unnoticed(place, difference, rehashed):
    data = bytearray(BYTES)
    data[place] ^= difference
    changed = row(bytes(data))
    leaf = changed[2] if rehashed else leaf_hash(BYTES)
    assert judged(changed, leaf) == (not list(faults(changed, leaf, PAYLOAD)))


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.text(max_size=5)
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=4), VALUES, max_size=4))
def test_any_body_is_judged_alike(body):
    value = {**orjson.loads(BYTES), "body": body}
    try:
        changed = row(orjson.dumps(value, option=orjson.OPT_SORT_KEYS))
    except TypeError:  # a lone surrogate is no text
        return
    accepted = judged(changed)
    slowly = not list(faults(changed, changed[2], PAYLOAD))
    assert accepted == slowly or (slowly and b"\\u0000" in changed[1])
