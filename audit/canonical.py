"""One value, one sequence of bytes: RFC 8785 for the JSON that the log commits to.

The accepted values are narrower than JSON, so that implementations need not agree on number formatting or on
UTF-16 key order: no floats (a real number is a decimal string, see `decimal`), integers within 2**53,
ASCII keys. On that subset sorted keys and minimal separators are exactly RFC 8785.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import TypeAlias, cast

import orjson

from audit.errors import NotCanonical

JsonValue: TypeAlias = "bool | int | str | Sequence[JsonValue] | Mapping[str, JsonValue] | None"
MAX_INTEGER = 2**53 - 1


def canonical(value: JsonValue) -> bytes:
    """Return the canonical bytes of a value; raise `NotCanonical` for anything outside the subset."""
    try:
        encoded = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError as error:  # lone surrogates, foreign types, cycles
        raise NotCanonical(str(error)) from error
    refuse_outside_subset(value)
    return encoded


def refuse_outside_subset(value: JsonValue) -> None:
    """Raise `NotCanonical` for a value that is, or has in it, what the subset has not."""
    waiting: list[object] = [(value,)]
    for item in waiting:  # grows while it is walked
        if isinstance(item, dict):
            _refuse_keys(item)
            members: Iterable[object] = item.values()
        else:
            members = cast("Sequence[object]", item)
        for member in members:
            kind = type(member)
            if kind is str or member is None or kind is bool:
                continue
            if kind is int and isinstance(member, int):
                if abs(member) > MAX_INTEGER:
                    raise NotCanonical("an integer beyond 2**53 has no exact JSON number")
            elif isinstance(member, (dict, list, tuple)):
                waiting.append(member)
            else:
                raise NotCanonical(f"a {kind.__name__} has no canonical form")


def _refuse_keys(item: Mapping[object, object]) -> None:
    for key in item:
        if type(key) is not str or not key.isascii():
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
