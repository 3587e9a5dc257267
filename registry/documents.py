"""Strict reading of JSON and YAML documents into plain values.

YAML is read by its events, with the few scalars of the YAML 1.2 core schema: `yes`, `no`, `on`, `off`, dates,
octal and sexagesimal numbers stay texts, as written. Anchors, aliases, tags, merge keys, repeated keys, keys
that are no texts and several documents in one file are refused: a reader sees what the machine sees.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from schemas.problem import PointedError, pointer

Path = tuple[str | int, ...]
Plain = dict[str, "Plain"] | list["Plain"] | str | int | float | bool | None

JSON_TYPES = frozenset({"application/json", "text/json"})
YAML_TYPES = frozenset({"application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml"})
_SURROGATE = re.compile("[\ud800-\udfff]")
DEPTH_LIMIT = 32
DIGITS_LIMIT = 400


class DocumentError(Exception):
    """The document cannot be read; `errors` says where."""

    def __init__(self, path: Path, detail: str) -> None:
        self.errors = (PointedError(pointer=pointer(path), detail=detail),)
        super().__init__(detail)


def read_document(data: bytes, content_type: str | None, most_bytes: int) -> Plain:
    """Parse JSON or YAML by its content type; without a telling one, what begins with a brace is JSON.

    Raises DocumentError.
    """
    if len(data) > most_bytes:
        raise DocumentError((), f"is larger than {most_bytes} bytes")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DocumentError((), f"is not UTF-8 (byte {error.start})") from error
    kind = (content_type or "").partition(";")[0].strip().lower()
    if kind in JSON_TYPES or (kind not in YAML_TYPES and text.lstrip().startswith("{")):
        return read_json(text)
    return read_yaml(text)


def read_json(text: str) -> Plain:
    """Parse JSON; NaN, Infinity, numbers beyond float64 and repeated keys are refused."""
    try:
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_constant, parse_float=_real)
    except RecursionError as error:
        raise DocumentError((), "is nested too deeply") from error
    except json.JSONDecodeError as error:
        raise DocumentError((), f"is not JSON: {error.msg} (line {error.lineno})") from error
    except ValueError as error:
        raise DocumentError((), f"is not JSON: {error}"[:300]) from error
    return _checked(value, ())


@dataclass(frozen=True, slots=True)
class _Repeated:
    """Stands for an object in which a key came twice, until its place is known."""

    key: str


def _object(pairs: list[tuple[str, object]]) -> object:
    seen: dict[str, object] = {}
    for key, value in pairs:
        if key in seen:
            return _Repeated(key)
        seen[key] = value
    return seen


def _constant(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _real(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"{digits[:20]} is too large")
    return number


def _checked(value: object, path: Path) -> Plain:
    """Give the parsed value back unchanged, or say where a key came twice or the nesting is too deep."""
    if len(path) > DEPTH_LIMIT:
        raise DocumentError(path, "is nested too deeply")
    if isinstance(value, _Repeated):
        _whole(value.key, path)
        raise DocumentError((*path, value.key), "is given twice")
    if isinstance(value, str):
        return _whole(value, path)
    if isinstance(value, dict):
        for key in value:
            _whole(key, path)
        return {key: _checked(item, (*path, key)) for key, item in value.items()}
    if isinstance(value, list):
        return [_checked(item, (*path, index)) for index, item in enumerate(value)]
    if value is None or isinstance(value, int | float):
        return value
    raise DocumentError(path, "is no JSON value")


def _whole(text: str, path: Path) -> str:
    """Refuse half a character, which an escape in JSON can name and no UTF-8 can hold."""
    if _SURROGATE.search(text):
        raise DocumentError(path, "holds a lone surrogate, which is no text")
    return text


def read_yaml(text: str) -> Plain:
    """Parse one YAML document with the scalars of the YAML 1.2 core schema."""
    try:
        events = yaml.parse(text, Loader=yaml.CSafeLoader)
        return _Composer(events).document()
    except yaml.MarkedYAMLError as error:
        line = f" (line {error.problem_mark.line + 1})" if error.problem_mark else ""
        raise DocumentError((), f"is not YAML: {error.problem}{line}") from error
    except yaml.YAMLError as error:
        raise DocumentError((), f"is not YAML: {error}"[:300]) from error


_NULL = re.compile(r"null|Null|NULL|~|")
_TRUE = re.compile(r"true|True|TRUE")
_FALSE = re.compile(r"false|False|FALSE")
_WHOLE = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_REAL = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


class _Composer:
    """Builds plain values from YAML events."""

    def __init__(self, events: Iterator[yaml.Event]) -> None:
        self._events = events

    def document(self) -> Plain:
        """Read the only document of the stream."""
        next(self._events)  # the stream begins
        if isinstance(next(self._events), yaml.StreamEndEvent):
            raise DocumentError((), "is empty")
        value = self._node(next(self._events), ())
        next(self._events)  # the document ends
        if not isinstance(next(self._events), yaml.StreamEndEvent):
            raise DocumentError((), "holds more than one document")
        return value

    def _node(self, event: yaml.Event, path: Path) -> Plain:
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise DocumentError(path, "uses an anchor or an alias; write the value out")
        if getattr(event, "tag", None) is not None:
            raise DocumentError(path, "uses a tag; write a plain value")
        if len(path) > DEPTH_LIMIT:
            raise DocumentError(path, "is nested too deeply")
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(path)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path)
        assert isinstance(event, yaml.ScalarEvent)  # noqa: S101  nothing else begins a node
        return _scalar(event, path)

    def _key(self, event: yaml.Event, path: Path) -> str:
        # Left unread: a key within a key would go deeper without a longer path.
        if isinstance(event, yaml.CollectionStartEvent):
            raise DocumentError(path, "has a key that is no text")
        key = self._node(event, path)
        if not isinstance(key, str):
            raise DocumentError(path, f"has the key {str(key)[:40]}, which is no text; quote it")
        return key

    def _sequence(self, path: Path) -> list[Plain]:
        items: list[Plain] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._node(event, (*path, len(items))))
        return items

    def _mapping(self, path: Path) -> dict[str, Plain]:
        items: dict[str, Plain] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._key(event, path)
            if key == "<<" and isinstance(event, yaml.ScalarEvent) and event.implicit[0]:
                raise DocumentError(path, "uses a merge key; write the values out")
            if key in items:
                raise DocumentError((*path, key), "is given twice")
            items[key] = self._node(next(self._events), (*path, key))
        return items


def _scalar(event: yaml.ScalarEvent, path: Path) -> Plain:
    """Resolve a plain scalar by the core schema; a quoted one is a text."""
    text: str = event.value
    if not event.implicit[0]:
        return text
    if _NULL.fullmatch(text):
        return None
    if _TRUE.fullmatch(text) or _FALSE.fullmatch(text):
        return text[0] in "tT"
    return _number(text, path) if len(text) <= DIGITS_LIMIT and _REAL.fullmatch(text) else text


def _number(digits: str, path: Path) -> int | float:
    if _WHOLE.fullmatch(digits):
        return int(digits)
    number = float(digits)
    if not math.isfinite(number):
        raise DocumentError(path, "is too large")
    return number
