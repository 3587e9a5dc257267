"""Weighted sums of features that every counterfactual keeps within a bound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explain.counterfactual.constraints.expressions import Range

FloatArray = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Inequality:
    """The sum of weight times feature over `terms` is at most `at_most`; a missing term makes it hold."""

    terms: tuple[tuple[str, float], ...]
    at_most: float

    def holds(self, columns: Mapping[str, FloatArray]) -> Mask:
        """Tell for each row whether it holds, apart from what rounding may do to a sum of decimals."""
        total, size = np.zeros(()), np.array(abs(self.at_most))
        with np.errstate(over="ignore", invalid="ignore"):
            for name, weight in self.terms:
                product = weight * columns[name]
                total, size = total + product, size + np.abs(product)
            excess = total - self.at_most
            return np.asarray(np.isnan(excess) | (excess <= self.slack(size)))

    def slack(self, size: FloatArray) -> FloatArray:
        """Return how far a computed sum may lie beyond its bound: `size` sums the absolute values."""
        return size * ((len(self.terms) + 2) * 2.0**-52)

    def least(self, ranges: Mapping[str, Range]) -> float:
        """Return the least sum over a box of ranges."""
        with np.errstate(over="ignore", invalid="ignore"):
            ends = [weight * ranges[name][0 if weight > 0.0 else 1] for name, weight in self.terms if weight]
        return float(sum(ends))

    def __str__(self) -> str:
        """Write it as a reader would."""
        return f"{' + '.join(f'{weight:g} {name}' for name, weight in self.terms)} <= {self.at_most:g}"
