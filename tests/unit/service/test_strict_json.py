"""Strict JSON: the table of documents that two readers could take differently, and where each is refused."""

from __future__ import annotations

import json
import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.strict_json import LARGEST_INTEGER, MAX_DEPTH, InvalidJson, read_json

REFUSED = [
    (b'{"a":1,"a":1}', "/a", "occurs twice"),
    (b'{"x":[{"a":1,"b":2,"a":3}]}', "/x/0/a", "occurs twice"),
    (b'{"a":NaN}', "/a", "NaN"),
    (b'{"a":[0,Infinity]}', "/a/1", "Infinity"),
    (b'{"a":-Infinity}', "/a", "-Infinity"),
    (b'{"a":1e400}', "/a", "double precision"),
    (b'{"a":-1e400}', "/a", "double precision"),
    (b'{"a/b":{"c~d":1e999}}', "/a~1b/c~0d", "double precision"),
    (b'{"a":9007199254740992}', "/a", "2^53"),
    (b'{"a":-9007199254740993}', "/a", "2^53"),
    (b'{"a":' + b"9" * 10_000 + b"}", "/a", "2^53"),
    (b'{"a":"\\ud800"}', "/a", "surrogate"),
    (b'{"a":"\\uDFFF x"}', "/a", "surrogate"),
    (b'{"\\ud800":1}', "/\\ud800", "surrogate"),
    (b'{"a":"\xff"}', "", "UTF-8"),
    (b'{"a":"\xed\xa0\x80"}', "", "UTF-8"),
    (b"\xef\xbb\xbf{}", "", "not JSON"),
    (b'{"a":1} {"b":2}', "", "not JSON"),
    (b'{"a":1},', "", "not JSON"),
    (b"", "", "not JSON"),
    (b"{'a':1}", "", "not JSON"),
    (b'{"a":01}', "", "not JSON"),
    (b'{"a":+1}', "", "not JSON"),
    (b'{"a":.5}', "", "not JSON"),
    (b'{"a":0x10}', "", "not JSON"),
    (b'{"a":1,}', "", "not JSON"),
    (b'{"a":"\n"}', "", "not JSON"),
    (b'{"a":undefined}', "", "not JSON"),
    (b"[" * 100_000, "", "deeper"),
    (b"[" * 100_000 + b"]" * 100_000, "", "deeper"),
    (b'{"a":' * (MAX_DEPTH + 1) + b"1" + b"}" * (MAX_DEPTH + 1), "", "deeper"),
]


@pytest.mark.parametrize(("raw", "pointer", "words"), REFUSED, ids=[str(row[0][:24]) for row in REFUSED])
def test_an_ambiguous_document_is_refused_where_it_is(raw: bytes, pointer: str, words: str) -> None:
    with pytest.raises(InvalidJson) as caught:
        read_json(raw)
    assert [flaw.pointer for flaw in caught.value.flaws] == [pointer]
    assert words in caught.value.flaws[0].detail


def test_every_flaw_with_a_place_is_told_at_once() -> None:
    with pytest.raises(InvalidJson) as caught:
        read_json(b'{"a":NaN,"b":{"c":1,"c":2},"d":["\\udc00",1e999]}')
    assert [flaw.pointer for flaw in caught.value.flaws] == ["/a", "/b/c", "/d/0", "/d/1"]


def test_what_is_allowed_stays_what_it_is() -> None:
    raw = rb'{"n":9007199254740991,"m":-9007199254740991,"r":1e308,"s":"\ud83d\ude00\u0000","l":[true,null]}'
    document = read_json(raw)
    assert isinstance(document, dict)
    assert document["n"] == LARGEST_INTEGER
    assert document["m"] == -LARGEST_INTEGER
    assert document["s"] == "\N{GRINNING FACE}\0"
    assert document["l"] == [True, None]


def test_brackets_inside_text_are_not_depth() -> None:
    text = '["{' * 100
    assert read_json(json.dumps({"a": text, "b": '\\"[[['}).encode()) == {"a": text, "b": '\\"[[['}


def test_depth_up_to_the_limit_is_read() -> None:
    assert read_json(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH) is not None


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-LARGEST_INTEGER, LARGEST_INTEGER)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(plain)
def test_whatever_is_strict_json_is_read_as_the_standard_library_reads_it(value: object) -> None:
    raw = json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return
    assert read_json(raw) == json.loads(raw)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_by_name(raw: bytes) -> None:
    with suppress(InvalidJson):
        read_json(raw)


def test_an_open_text_full_of_escaped_quotes_is_refused_at_once() -> None:
    started = time.perf_counter()
    with pytest.raises(InvalidJson, match="Unterminated"):
        read_json(b"[" + b"[]," * 40 + b'"' + b'\\"' * 500_000)
    assert time.perf_counter() - started < 1.0  # a search that starts again at every quote takes hours
