"""Exact interventional Shapley values of linear functions against a whole frozen reference.

In a linear function a feature adds the same to every coalition: its weight times the difference between its
number and the reference's mean of it (Strumbelj and Kononenko 2014; Lundberg and Lee 2017, corollary 1). A
missing number adds nothing to the function: it stands for 0, in the row and in the mean.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explain.attribution.structures import narrowed
from explain.attribution.treeshap import Storage
from explain.features import FloatWidth
from explain.models.linear import LinearForm

Reals = NDArray[np.float64]

METHOD = "interventional_linear"


@dataclass(frozen=True, slots=True, eq=False)
class LinearShap:
    """Interventional Shapley values of one linear model against one reference; thread-safe.

    `base_values`, shape (outputs,), are the mean margins of the reference rows; `weights` has shape
    (outputs, features) and `means` (features,). Values are in margin space.
    """

    base_values: Reals
    weights: Reals
    means: Reals
    input_width: FloatWidth

    @classmethod
    def prepare(cls, form: LinearForm, reference: Reals) -> LinearShap:
        """Reduce a reference of shape (n, features) to its means."""
        if reference.ndim != 2 or reference.shape[1] != form.n_features or not len(reference):
            raise ValueError(f"a reference of shape (n, {form.n_features}) is needed, not {reference.shape}")
        rows = _filled(reference, form.input_width)
        means = np.array([math.fsum(column) / len(rows) for column in rows.T])
        pairs = zip(form.base_margins.tolist(), form.weights, strict=True)
        base_values = [math.fsum([base, *(weights * means).tolist()]) for base, weights in pairs]
        return cls(np.array(base_values), form.weights, means, form.input_width)

    @property
    def base_value(self) -> float:
        """The mean margin of the reference rows under a model with one output."""
        (value,) = self.base_values.tolist()
        return float(value)

    @property
    def intact(self) -> bool:
        """Whether what was prepared is what it was: nothing is kept outside this process."""
        return True

    @property
    def storage(self) -> Storage:
        """What is held: no tables, one mean per feature."""
        held = self.base_values.nbytes + self.weights.nbytes + self.means.nbytes
        return Storage(
            table_units=0, pair_units=0, listed_leaves=0, table_width=64, table_bytes=0, other_bytes=held
        )

    def explain(self, row: Reals, output: int = 0) -> tuple[float, Reals]:
        """Return the base value and the Shapley values, shape (features,), of one float64 row."""
        base_value, phi = self.explain_batch(row[np.newaxis, :], output)
        return base_value, phi[0]

    def explain_batch(self, rows: Reals, output: int = 0) -> tuple[float, Reals]:
        """Return the base value and the Shapley values, shape (n, features), of n float64 rows.

        Each row gets, bit for bit, what it would get alone.
        """
        if rows.ndim != 2 or rows.shape[1] != len(self.means):
            raise ValueError(f"rows of shape (n, {len(self.means)}) are needed, not {rows.shape}")
        phi: Reals = self.weights[output] * (_filled(rows, self.input_width) - self.means)
        return float(self.base_values[output]), phi

    def explain_each(self, row: Reals, reference: Reals, output: int = 0) -> Reals:
        """Return the values of one row against each of n reference rows alone, shape (n, features)."""
        width = self.input_width
        return np.asarray(self.weights[output] * (_filled(row, width) - _filled(reference, width)))


def _filled(rows: Reals, input_width: FloatWidth) -> Reals:
    """Round rows as the model's library does, and give a missing number the 0 that it counts for."""
    return np.nan_to_num(narrowed(rows, input_width), nan=0.0, posinf=np.inf, neginf=-np.inf)
