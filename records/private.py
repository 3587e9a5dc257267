"""The private parts of an explanation and of its supplements: what was answered, as canonical bytes and back.

The bytes obey the log's rules: ASCII keys, caller-supplied names only as values, every real a shortest
decimal string that reads back to the very same float (negative zero as zero). What is real, whole, true or
text is said once, by the annotations of `records.private_parts`; the value of a feature is typed by the
feature's own declared `type`.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Literal, cast

import orjson

from audit.canonical import JsonValue, canonical, decimal
from audit.errors import NotCanonical
from records.counterfactual_parts import Value
from records.private_parts import PrivatePart, SupplementPart

__all__ = [
    "PrivatePart",
    "PrivatePartMalformed",
    "SupplementPart",
    "build_private",
    "build_supplement",
    "parse_private",
    "parse_supplement",
]


class PrivatePartMalformed(ValueError):
    """The private part does not have the form its entry type declares."""

    def __init__(self, detail: str, *, where: str = "") -> None:
        self.detail = detail
        self.where = where
        super().__init__(f"{where}: {detail}" if where else detail)

    def under(self, step: str | int) -> PrivatePartMalformed:
        """The same fault, seen from one level further out."""
        return PrivatePartMalformed(self.detail, where=f"/{step}{self.where}")


_Types = Mapping[str, str]  # feature name -> declared type
_Step = Callable[[Any, _Types], object]  # a value, to or from its written form


def build_private(part: PrivatePart) -> bytes:
    """Canonical bytes of the private part; a value of the wrong kind or an unknown key is refused."""
    return _build(PrivatePart, part)


def parse_private(data: bytes) -> PrivatePart:
    """The private part from its canonical bytes; floats come back bit for bit."""
    return cast("PrivatePart", _parse(PrivatePart, data))


def build_supplement(part: SupplementPart) -> bytes:
    """The same for the private part of an `explanation.supplemented` entry."""
    return _build(SupplementPart, part)


def parse_supplement(data: bytes) -> SupplementPart:
    """The private part of an `explanation.supplemented` entry from its canonical bytes."""
    return cast("SupplementPart", _parse(SupplementPart, data))


def _build(record: type, part: object) -> bytes:
    return canonical(cast("JsonValue", _record(record, _write_real)(part, _declared(part))))


def _parse(record: type, data: bytes) -> object:
    try:
        raw = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise PrivatePartMalformed("not JSON") from error
    return _record(record, _read_real)(raw, _declared(raw))


def _declared(part: Any) -> _Types:
    rows = part.get("features") if isinstance(part, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise PrivatePartMalformed("not a list of records", where="/features")
    return {str(row.get("name")): str(row.get("type")) for row in rows}


@cache
def _step(hint: Any, real: _Step) -> _Step:
    """The step of one annotation; a step is made once, so that an answer costs no look at annotations."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if typing.is_typeddict(hint):
        return _record(hint, real)
    if origin is list:
        return _rows(_step(arguments[0], real))
    if origin is Literal:
        return _one_of(arguments)
    if origin is types.UnionType:
        (hint,) = (argument for argument in arguments if argument is not types.NoneType)
        return _optional(_step(hint, real))
    return real if hint is float else _same(hint)


@cache
def _record(record: type, real: _Step) -> _Step:
    hints = typing.get_type_hints(record)
    valued = {name for name, hint in hints.items() if hint == Value}
    steps = {name: _step(hint, real) for name, hint in hints.items() if name not in valued}
    required: frozenset[str] = record.__required_keys__  # type: ignore[attr-defined]

    def step(value: Any, declared: _Types) -> object:
        if not isinstance(value, dict):
            raise PrivatePartMalformed("not a record")
        if not required <= value.keys() <= hints.keys():
            name = min((required - value.keys()) or (value.keys() - hints.keys()))
            raise PrivatePartMalformed("missing" if name in required else "unknown", where=f"/{name}")
        written: dict[str, object] = {}
        for name, item in value.items():
            try:
                one = _of_feature(value, declared, real) if name in valued else steps[name]
                written[name] = one(item, declared)
            except PrivatePartMalformed as fault:
                raise fault.under(name) from None
        return written

    return step


_KINDS: Mapping[str, Any] = {
    "number": float | None,
    "integer": int | None,
    "boolean": bool | None,
    "category": str | None,
}


def _of_feature(row: Mapping[str, Any], declared: _Types, real: _Step) -> _Step:
    kind = _KINDS.get(declared.get(row.get("feature", row.get("name", "")), ""))
    if kind is None:
        raise PrivatePartMalformed("the value of an undeclared feature")
    return _step(kind, real)


def _rows(one: _Step) -> _Step:
    def step(value: Any, declared: _Types) -> object:
        if not isinstance(value, list):
            raise PrivatePartMalformed("not a list")
        written = []
        for number, item in enumerate(value):
            try:
                written.append(one(item, declared))
            except PrivatePartMalformed as fault:
                raise fault.under(number) from None
        return written

    return step


def _one_of(known: tuple[object, ...]) -> _Step:
    def step(value: Any, declared: _Types) -> object:  # noqa: ARG001
        if value not in known:
            raise PrivatePartMalformed(f"not one of {known}")
        return value

    return step


def _optional(one: _Step) -> _Step:
    return lambda value, declared: None if value is None else one(value, declared)


def _same(kind: type) -> _Step:
    def step(value: Any, declared: _Types) -> object:  # noqa: ARG001
        if type(value) is not kind:
            raise PrivatePartMalformed(f"not {kind.__name__}")
        return value

    return step


def _write_real(value: Any, declared: _Types) -> object:  # noqa: ARG001
    if isinstance(value, bool) or not isinstance(value, float | int):
        raise PrivatePartMalformed("not a real")
    try:
        return decimal(float(value))
    except (NotCanonical, OverflowError):
        raise PrivatePartMalformed("not a finite real") from None


def _read_real(value: Any, declared: _Types) -> object:  # noqa: ARG001
    if not isinstance(value, str):
        raise PrivatePartMalformed("not a decimal string")
    try:
        real = float(value)
        exact = decimal(real) == value
    except (ValueError, NotCanonical):
        raise PrivatePartMalformed("not a decimal string") from None
    if not exact:
        raise PrivatePartMalformed("not the shortest decimal string")
    return real
