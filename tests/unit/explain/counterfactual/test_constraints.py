"""Every rule of the one checker, and the constraints that contradict themselves."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from explain.counterfactual.constraints.checker import Constraints, FeatureConstraint
from explain.counterfactual.constraints.grid import Grid, display_grids
from explain.errors import ConstraintError
from explain.features import Feature, FeatureSpace

FloatArray = NDArray[np.float64]

SPACE = FeatureSpace(
    (
        Feature("income", "number", minimum=0.0, maximum=100.0),
        Feature("debt", "number", nullable=True),
        Feature("years", "integer", maximum=40.0),
        Feature("owner", "boolean"),
        Feature("kind", "category", categories=("a", "b", "c")),
        Feature("age", "integer", sensitive=True),
        Feature("fixed", "number"),
    )
)
CONSTRAINTS = Constraints(
    SPACE,
    {
        "income": FeatureConstraint(mutable=True, direction="increase", maximum=80.0, step=0.1),
        "debt": FeatureConstraint(mutable=True, direction="decrease", minimum=10.0),
        "years": FeatureConstraint(mutable=True, step=2.0),
        "owner": FeatureConstraint(mutable=True),
        "kind": FeatureConstraint(mutable=True),
        "fixed": FeatureConstraint(mutable=False),
    },
    max_changes=2,
)
ROW = np.array([50.07, 30.0, 5.0, 0.0, 1.0, 44.0, 1.0])


def changed(**values: float) -> FloatArray:
    row = ROW.copy()
    for name, value in values.items():
        row[SPACE.index(name)] = value
    return row


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"income": 50.1},
        {"income": 80.0},
        {"debt": 29.123456},
        {"years": 6.0, "owner": 1.0},
        {"kind": 2.0},
    ],
)
def test_permitted_changes(values: dict[str, float]) -> None:
    assert CONSTRAINTS.check(ROW, changed(**values)) == ()


@pytest.mark.parametrize(
    ("values", "violation"),
    [
        ({"age": 45.0}, "age must not change"),
        ({"fixed": 2.0}, "fixed must not change"),
        ({"income": 50.0}, "income may only increase"),
        ({"debt": 31.0}, "debt may only decrease"),
        ({"income": 80.1}, "income must lie in [0, 80]"),
        ({"debt": 9.0}, "debt must lie in [10, inf]"),
        ({"income": 50.17}, "income must be a multiple of 0.1"),
        ({"years": 7.0}, "years must be a multiple of 2"),
        ({"years": 6.5}, "years must be a multiple of 2"),
        ({"years": 42.0}, "years must lie in [-inf, 40]"),
        ({"owner": 0.5}, "owner must be true or false"),
        ({"kind": 3.0}, "kind must be one of its categories"),
        ({"kind": 1.5}, "kind must be one of its categories"),
        ({"debt": np.nan}, "debt must not become missing or infinite"),
        ({"debt": -np.inf}, "debt must not become missing or infinite"),
    ],
)
def test_each_violation_is_named(values: dict[str, float], violation: str) -> None:
    assert violation in CONSTRAINTS.check(ROW, changed(**values))


def test_too_many_changes() -> None:
    after = changed(income=60.0, debt=20.0, owner=1.0)
    assert CONSTRAINTS.check(ROW, after) == ("3 features change, at most 2 may",)


def test_missing_stays_missing() -> None:
    row = changed(debt=np.nan)
    assert CONSTRAINTS.check(row, row.copy()) == ()
    assert "debt is missing and must stay so" in CONSTRAINTS.check(row, changed(debt=20.0))
    assert SPACE.index("debt") not in CONSTRAINTS.changeable(row)


def test_what_is_not_listed_is_immutable() -> None:
    assert Constraints(SPACE, {}, max_changes=1).changeable(ROW) == []


def test_masks_agree_with_the_checker() -> None:
    """The search's vectorised view is the same checker."""
    values = np.array([0.0, 1.0, 2.0, 3.0, 50.0, 50.1, 50.15, 79.9, 80.0, 80.1, 1000.0, -3.0])
    for at in range(len(SPACE.features)):
        mask = CONSTRAINTS.allowed(at, float(ROW[at]), values)
        for value, allowed in zip(values, mask, strict=True):
            after = ROW.copy()
            after[at] = value
            if after[at] != ROW[at]:
                assert allowed == (CONSTRAINTS.check(ROW, after) == ())


def test_rows_of_another_shape_are_an_error() -> None:
    with pytest.raises(ValueError, match="one value per feature"):
        CONSTRAINTS.check(ROW, ROW[:3])


@pytest.mark.parametrize(
    ("by_feature", "match"),
    [
        ({"nobody": FeatureConstraint()}, "no feature: nobody"),
        ({"age": FeatureConstraint(mutable=True)}, "age: a sensitive or protected"),
        ({"debt": FeatureConstraint(mutable=True, minimum=3.0, maximum=2.0)}, "debt: the permitted range"),
        ({"income": FeatureConstraint(mutable=True, minimum=101.0)}, "income: the permitted range"),
        ({"debt": FeatureConstraint(mutable=True, step=0.0)}, "a step is a positive number"),
        ({"debt": FeatureConstraint(mutable=True, step=1e-20)}, "too fine"),
        ({"years": FeatureConstraint(mutable=True, step=0.5)}, "years: the step of an integer"),
        ({"owner": FeatureConstraint(mutable=True, step=1.0)}, "owner: a boolean has neither"),
        ({"kind": FeatureConstraint(mutable=True, minimum=0.0)}, "kind: a category has neither"),
        (
            {"kind": FeatureConstraint(mutable=True, direction="increase")},
            "kind: a category has no direction",
        ),
    ],
)
def test_contradictions_are_refused(by_feature: dict[str, FeatureConstraint], match: str) -> None:
    with pytest.raises(ConstraintError, match=match):
        Constraints(SPACE, by_feature, max_changes=1)


def test_a_protected_feature_cannot_be_mutable() -> None:
    with pytest.raises(ConstraintError, match="protected"):
        Constraints(SPACE, {"fixed": FeatureConstraint(mutable=True)}, 1, frozenset({"fixed"}))


def test_no_change_at_all_is_no_constraint() -> None:
    with pytest.raises(ConstraintError, match="max_changes"):
        Constraints(SPACE, {}, max_changes=0)


@given(step=st.sampled_from(["0.1", "0.01", "0.25", "5.0", "1e-06", "12.0"]), k=st.integers(-(10**6), 10**6))
def test_grid_values_are_the_nearest_floats_of_their_decimals(step: str, k: int) -> None:
    grid = Grid.of(float(step))
    value = grid.values(np.array([float(k)]))
    assert value[0] == float(Decimal(step) * k)
    assert grid.holds(value)[0]
    assert grid.nearest(value)[0] == k


@pytest.mark.parametrize(
    ("spread", "step"), [(1.0, 0.01), (0.5, 0.001), (99.0, 0.1), (12_000.0, 100.0), (1e-30, 1e-12)]
)
def test_the_display_grid_is_a_power_of_ten_below_a_hundredth_of_the_spread(
    spread: float, step: float
) -> None:
    assert display_grids(spread)[0].step == step
