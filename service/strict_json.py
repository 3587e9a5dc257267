"""Reads JSON as the contract means it: one meaning for each document, or a refusal that says where.

Python's parser keeps the last of two equal keys, reads NaN and turns 1e400 into infinity; each of those
would let the caller and the record disagree about what was decided. They are found here, before any schema
sees the document.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

JsonValue = None | bool | int | float | str | list["JsonValue"] | dict[str, "JsonValue"]

MAX_DEPTH = 32
LARGEST_INTEGER = 2**53 - 1
_LONGEST_INTEGER = 17
# A text that is never closed runs to the end: were it no match, every quote in it would be tried as a start.
_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing wrong with a document: where (JSON pointer, "" for the whole) and what."""

    pointer: str
    detail: str


class InvalidJson(Exception):
    """The body is not JSON as this service reads it."""

    def __init__(self, flaws: tuple[Flaw, ...]) -> None:
        super().__init__(flaws[0].detail)
        self.flaws = flaws


@dataclass(frozen=True, slots=True)
class _Refused:
    """Stands in the tree where a value was refused, until its pointer is known."""

    detail: str
    name: str | None = None


def escape(token: str) -> str:
    """One reference token of a JSON pointer (RFC 6901, section 3)."""
    return token.replace("~", "~0").replace("/", "~1")


def read_json(raw: bytes) -> JsonValue:
    """Reads one document, or raises `InvalidJson` with every flaw that has a place of its own."""
    text = _decode(raw)
    _check_depth(text)
    refused: list[_Refused] = []
    value = _parse(text, refused)
    # Only an escape can put a lone surrogate into text that was valid UTF-8.
    if "\\ud" in text or "\\uD" in text:
        refused.extend(_Refused("") for _, leaf in _leaves(value, "") if _is_broken(leaf))
    if refused:
        raise InvalidJson(tuple(_flaws(value)))
    return value


def _decode(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidJson((Flaw("", f"not UTF-8 at byte {error.start}"),)) from None


def _parse(text: str, refused: list[_Refused]) -> JsonValue:
    def refuse(detail: str, name: str | None = None) -> _Refused:
        refused.append(_Refused(detail, name))
        return refused[-1]

    def pairs(items: list[tuple[str, JsonValue]]) -> object:
        members = dict(items)
        if len(members) != len(items):
            seen: set[str] = set()
            for name, _ in items:
                if name in seen:
                    members[name] = refuse("this name occurs twice", name)  # type: ignore[assignment]
                seen.add(name)
        return members

    def real(digits: str) -> object:
        value = float(digits)
        return value if math.isfinite(value) else refuse("the number is beyond double precision")

    def integer(digits: str) -> object:
        if len(digits) > _LONGEST_INTEGER or abs(int(digits)) > LARGEST_INTEGER:
            return refuse("the integer is beyond 2^53 - 1 and cannot be kept exactly")
        return int(digits)

    decoder = json.JSONDecoder(
        object_pairs_hook=pairs,
        parse_float=real,
        parse_int=integer,
        parse_constant=lambda name: refuse(f"{name} is not a JSON number"),
    )
    try:
        value: JsonValue = decoder.decode(text)
    except json.JSONDecodeError as error:
        detail = f"not JSON: {error.msg} (line {error.lineno}, column {error.colno})"
        raise InvalidJson((Flaw("", detail),)) from None
    return value


def _check_depth(text: str) -> None:
    """Refuses deep nesting before the recursive parser meets it; most bodies pass on the count alone."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    depth = 0
    for match in _BRACKETS.finditer(text):
        sign = match.group()
        depth += (sign in "[{") - (sign in "]}")
        if depth > MAX_DEPTH:
            raise InvalidJson((Flaw("", f"nested deeper than {MAX_DEPTH} levels"),))


def _is_broken(leaf: object) -> bool:
    return isinstance(leaf, str) and _SURROGATE.search(leaf) is not None


def _leaves(value: object, pointer: str) -> Iterator[tuple[str, object]]:
    """Every scalar and every member name of a tree, each with its pointer."""
    if isinstance(value, dict):
        for name, member in value.items():
            yield f"{pointer}/{escape(name)}", name
            yield from _leaves(member, f"{pointer}/{escape(name)}")
    elif isinstance(value, list):
        for position, member in enumerate(value):
            yield from _leaves(member, f"{pointer}/{position}")
    else:
        yield pointer, value


def _flaws(value: object) -> Iterator[Flaw]:
    for pointer, leaf in _leaves(value, ""):
        if isinstance(leaf, _Refused):
            yield Flaw(_printable(pointer), leaf.detail)
        elif _is_broken(leaf):
            yield Flaw(_printable(pointer), "a lone surrogate is not text")


def _printable(pointer: str) -> str:
    """A pointer can name a member that is itself broken; the answer must still be valid UTF-8."""
    return pointer.encode("utf-8", "backslashreplace").decode("utf-8")
