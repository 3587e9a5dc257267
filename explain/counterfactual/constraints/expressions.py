"""Formulas over features: sums, products and quotients, evaluated for many rows at once or over ranges."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explain.errors import ConstraintError

FloatArray = NDArray[np.float64]
Range = tuple[float, float]

LONGEST = 256  # characters of a formula
DEEPEST = 32  # signs and parentheses inside each other
_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?!\w)"
    r"|(?P<name>[^\W\d]\w*)|`(?P<quoted>[^`]+)`|(?P<sign>[-+*/()]))"
)
_BINARY: Mapping[str, Callable[[FloatArray, FloatArray], FloatArray]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
}


@dataclass(frozen=True, slots=True)
class Expression:
    """One formula in postfix order: numbers, names of features (as text) and operators.

    `parts` are the features it names, each once, in the order of their first mention. A name that is no
    identifier stands between backquotes.
    """

    text: str
    parts: tuple[str, ...]
    steps: tuple[tuple[str, str | float], ...]

    @classmethod
    def parse(cls, text: str) -> Expression:
        """Read a formula; ConstraintError says what about it is none."""
        if len(text) > LONGEST:
            raise ConstraintError(f"a formula has at most {LONGEST} characters")
        steps = tuple(_Parser(text).steps())
        parts = tuple(dict.fromkeys(str(what) for kind, what in steps if kind == "name"))
        if not parts:
            raise ConstraintError("the formula names no feature")
        return cls(text, parts, steps)

    def evaluate(self, columns: Mapping[str, FloatArray]) -> FloatArray:
        """Return the formula's value for each row, in float64; NaN where there is none.

        There is none where a part is missing, a divisor is 0 or a result on the way is not finite.
        """
        return self.computed(columns)[0]

    def computed(self, columns: Mapping[str, FloatArray]) -> tuple[FloatArray, list[FloatArray]]:
        """Return what `evaluate` does, and what was divided by, in the order of the divisions."""
        stack: list[FloatArray] = []
        divisors: list[FloatArray] = []
        with np.errstate(all="ignore"):
            for kind, what in self.steps:
                if kind == "name":
                    stack.append(columns[str(what)])
                elif kind == "number":
                    stack.append(np.array(what, dtype=np.float64))
                elif what == "negate":
                    stack.append(-stack.pop())
                else:
                    right = stack.pop()
                    if what == "/":
                        divisors.append(right)
                    found = _BINARY[str(what)](stack.pop(), right)
                    stack.append(np.where(np.isfinite(found), found, np.nan))
        return np.asarray(stack[0] + 0.0), divisors  # no negative zero

    def interval(self, ranges: Mapping[str, Range]) -> Range:
        """Return bounds of `evaluate` over a box of finite or infinite ranges of the parts.

        Rounding to nearest is monotone, so the same operations on the ends bound every rounded result; each
        end is moved outward by one more float64, so that the exact values lie inside too.
        """
        stack: list[Range] = []
        for kind, what in self.steps:
            if kind == "name":
                stack.append(ranges[str(what)])
            elif kind == "number":
                stack.append((float(what), float(what)))
            elif what == "negate":
                low, high = stack.pop()
                stack.append((-high, -low))
            else:
                right = stack.pop()
                stack.append(_combined(str(what), stack.pop(), right))
        return stack[0]


def _combined(sign: str, left: Range, right: Range) -> Range:
    """Return outward bounds of one operation on two ranges."""
    if sign == "-":
        sign, right = "+", (-right[1], -right[0])
    if sign == "+":
        low, high = left[0] + right[0], left[1] + right[1]
        low, high = (-math.inf if math.isnan(low) else low), (math.inf if math.isnan(high) else high)
    elif sign == "/" and right[0] <= 0.0 <= right[1]:
        return -math.inf, math.inf
    else:
        corners = [_corner(sign, one, other) for one in left for other in right]
        low, high = min(corners), max(corners)
    return math.nextafter(low, -math.inf), math.nextafter(high, math.inf)


def _corner(sign: str, one: float, other: float) -> float:
    """Return one product or quotient of two ends; nothing times a value without bound is nothing."""
    if sign == "/":
        return 0.0 if math.isinf(other) else one / other
    return 0.0 if 0.0 in (one, other) else one * other


class _Parser:
    """Recursive descent: sums of products of signed factors."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._at = 0
        self._depth = 0

    def steps(self) -> Iterator[tuple[str, str | float]]:
        yield from self._sum()
        if self._at < len(self._tokens):
            raise ConstraintError(f"the formula goes on after its end: {self._tokens[self._at][1]!r}")

    def _sum(self) -> Iterator[tuple[str, str | float]]:
        yield from self._product()
        while sign := self._taken("+", "-"):
            yield from self._product()
            yield "sign", sign

    def _product(self) -> Iterator[tuple[str, str | float]]:
        yield from self._factor()
        while sign := self._taken("*", "/"):
            yield from self._factor()
            yield "sign", sign

    def _factor(self) -> Iterator[tuple[str, str | float]]:
        if sign := self._taken("-", "("):
            yield from self._nested(sign)
        else:
            kind, what = self._tokens[self._at] if self._at < len(self._tokens) else ("end", "its end")
            if kind not in ("number", "name"):
                raise ConstraintError(f"the formula has no feature or number before {what}")
            self._at += 1
            yield kind, what

    def _nested(self, sign: str) -> Iterator[tuple[str, str | float]]:
        self._depth += 1
        if self._depth > DEEPEST:
            raise ConstraintError(f"the formula's parentheses and signs lie more than {DEEPEST} deep")
        if sign == "-":
            yield from self._factor()
            yield "sign", "negate"
        else:
            yield from self._sum()
            if not self._taken(")"):
                raise ConstraintError("the formula lacks a closing parenthesis")
        self._depth -= 1

    def _taken(self, *signs: str) -> str | None:
        """Take the next token if it is one of these signs."""
        if self._at < len(self._tokens) and self._tokens[self._at] in [("sign", sign) for sign in signs]:
            self._at += 1
            return str(self._tokens[self._at - 1][1])
        return None


def _tokens(text: str) -> Iterator[tuple[str, str | float]]:
    at, end = 0, len(text.rstrip())
    while at < end:
        found = _TOKEN.match(text, at)
        if found is None:
            raise ConstraintError(f"the formula cannot be read from {text[at:].strip()[:20]!r} on")
        at = found.end()
        number, name, quoted, sign = found.group("number", "name", "quoted", "sign")
        if number is not None:
            value = float(number)
            if not math.isfinite(value):
                raise ConstraintError(f"the formula's number {number} is too large")
            yield "number", value
        elif sign is not None:
            yield "sign", sign
        else:
            yield "name", name or quoted
