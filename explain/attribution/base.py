"""An attribution and its reconciliation with the model's own margin."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explain.errors import AttributionUnreconciled
from explain.features import FloatWidth

RELATIVE_TOLERANCE: dict[FloatWidth, float] = {32: 1e-4, 64: 1e-8}


@dataclass(frozen=True, slots=True, eq=False)
class Attribution:
    """Shapley values of one row in margin space, already reconciled with the native margin.

    `phi` has shape (features,); `total` is base_value + sum(phi); `expected` is the native library's own
    margin; `error` is their absolute difference, at most `tolerance`.
    """

    method: str
    base_value: float
    phi: NDArray[np.float64]
    expected: float
    total: float
    error: float
    tolerance: float


def tolerance_for(expected: float, float_width: FloatWidth) -> float:
    """Return how far from the native margin `expected` a total may lie."""
    return RELATIVE_TOLERANCE[float_width] * max(1.0, abs(expected))


def reconcile(
    base_value: float, phi: NDArray[np.float64], expected: float, float_width: FloatWidth, *, method: str
) -> Attribution:
    """Compare base_value + sum(phi) with the native margin `expected` (local accuracy).

    The tolerance is 1e-4 * max(1, |margin|) for 32-bit models and 1e-8 * max(1, |margin|) for 64-bit ones;
    beyond it, or where a number is not finite, AttributionUnreconciled is raised.
    """
    total = math.fsum([base_value, *phi.tolist()])
    tolerance = tolerance_for(expected, float_width)
    error = abs(total - expected)
    if not error <= tolerance or not math.isfinite(expected):
        raise AttributionUnreconciled(expected, total, tolerance)
    return Attribution(method, base_value, phi, expected, total, error, tolerance)
