"""The weights of Shapley values of a conjunction, by products and sums that neither cancel nor overflow."""

from __future__ import annotations

import numpy as np

from explain.attribution.structures import Reals


def shapley_weights(size: int) -> Reals:
    """Return w[a, b] = (a-1)! b! / (a+b)! for 1 <= a < size, 0 <= b < size (0 for a = 0).

    By w[1, b] = 1 / (b + 1) and w[a + 1, b] = w[a, b] * a / (a + b + 1).
    """
    weights = np.zeros((size, size))
    b = np.arange(size, dtype=np.float64)
    if size > 1:
        weights[1] = 1.0 / (b + 1.0)
    for a in range(1, size - 1):
        weights[a + 1] = weights[a] * a / (a + b + 1.0)
    return weights


def pair_weights(size: int) -> Reals:
    """Return the same with w[0, b] = -(1 + 1/2 + ... + 1/b), the weights of P and Q (see `filling`)."""
    weights = shapley_weights(size)
    weights[0, 1:] = -np.cumsum(1.0 / np.arange(1, size))
    return weights
