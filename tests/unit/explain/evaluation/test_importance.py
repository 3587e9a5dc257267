"""Global importance against hand-made numbers and the standard library's own statistics."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from explain.evaluation.importance import each_feature, importance

PHI = np.array([[1.0, -2.0, 0.5], [-1.0, 2.0, 0.5], [3.0, -3.0, -2.0]])
FACTORS = (("pair", (0, 1)), ("rest", (2,)))


def test_members_are_summed_before_the_absolute_value() -> None:
    pair, rest = sorted(importance(PHI, FACTORS).factors, key=lambda one: one.factor)
    assert (pair.mean_abs, pair.mean) == (pytest.approx(2 / 3), 0.0)
    assert (rest.mean_abs, rest.mean) == (1.0, pytest.approx(-1 / 3))
    assert (rest.rank, pair.rank) == (1, 2)
    assert rest.share == pytest.approx(0.6)


def test_the_largest_come_first_and_equal_ones_as_declared() -> None:
    found = importance(PHI, each_feature(["a", "b", "c"]))
    assert [one.factor for one in found.factors] == ["b", "a", "c"]
    equal = importance(np.array([[1.0, -1.0, 1.0]]), each_feature(["z", "y", "x"]))
    assert [one.factor for one in equal.factors] == ["z", "y", "x"]
    assert [one.rank for one in equal.factors] == [1, 2, 3]


def test_standard_errors_are_those_of_a_mean() -> None:
    phi = np.random.default_rng(0).normal(size=(500, 3))
    found = importance(phi, each_feature(["a", "b", "c"]))
    for one in found.factors:
        sizes = np.abs(phi[:, one.features[0]]).tolist()
        assert one.mean_abs == pytest.approx(statistics.fmean(sizes), rel=1e-14)
        assert one.standard_error == pytest.approx(statistics.stdev(sizes) / math.sqrt(500), rel=1e-12)


def test_the_order_of_rows_changes_no_bit() -> None:
    phi = np.random.default_rng(1).normal(size=(997, 4)) * [1e-9, 1.0, 1e9, 1.0]
    factors = (("a", (0, 2)), ("b", (1,)), ("c", (3,)))
    turned = phi[np.random.default_rng(2).permutation(len(phi))]
    assert importance(phi, factors) == importance(turned, factors)


def test_a_constant_model_has_no_importance_and_one_row_no_error() -> None:
    found = importance(np.zeros((3, 2)), each_feature(["a", "b"]))
    assert [(one.share, one.mean_abs, one.standard_error) for one in found.factors] == [(0.0, 0.0, 0.0)] * 2
    assert importance(PHI[:1], FACTORS).factors[0].standard_error is None


@pytest.mark.parametrize(
    ("phi", "factors", "says"),
    [
        (np.zeros((0, 2)), each_feature(["a", "b"]), "n at least 1"),
        (np.array([[math.nan]]), each_feature(["a"]), "finite"),
        (PHI, (("a", (0, 1)),), "exactly one factor"),
        (PHI, (("a", (0, 1)), ("b", (1, 2))), "exactly one factor"),
        (PHI, (("a", (0, 1)), ("b", (3,))), "exactly one factor"),
    ],
)
def test_what_has_no_importance_is_refused(phi: np.ndarray, factors: tuple, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        importance(phi, factors)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_means_of_factors_add_up_and_sizes_never_exceed_their_members(seed: int) -> None:
    generator = np.random.default_rng(seed)
    phi = generator.normal(size=(int(generator.integers(1, 30)), 6))
    owner = generator.integers(0, 3, size=6)
    factors = [(f"g{group}", np.flatnonzero(owner == group).tolist()) for group in range(3)]
    single = {one.features[0]: one for one in importance(phi, each_feature("abcdef")).factors}
    grouped = importance(phi, factors).factors
    for one in grouped:
        assert one.mean == pytest.approx(sum(single[at].mean for at in one.features), abs=1e-12)
        assert one.mean_abs <= sum(single[at].mean_abs for at in one.features) + 1e-12
        assert one.mean_abs >= abs(one.mean) - 1e-12
    assert sum(one.mean for one in grouped) == pytest.approx(phi.sum(axis=1).mean(), abs=1e-12)
    assert sum(one.share for one in grouped) == pytest.approx(1.0)
