"""Comparing two accounts: what differs, in which order, and what the tolerance allows."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.replaying.comparing import Tolerance, differences, first_of, verdict_of

WIDE = Tolerance(margins=1e-4, relative=1e-4)


def found(recorded: object, recomputed: object, tolerance: Tolerance = WIDE) -> list[str]:
    """The pointers of what differs."""
    return [one.pointer for one in differences(recorded, recomputed, tolerance)]


@pytest.mark.parametrize(
    ("margin", "reconciliation", "relative"),
    [(0.5, 1e-4, 1e-4), (-20.0, 20e-4, 1e-4), (0.0, 1e-8, 1e-8), (5e5, 5e-3, 1e-8)],
)
def test_the_tolerance_is_that_of_the_reconciliation(
    margin: float, reconciliation: float, relative: float
) -> None:
    tolerance = Tolerance.of(margin, reconciliation)
    assert tolerance.margins == reconciliation
    assert tolerance.relative == pytest.approx(relative, rel=1e-12)


def test_margins_have_an_absolute_tolerance_and_others_a_relative_one() -> None:
    tolerance = Tolerance(margins=1e-3, relative=1e-4)
    assert {tolerance.allows(name, 50.0) for name in ("phi", "margin", "base_value", "sum")} == {1e-3}
    assert tolerance.allows("reference_value", 50.0) == pytest.approx(5e-3)
    assert tolerance.allows("share", -0.5) == pytest.approx(1e-4)


@pytest.mark.parametrize("name", ["threshold", "band", "value", "to", "from", "rank"])
def test_what_is_given_or_declared_may_not_be_off_at_all(name: str) -> None:
    (one,) = differences({name: 1.0}, {name: 1.0 + 1e-12}, WIDE)
    assert not one.tolerated
    assert one.difference == pytest.approx(1e-12, rel=1e-3)
    assert verdict_of([one]) == "different"


@pytest.mark.parametrize(
    ("recorded", "recomputed", "expected"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 1.0}, ["/a"]),
        ({"a": True}, {"a": 1}, ["/a"]),
        ({"a": None}, {}, []),
        ({}, {"a": [1]}, ["/a"]),
        ({"a": [1, 2, 3]}, {"a": [1, 9]}, ["/a/1", "/a/2"]),
        ({"a": []}, {"a": None}, ["/a"]),
        ({"a": "x"}, {"a": ["x"]}, ["/a"]),
        ({"a/b": {"c~d": 1}}, {"a/b": {"c~d": 2}}, ["/a~1b/c~0d"]),
        ([{"phi": 0.0}], [{"phi": 1e-9}], ["/0/phi"]),
    ],
)
def test_places_are_json_pointers(recorded: object, recomputed: object, expected: list[str]) -> None:
    assert found(recorded, recomputed) == expected


def test_the_order_is_that_of_the_declaration_and_then_what_only_the_record_has() -> None:
    recorded = {"outcome": "a", "score": 1.0, "z": 1, "b": 2}
    recomputed = {"score": 2.0, "outcome": "b"}
    assert found(recorded, recomputed) == ["/score", "/outcome", "/b", "/z"]


def test_what_is_not_tolerated_is_the_first_difference_wherever_it_stands() -> None:
    recorded = {"phi": 1.0, "code": "R1", "score": 0.5}
    everything = list(differences(recorded, {"phi": 1.00001, "code": "R2", "score": 0.9}, WIDE))
    first = first_of(everything)
    assert first is not None
    assert (first.pointer, verdict_of(everything)) == ("/code", "different")
    tolerated = list(differences(recorded, {"phi": 1.00001, "code": "R1", "score": 0.50001}, WIDE))
    first = first_of(tolerated)
    assert first is not None
    assert (first.pointer, verdict_of(tolerated)) == ("/phi", "within_tolerance")
    assert first_of([]) is None
    assert verdict_of([]) == "identical"


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(values)
def test_nothing_differs_from_itself(value: Any) -> None:
    assert found(value, value) == []


@given(st.floats(-1e6, 1e6), st.floats(-1e-3, 1e-3), st.floats(-1e6, 1e6))
def test_a_difference_is_tolerated_up_to_the_tolerance_and_no_further(
    recorded: float, off: float, margin: float
) -> None:
    tolerance = Tolerance.of(margin, 1e-4 * max(1.0, abs(margin)))
    recomputed = recorded + off
    for one in differences({"phi": recorded}, {"phi": recomputed}, tolerance):
        assert one.tolerated == (abs(recomputed - recorded) <= tolerance.margins)
