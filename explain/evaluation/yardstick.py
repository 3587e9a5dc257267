"""How far two rows lie apart in the reference's own units: the distance all measures here are made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explain.counterfactual.constraints.checker import Constraints

FloatArray = NDArray[np.float64]
Mask = NDArray[np.bool_]

_TOGETHER = 4_096  # rows compared at once: some MiB of differences


@dataclass(frozen=True, slots=True, eq=False)
class Yardstick:
    """The units of a distance: `scales` (features,) for numbers, 1 for each `named` feature that differs.

    Wachter et al. 2018 (Counterfactual Explanations without Opening the Black Box, equation 4): the sum over
    numbers of |a - b| / MAD; categories and truth values count 1 where they differ, and so does a number that
    is missing on one side only. Two missing values do not differ. `weights` (features,) make the members of a
    one-hot group, of which two differ at a time, count as one feature, and leave out what is derived from
    other features and says nothing of its own.
    """

    scales: FloatArray
    named: Mask
    weights: FloatArray

    @classmethod
    def of(cls, constraints: Constraints, scales: FloatArray) -> Yardstick:
        """Measure rows of the features that these constraints tie together."""
        features = constraints.space.features
        named = np.array([feature.type in ("boolean", "category") for feature in features])
        weights = np.array([0.0 if constraints.derived(at) else 1.0 for at in range(len(features))])
        for members in constraints.members:
            named[members], weights[members] = True, 0.5
        return cls(np.asarray(scales, dtype=np.float64), named, weights)

    def parts(self, row: FloatArray, rows: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the distances (n,) of rows (n, features) from a row, of numbers and of all else."""
        numeric, named = np.empty(len(rows)), np.empty(len(rows))
        for part in _stretches(len(rows)):
            block = rows[part]
            one_missing = np.isnan(block) != np.isnan(row)
            with np.errstate(invalid="ignore"):
                steps = np.nan_to_num(np.abs(block - row) / self.scales, nan=0.0)
                differs = ((block != row) & ~np.isnan(block) & ~np.isnan(row)) | one_missing
            # sums row by row: a product with a vector would depend on how many rows stand together
            numeric[part] = np.where(self.named, 0.0, steps * self.weights).sum(axis=1)
            named[part] = np.where(differs & (self.named | one_missing), self.weights, 0.0).sum(axis=1)
        return numeric, named

    def distances(self, row: FloatArray, rows: FloatArray) -> FloatArray:
        """Return the whole distances (n,) of rows (n, features) from a row."""
        numeric, named = self.parts(row, rows)
        return np.asarray(numeric + named)

    def nearest(self, row: FloatArray, rows: FloatArray) -> float | None:
        """Return the distance to the nearest of these rows; None where there are none."""
        return float(self.distances(row, rows).min()) if len(rows) else None


def _stretches(count: int) -> Iterator[slice]:
    for begin in range(0, count, _TOGETHER):
        yield slice(begin, min(begin + _TOGETHER, count))
