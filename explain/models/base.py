"""What every model family offers: the native library's own prediction, and the model in a common form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from explain.errors import ModelUnsupported
from explain.features import FeatureSpace, FloatWidth
from explain.models.ensemble import TreeEnsemble
from explain.models.linear import LinearForm

FloatArray = NDArray[np.float64]
Form = TreeEnsemble | LinearForm


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """The native library's margins and scores of n rows, widened to float64.

    Each has shape (n,), or (n, outputs) for a model with several outputs. The score is the probability for a
    classifier and the predicted value for a regression; where a library knows no other number, the margin.
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
        """The features in the model's own order, with the width in which its library reads numbers."""

    @property
    def digest(self) -> str:
        """`sha256:` and the hex digest of the artifact's bytes."""

    @property
    def float_width(self) -> FloatWidth:
        """The width of the library's own sums, from which follows how exact its margins are."""

    def constructs(self) -> tuple[str, ...]:
        """Name what the model is made of, for the capability report."""

    def predict(self, rows: FloatArray) -> Prediction:
        """Ask the native library for the margins and scores of rows of shape (n, features)."""

    def margins(self, rows: FloatArray) -> FloatArray:
        """Ask the native library for the margins alone, shape (n,) or (n, outputs)."""

    def form(self) -> Form:
        """Return the intermediate form of what `predict` uses: trees, or a linear function."""


def tree_form(model: Model) -> TreeEnsemble:
    """Return the trees of a model that consists of trees; ModelUnsupported for any other."""
    form = model.form()
    if not isinstance(form, TreeEnsemble):
        raise ModelUnsupported("a linear model where trees are needed")
    return form
