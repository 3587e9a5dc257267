"""Strict reading: what a person reads is what the machine reads, in YAML as in JSON."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.documents import DocumentError, Plain, read_json, read_yaml


@pytest.mark.parametrize("text", ["? " * 3000, "? [a]\n: 1\n", "? {a: 1}\n: 1\n", "{[a]: 1}"])
def test_keys_that_are_collections_are_refused_however_deep(text: str) -> None:
    with pytest.raises(DocumentError, match="no text"):
        read_yaml(text)


@pytest.mark.parametrize(
    "word",
    [
        "yes",
        "no",
        "on",
        "off",
        "y",
        "n",
        "Yes",
        "NO",
        "2026-11-20",
        "010",
        "0x1f",
        "0o17",
        "1:30",
        "1_000",
        ".inf",
        ".nan",
        "tRue",
        "1e",
        "+",
        "1.2.3",
        "=",
        "NaN",
    ],
)
def test_words_that_yaml_1_1_would_turn_into_something_else_stay_texts(word: str) -> None:
    assert read_yaml(f"a: {word}") == {"a": word}


@pytest.mark.parametrize(
    ("written", "value"),
    [("true", True), ("False", False), ("null", None), ("~", None), ("", None), ("0", 0), ("-12", -12),
     ("+3", 3), ("0.3", 0.3), ("1.", 1.0), (".5", 0.5), ("1e3", 1000.0), ("-1.5E-2", -0.015),
     ("'true'", "true"), ('"1"', "1"), ("'1e3'", "1e3"), ("'~'", "~")],
)  # fmt: skip
def test_the_core_schema(written: str, value: object) -> None:
    read = read_yaml(f"a: {written}")
    assert read == {"a": value}
    assert isinstance(read, dict)
    assert type(read["a"]) is type(value)


@pytest.mark.parametrize(
    ("text", "pointer", "detail"),
    [
        ("a: 1\na: 2", "/a", "given twice"),
        ("a: {b: 1, b: 1}", "/a/b", "given twice"),
        ("a: [{b: 1, 'b': 2}]", "/a/0/b", "given twice"),
        ("a: &x 1\nb: *x", "/a", "anchor"),
        ("b: *x", "/b", "anchor"),
        (r'a: "\ud800"', "", "not YAML"),
        ("a: &x [1]", "/a", "anchor"),
        ("<<: {a: 1}", "", "merge key"),
        ("a: !!python/object:os.system x", "/a", "tag"),
        ("a: !!str 1", "/a", "tag"),
        ("1: a", "", "no text"),
        ("true: a", "", "no text"),
        ("? [a]\n: b", "", "no text"),
        ("a: 1\n---\nb: 2", "", "more than one"),
        ("", "", "empty"),
        ("# nothing", "", "empty"),
        ("a: [1, 2", "", "not YAML"),
        ("a: 1e999", "/a", "too large"),
        ("a:\n\t- 1", "", "not YAML"),
        ("[" * 200, "", ""),
        ("[" * 60 + "]" * 60, "/0" * 33, "too deeply"),
        ("a: \x07", "", "not YAML"),
    ],
    ids=str,
)  # fmt: skip
def test_yaml_is_refused_by_name(text: str, pointer: str, detail: str) -> None:
    with pytest.raises(DocumentError) as caught:
        read_yaml(text)
    (error,) = caught.value.errors
    assert detail in error.detail
    if detail:
        assert error.pointer == pointer


@pytest.mark.parametrize(
    ("text", "pointer", "detail"),
    [
        ('{"a": 1, "a": 1}', "/a", "given twice"),
        ('{"a": [{"b": 1, "b": 2}]}', "/a/0/b", "given twice"),
        (r'{"a": ["\ud800"]}', "/a/0", "surrogate"),
        (r'{"a": {"\udfff": 1}}', "/a", "surrogate"),
        (r'{"a": {"\udfff": 1, "\udfff": 2}}', "/a", "surrogate"),
        ('{"a": NaN}', "", "NaN"),
        ('{"a": -Infinity}', "", "Infinity"),
        ('{"a": 1e400}', "", "too large"),
        ('{"a": ' + "9" * 5000 + "}", "", "not JSON"),
        ("[" * 60 + "]" * 60, "/0" * 33, "too deeply"),
        ("[" * 100_000, "", ""),
        ("{'a': 1}", "", "not JSON"),
        ('{"a": 1} x', "", "not JSON"),
        ("", "", "not JSON"),
    ],
    ids=lambda text: str(text)[:30],
)
def test_json_is_refused_by_name(text: str, pointer: str, detail: str) -> None:
    with pytest.raises(DocumentError) as caught:
        read_json(text)
    (error,) = caught.value.errors
    assert detail in error.detail
    if detail:
        assert error.pointer == pointer


_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _texts
)
_documents = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_texts, inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None)
@given(_documents)
def test_json_comes_back_as_it_went(document: Plain) -> None:
    assert read_json(json.dumps(document)) == document


_ascii = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12)
_plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | _ascii,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_ascii, inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None)
@given(_plain)
def test_json_read_as_yaml_means_the_same(document: Plain) -> None:
    assert read_yaml(json.dumps(document)) == document
