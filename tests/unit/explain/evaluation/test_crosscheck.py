"""An alarm means something: noise within its own error is none, a wrong value is one."""

from __future__ import annotations

from math import erfc, sqrt

import numpy as np
import pytest

from explain.attribution.kernelshap import KernelShapEstimate
from explain.evaluation.crosscheck import CrossCheck, critical_value, cross_check

PHI = np.array([0.5, -0.4, 0.3, -0.2, 0.1, 0.0])


def _check(phi: list[float] | np.ndarray, error: float = 0.0, base: float = -1.0) -> CrossCheck:
    estimate = KernelShapEstimate(
        base, np.asarray(phi), np.full(len(phi), error), 64, converged=True, exact=False
    )
    return cross_check(-1.0, PHI, estimate, tolerance=1e-4)


def test_identical_values_agree_to_one() -> None:
    found = _check(PHI)
    assert found.agrees
    assert (found.max_abs_difference, found.top_agreement, found.sign_agreement) == (0.0, 1.0, 1.0)


def test_the_tolerance_is_fixed_and_the_rest_is_counted_in_standard_errors() -> None:
    shifted = PHI + np.array([0, 0, 0.01, 0, 0, 0])
    assert not _check(shifted).agrees
    assert _check(PHI + 0.9e-4).agrees
    assert _check(shifted, error=0.01 / 5).agrees
    assert not _check(shifted, error=0.01 / 9).agrees


def test_another_base_value_is_a_disagreement() -> None:
    assert not _check(PHI, error=1.0, base=-1.001).agrees
    assert _check(PHI, base=-1.001).base_value_difference == pytest.approx(0.001)


def test_tops_and_signs_are_shares() -> None:
    found = _check([0.5, -0.4, 0.05, 0.2, 0.1, 0.0])
    assert found.top_agreement == 0.75
    assert found.sign_agreement == 0.8
    assert _check([0.5, -0.4, 0.05, 0.2, 0.1, 0.0], error=10.0).sign_agreement == 1.0


def test_critical_value_holds_the_daily_false_alarm_rate() -> None:
    """Bonferroni over 100,000 checks of 20 features, two-sided, at 1e-4, by the error function."""
    value = critical_value(20)
    assert erfc(value / sqrt(2)) / 2 * 2 * 20 * 100_000 == pytest.approx(1e-4, rel=1e-6)
    assert critical_value(1) < critical_value(100)
