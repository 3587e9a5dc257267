"""XGBoost's linear booster: one weight per feature and output, and a bias per output."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from explain.errors import ModelCorrupt
from explain.models.document import integer_member, reals
from explain.models.linear import LinearForm


def read_linear(
    model: dict[str, object], n_features: int, base_margins: NDArray[np.float64]
) -> tuple[LinearForm, int]:
    """Return the linear function and how many rounds it was trained for.

    The file keeps the weights feature by feature, each with all outputs, the biases last. The library starts
    every output from the base score of the first one, also where the file gives each output its own.
    """
    outputs = len(base_margins)
    flat = reals(model, "weights", "gradient_booster.model")
    if len(flat) != (n_features + 1) * outputs:
        raise ModelCorrupt(f"weights has {len(flat)} entries for {n_features} features and {outputs} outputs")
    if not np.all(np.isfinite(flat)):
        raise ModelCorrupt("weights holds a number that is not finite")
    table = flat.reshape(n_features + 1, outputs)
    form = LinearForm(
        weights=np.ascontiguousarray(table[:-1].T),
        base_margins=base_margins[0] + table[-1],
        input_width=32,
        float_width=32,
    )
    return form, integer_member(model, "boosted_rounds", "gradient_booster.model", 0)
