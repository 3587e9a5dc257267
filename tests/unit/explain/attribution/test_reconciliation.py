"""No attribution leaves that does not add up to the native margin."""

from __future__ import annotations

import math

import numpy as np
import pytest

from explain.attribution.base import reconcile
from explain.attribution.preparing import attribute
from explain.attribution.treeshap import TreeShap
from explain.errors import AttributionUnreconciled
from tests.oracles.boosters import train

PHI = np.array([0.25, -0.5])


def test_the_error_is_part_of_the_answer() -> None:
    made = reconcile(1.0, PHI, 0.75 + 5e-5, 32, method="m")
    assert made.method == "m"
    assert made.total == 0.75
    assert made.error == pytest.approx(5e-5)
    assert made.tolerance == 1e-4


@pytest.mark.parametrize(
    ("expected", "width"),
    [(0.7502, 32), (0.75 + 2e-8, 64), (math.nan, 32), (math.inf, 32), (-math.inf, 64)],
)
def test_a_difference_is_refused(expected: float, width: int) -> None:
    with pytest.raises(AttributionUnreconciled):
        reconcile(1.0, PHI, expected, width, method="m")


def test_the_tolerance_grows_with_the_margin() -> None:
    assert reconcile(1000.0, PHI, 999.8, 32, method="m").tolerance == pytest.approx(0.09998)
    with pytest.raises(AttributionUnreconciled):
        reconcile(1000.0, PHI, 999.6, 32, method="m")


def test_nan_among_the_values_is_refused() -> None:
    with pytest.raises(AttributionUnreconciled):
        reconcile(1.0, np.array([math.nan, 0.0]), 1.0, 32, method="m")


def test_another_models_margin_does_not_reconcile() -> None:
    one, other = train(("q", "q")), train(("q", "q"), seed=7)
    shap = TreeShap.prepare(one.model(), one.rows[:20], cache_dir=None)
    with pytest.raises(AttributionUnreconciled):
        attribute(other.model(), shap, one.rows[30])
