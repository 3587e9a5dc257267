"""What every model family offers: the native library's own prediction, and the trees in one common form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from explain.features import FeatureSpace, FloatWidth
from explain.models.ensemble import TreeEnsemble

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """The native library's margins and scores of n rows, each of shape (n,), widened to float64.

    The score is the probability for a classifier and the predicted value for a regression.
    """

    margins: FloatArray
    scores: FloatArray


class Model(Protocol):
    """One immutable, thread-safe model, loaded once per digest."""

    @property
    def family(self) -> str:
        """The model family, as the manifest names it."""

    @property
    def space(self) -> FeatureSpace:
        """The features in the model's own order."""

    @property
    def digest(self) -> str:
        """`sha256:` and the hex digest of the artifact's bytes."""

    @property
    def float_width(self) -> FloatWidth:
        """The width of the model's own floating-point numbers."""

    def constructs(self) -> tuple[str, ...]:
        """Name what the model is made of, for the capability report."""

    def predict(self, rows: FloatArray) -> Prediction:
        """Ask the native library for the margins and scores of rows of shape (n, features)."""

    def margins(self, rows: FloatArray) -> FloatArray:
        """Ask the native library for the margins alone, shape (n,)."""

    def trees(self) -> TreeEnsemble:
        """Return the intermediate form of the trees that `predict` uses."""
