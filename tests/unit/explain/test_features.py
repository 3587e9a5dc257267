"""Strict reading of a caller's features: every fault with its pointer, nothing guessed."""

from __future__ import annotations

import math

import numpy as np
import pytest

from explain.errors import InvalidFeatures
from explain.features import Feature, FeatureSpace, pointer_to

SPACE = FeatureSpace(
    (
        Feature("income", "number", minimum=0.0, maximum=1000.0),
        Feature("age", "integer", maximum=120),
        Feature("married", "boolean", nullable=True),
        Feature("kind", "category", categories=("single", "condo"), nullable=True),
        Feature("a/b~c", "number", nullable=True),
    )
)
GOOD = {"income": 56, "age": 41, "married": True, "kind": "condo", "a/b~c": None}


def faults(**changes: object) -> dict[str, str]:
    with pytest.raises(InvalidFeatures) as refusal:
        SPACE.read({**GOOD, **changes})
    return {error.pointer: error.detail for error in refusal.value.errors}


def test_values_are_typed_and_in_model_order() -> None:
    read = SPACE.read(dict(reversed(GOOD.items())))
    assert read.values == (56.0, 41, True, "condo", None)
    assert [type(value) for value in read.values[:3]] == [float, int, bool]
    assert read.row[:4].tolist() == [56.0, 41.0, 1.0, 1.0]
    assert math.isnan(read.row[4])
    assert read.warnings == ()


def test_equal_numbers_are_equal_bytes() -> None:
    given = [{**GOOD, "income": value} for value in (0, 0.0, -0.0)]
    assert {SPACE.read(one).row.tobytes() for one in given} == {SPACE.read(given[0]).row.tobytes()}
    assert SPACE.read({**GOOD, "age": 41.0}).values[1] == 41
    assert isinstance(SPACE.read({**GOOD, "age": 41.0}).values[1], int)


@pytest.mark.parametrize(
    ("name", "value", "detail"),
    [
        ("income", "12", "must be a number"),
        ("income", True, "must be a number"),
        ("income", None, "must not be null"),
        ("income", [1.0], "must be a number"),
        ("income", math.nan, "must be a finite number"),
        ("income", math.inf, "must be a finite number"),
        ("income", 10**400, "must be a finite number"),
        ("income", 3.5e38, "too large"),
        ("income", -3.5e38, "too large"),
        ("age", 12.5, "must be an integer"),
        ("age", "12", "must be an integer"),
        ("age", False, "must be an integer"),
        ("age", math.inf, "must be an integer"),
        ("age", 2**53 + 1, "beyond the integers"),
        ("married", 1, "must be true or false"),
        ("kind", "Condo", "is not a category known to the model (known: single, condo)"),
        ("kind", 1, "must be a string"),
    ],
)
def test_wrong_values_are_refused(name: str, value: object, detail: str) -> None:
    (pointer, said), *others = faults(**{name: value}).items()
    assert pointer == f"/{name}"
    assert detail in said
    assert others == []


def test_every_fault_is_collected() -> None:
    with pytest.raises(InvalidFeatures) as refusal:
        SPACE.read({"incme": 1, "age": "x", "kind": "farm", "a/b~c": "y", "z/~": 1})
    found = {error.pointer: error.detail for error in refusal.value.errors}
    assert found.keys() == {"/incme", "/z~1~0", "/income", "/age", "/married", "/kind", "/a~1b~0c"}
    assert found["/incme"] == "is not a feature of this model; did you mean 'income'?"
    assert found["/income"] == "is missing"


def test_a_value_outside_its_range_is_flagged_not_refused() -> None:
    read = SPACE.read({**GOOD, "income": 2000.0, "age": 130})
    assert [(one.code, one.pointer) for one in read.warnings] == [
        ("out_of_range", "/income"),
        ("out_of_range", "/age"),
    ]
    assert read.warnings[0].detail == "lies outside the declared range [0, 1000]"
    assert read.warnings[1].detail == "lies outside the declared range [unbounded, 120]"


def test_the_largest_numbers_of_each_width_are_accepted() -> None:
    largest = float(np.finfo(np.float32).max)
    narrow = FeatureSpace((Feature("x", "number"),))
    wide = FeatureSpace((Feature("x", "number"),), float_width=64)
    assert narrow.read({"x": largest}).values == (largest,)
    assert wide.read({"x": 1e300}).values == (1e300,)
    with pytest.raises(InvalidFeatures):
        narrow.read({"x": math.nextafter(largest, math.inf)})


def test_a_row_becomes_the_instance_it_was_read_from() -> None:
    read = SPACE.read(GOOD)
    again = SPACE.instance(read.row)
    assert again.values == read.values
    assert again.row.tobytes() == read.row.tobytes()


@pytest.mark.parametrize(("position", "number"), [(1, 0.5), (2, 2.0), (3, 2.0), (3, -1.0), (0, math.inf)])
def test_a_row_that_no_caller_could_send_is_refused(position: int, number: float) -> None:
    row = SPACE.read(GOOD).row.copy()
    row[position] = number
    with pytest.raises(InvalidFeatures) as refusal:
        SPACE.instance(row)
    assert refusal.value.errors[0].pointer == pointer_to(SPACE.names[position])


def test_a_row_of_another_length_is_refused() -> None:
    with pytest.raises(InvalidFeatures, match="5 values"):
        SPACE.instance(np.zeros(4))


@pytest.mark.parametrize(
    "make",
    [
        lambda: FeatureSpace((Feature("x", "number"), Feature("x", "integer"))),
        lambda: Feature("x", "category"),
        lambda: Feature("x", "number", categories=("a",)),
        lambda: Feature("x", "category", categories=("a", "a")),
    ],
)
def test_contradictory_declarations_are_refused(make) -> None:
    with pytest.raises(ValueError, match=r"listed twice|belong to the type"):
        make()


def test_positions_by_name() -> None:
    assert SPACE.index("kind") == 3
    with pytest.raises(KeyError):
        SPACE.index("kinds")
