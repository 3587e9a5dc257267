"""Formulas against Python's own reading of them, and their bounds against their values."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from explain.counterfactual.constraints.expressions import Expression
from explain.counterfactual.constraints.links import Link
from explain.errors import ConstraintError

NAMES = ("a", "b", "c")
sums = st.recursive(
    st.sampled_from((*NAMES, "2", "0.5", "1e3", "`a`")),
    lambda inner: (
        st.tuples(inner, st.sampled_from(("+", "-", "*", "/")), inner).map(" ".join)
        | inner.map(lambda one: f"({one})")
        | inner.map(lambda one: f"-{one}")
    ),
    max_leaves=8,
)
formulas = sums.filter(lambda text: len(text) <= 256 and any(name in text for name in NAMES))
numbers = st.sampled_from((0.0, -0.0, 1.0, -2.5, 3.1, 1e-300, 1e200, 7.0)) | st.floats(-1e6, 1e6)
some = settings(max_examples=200, deadline=None)


def plainly(text: str, values: dict[str, float]) -> float:
    """Return Python's own value; NaN where it has none, on the way too (what overflows stays infinite)."""
    try:
        result = float(eval(text.replace("`", ""), {"__builtins__": {}}, values))  # noqa: S307
    except ZeroDivisionError:
        return math.nan
    return result if math.isfinite(result) else math.nan


@some
@given(formulas, st.lists(st.tuples(numbers, numbers, numbers), min_size=1, max_size=4))
def test_a_formula_means_what_python_reads(text: str, rows: list[tuple[float, float, float]]) -> None:
    columns = dict(zip(NAMES, np.array(rows).T, strict=True))
    found = Expression.parse(text).evaluate(columns)
    for value, row in zip(np.broadcast_to(found, len(rows)).tolist(), rows, strict=True):
        expected = plainly(text, dict(zip(NAMES, row, strict=True)))
        overflown = math.isnan(value) and "e" in repr(max(map(abs, row)))  # infinite on the way, lost later
        assert value == expected or (math.isnan(value) and (math.isnan(expected) or overflown))


@some
@given(formulas, st.data(), st.sampled_from((None, 0, 2)))
def test_bounds_hold_over_the_whole_box(text: str, data: st.DataObject, decimals: int | None) -> None:
    ranges, values = {}, {}
    for name in NAMES:
        low, high = sorted((data.draw(numbers), data.draw(numbers)))
        values[name] = np.array([data.draw(st.sampled_from((low, high, low / 2 + high / 2)))])
        ranges[name] = (low if data.draw(st.integers(0, 5)) else -math.inf, high)
    link = Link("derived", Expression.parse(text), decimals)
    low, high = link.interval(ranges)
    value = float(np.ravel(link.values(values))[0])
    assume(not math.isnan(value))
    assert low <= value <= high


def test_the_parts_are_the_features_it_names() -> None:
    text = " (loan amount` + 1) / café "
    assert Expression.parse("(`loan amount` + 1.5e1) / café - café").parts == ("loan amount", "café")
    with pytest.raises(ConstraintError, match="cannot be read from"):
        Expression.parse(text)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "no feature or number before its end"),
        ("a b", "goes on after its end: 'b'"),
        ("a ** 2", "before \\*"),
        ("a // 2", "before /"),
        ("a % 2", "cannot be read from '% 2' on"),
        ("a.b", "cannot be read from '.b' on"),
        ("2a", "cannot be read"),
        ("a if b else c", "goes on after"),
        ("f(a)", "goes on after"),
        ("(a", "closing parenthesis"),
        ("a + 1e999", "too large"),
        ("a + `b", "cannot be read from"),
        ("1 + 2", "names no feature"),
        ("(" * 300 + "a", "at most 256"),
        ("(" * 32 + "a", "closing parenthesis"),
        ("(" * 33 + "a" + ")" * 33, "more than 32 deep"),
        ("(" * 255 + "a", "more than 32 deep"),
        ("-" * 255 + "a", "more than 32 deep"),
    ],
)
def test_what_is_no_formula_is_named(text: str, match: str) -> None:
    with pytest.raises(ConstraintError, match=match):
        Expression.parse(text)


@pytest.mark.parametrize(
    ("value", "decimals", "rounded"),
    [(0.125, 2, 0.12), (0.375, 2, 0.38), (2.5, 0, 2.0), (-0.4, 0, 0.0), (1 / 3, 3, 0.333), (0.1, None, 0.1)],
)
def test_a_derived_value_is_one_correctly_rounded_decimal(
    value: float, decimals: int | None, rounded: float
) -> None:
    found = Link("d", Expression.parse("a"), decimals).values({"a": np.array([value])})
    assert found.tolist() == [rounded]
    assert not np.signbit(found[0]) or rounded < 0
