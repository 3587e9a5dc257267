"""The weights (a-1)! b! / (a+b)! against exact integers, also where factorials overflow."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from explain.attribution.weights import shapley_weights


def test_small_weights_are_exact_fractions() -> None:
    weights = shapley_weights(40)
    for a in range(1, 40):
        for b in range(40):
            exact = Fraction(math.factorial(a - 1) * math.factorial(b), math.factorial(a + b))
            assert weights[a, b] == pytest.approx(float(exact), rel=1e-13)
    assert not weights[0].any()


def test_large_weights_neither_overflow_nor_cancel() -> None:
    weights = shapley_weights(1024)
    assert np.isfinite(weights).all()
    assert (weights >= 0).all()
    logarithm = math.lgamma(500) + math.lgamma(21) - math.lgamma(521)
    assert math.log(weights[500, 20]) == pytest.approx(logarithm, rel=1e-12)
