"""One door to the exact attribution of a model, whatever its form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from explain.attribution import linear, treeshap
from explain.attribution.base import Attribution, reconcile
from explain.attribution.linear import LinearShap
from explain.attribution.treeshap import MEMORY_CAP_BYTES, TreeShap
from explain.models.base import Model
from explain.models.linear import LinearForm

Reals = NDArray[np.float64]
Shap = TreeShap | LinearShap


def prepare_attribution(
    model: Model,
    reference: Reals,
    *,
    cache_dir: Path | None,
    memory_cap_bytes: int = MEMORY_CAP_BYTES,
) -> Shap:
    """Reduce a reference of shape (n, features) to what explaining a row of this model needs.

    With `cache_dir` the tables of trees are files there. Raises ModelUnsupported where even the reference's
    counts exceed the memory cap.
    """
    form = model.form()
    if isinstance(form, LinearForm):
        return LinearShap.prepare(form, reference)
    return TreeShap.prepare(model, reference, cache_dir=cache_dir, memory_cap_bytes=memory_cap_bytes)


def method_of(shap: Shap) -> str:
    """Name the method, as an answer states it."""
    return linear.METHOD if isinstance(shap, LinearShap) else treeshap.METHOD


def attribute(model: Model, shap: Shap, row: Reals) -> Attribution:
    """Explain one float64 row and reconcile it with the native library's own margin of that row."""
    base_value, phi = shap.explain(row)
    expected = float(model.margins(row[np.newaxis, :])[0])
    return reconcile(base_value, phi, expected, model.float_width, method=method_of(shap))
