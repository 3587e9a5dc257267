"""One value, one sequence of bytes: RFC 8785 for the JSON that the log commits to.

The accepted values are narrower than JSON, so that implementations need not agree on number formatting or on
UTF-16 key order: no floats (a real number is a decimal string, see `decimal`), integers within 2**53,
ASCII keys. On that subset sorted keys and minimal separators are exactly RFC 8785.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TypeAlias, cast

import orjson

from audit.errors import NotCanonical

JsonValue: TypeAlias = "bool | int | str | Sequence[JsonValue] | Mapping[str, JsonValue] | None"
MAX_INTEGER = 2**53 - 1
_PLAIN = frozenset((str, bool, type(None)))
_NAME = frozenset((str,))


def canonical(value: JsonValue) -> bytes:
    """Return the canonical bytes of a value; raise `NotCanonical` for anything outside the subset."""
    try:
        encoded = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError as error:  # lone surrogates, foreign types, cycles
        raise NotCanonical(str(error)) from error
    _refuse_outside_subset(value)
    return encoded


def _refuse_outside_subset(value: JsonValue) -> None:
    waiting: list[object] = [(value,)]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            _refuse_keys(item)
            members: Collection[object] = item.values()
        else:
            members = cast("Sequence[object]", item)
        if not _PLAIN.issuperset(map(type, members)):  # one look at most objects, not one at each member
            waiting.extend(_containers(members))


def _containers(members: Iterable[object]) -> Iterator[object]:
    """Yield what has members of its own; refuse what is no value of the subset."""
    for item in members:
        kind = type(item)
        if kind in _PLAIN:
            continue
        if kind is int and isinstance(item, int):
            if abs(item) > MAX_INTEGER:
                raise NotCanonical("an integer beyond 2**53 has no exact JSON number")
        elif isinstance(item, dict | list | tuple):
            yield item
        else:
            raise NotCanonical(f"a {kind.__name__} has no canonical form")


def _refuse_keys(item: Mapping[object, object]) -> None:
    if not _NAME.issuperset(map(type, item)) or not "".join(cast("Mapping[str, object]", item)).isascii():
        raise NotCanonical("object keys are ASCII strings")


def decimal(number: float) -> str:
    """Return the shortest decimal string that reads back as the same double.

    Written as ECMAScript writes numbers (RFC 8785, section 3.2.2.3); minus zero is written as zero.
    """
    if not math.isfinite(number):
        raise NotCanonical("NaN and infinities have no decimal form")
    if number == 0:
        return "0"
    text = float.__repr__(float(number))
    if "e" not in text:
        return text.removesuffix(".0")
    sign, digits, exponent = Decimal(text).normalize().as_tuple()
    return ("-" if sign else "") + _ecmascript("".join(map(str, digits)), int(exponent))


def _ecmascript(digits: str, exponent: int) -> str:
    point = len(digits) + exponent  # where the decimal point stands, counted from the first digit
    if exponent >= 0 and point <= 21:
        return digits + "0" * exponent
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"0.{'0' * -point}{digits}"
    fraction = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{digits[0]}{fraction}e{point - 1:+d}"
