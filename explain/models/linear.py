"""Linear models of any family in one common form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explain.features import FloatWidth


@dataclass(frozen=True, slots=True, eq=False)
class LinearForm:
    """Margins `base_margins + weights @ x`, where a missing number adds nothing.

    `weights` has shape (outputs, features), `base_margins` (outputs,). x is rounded to `input_width` bits
    first; `float_width` is the width of the library's own sums.
    """

    weights: NDArray[np.float64]
    base_margins: NDArray[np.float64]
    input_width: FloatWidth
    float_width: FloatWidth

    @property
    def outputs(self) -> int:
        """How many margins the model has."""
        return len(self.base_margins)

    @property
    def n_features(self) -> int:
        """How many features the model reads."""
        return int(self.weights.shape[1])
