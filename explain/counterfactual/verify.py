"""The last word on every proposal: what will be displayed is read back, scored and checked again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from explain.counterfactual.base import Change, Counterfactual
from explain.counterfactual.constraints import Constraints
from explain.counterfactual.options import cost_of
from explain.counterfactual.target import Target
from explain.errors import InvalidFeatures
from explain.features import Instance
from explain.models.base import Model
from explain.outcome import decide

FloatArray = NDArray[np.float64]


def verify(
    model: Model,
    target: Target,
    constraints: Constraints,
    instance: Instance,
    rows: Sequence[FloatArray],
    *,
    scales: FloatArray,
    method: str,
) -> tuple[tuple[Counterfactual, ...], int]:
    """Return the proposed rows that hold, in their order, and how many did not.

    Each row is rounded to the grid that its changed values are displayed on and read back as if a caller had
    sent it. It holds if something changed, no constraint is violated, and the native model and the configured
    rule find exactly that row favourable and clear of the threshold.
    """
    read = [_read_back(constraints, instance, row) for row in rows]
    permitted = [
        changed
        for changed in read
        if changed is not None
        and not np.array_equal(changed.row, instance.row, equal_nan=True)
        and not constraints.check(instance.row, changed.row)
    ]
    if not permitted:
        return (), len(rows)
    prediction = model.predict(np.stack([changed.row for changed in permitted]))
    held = np.flatnonzero(target.reached(prediction))
    items = []
    for at in held.tolist():
        changed = permitted[at]
        decision = decide(target.rule, float(prediction.margins[at]), float(prediction.scores[at]))
        items.append(
            Counterfactual(
                changes=_changes(constraints, instance, changed),
                score=decision.score,
                margin=decision.margin,
                outcome=decision.outcome,
                cost=cost_of(constraints, scales, instance.row, changed.row),
                method=method,
                verified=True,
            )
        )
    return tuple(items), len(rows) - len(items)


def _read_back(constraints: Constraints, instance: Instance, row: FloatArray) -> Instance | None:
    """Round the changed values to their grid and read the row as a caller's; None if it cannot be read."""
    rounded = np.array(row, dtype=np.float64)
    for at in np.flatnonzero(rounded != instance.row).tolist():
        grid = constraints.grid(at)
        if grid is not None and np.isfinite(rounded[at]):
            rounded[at] = grid.values(grid.nearest(rounded[at : at + 1]))[0]
    try:
        return constraints.space.instance(rounded)
    except InvalidFeatures:
        return None


def _changes(constraints: Constraints, before: Instance, after: Instance) -> tuple[Change, ...]:
    changed = (before.row != after.row) & ~(np.isnan(before.row) & np.isnan(after.row))
    return tuple(
        Change(constraints.space.features[at].name, before.values[at], after.values[at])
        for at in np.flatnonzero(changed).tolist()
    )
