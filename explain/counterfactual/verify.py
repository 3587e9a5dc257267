"""The last word on every proposal: what will be displayed is read back, scored and checked again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from explain.counterfactual.base import Change, Counterfactual
from explain.counterfactual.constraints.checker import Constraints, differing
from explain.counterfactual.options import cost_of
from explain.counterfactual.problem import Problem, Proposal
from explain.errors import InvalidFeatures
from explain.features import Instance
from explain.models.base import Prediction
from explain.outcome import Decision, decide, decide_class

FloatArray = NDArray[np.float64]


def verify(problem: Problem, proposals: Sequence[Proposal]) -> tuple[tuple[Counterfactual, ...], int]:
    """Return the proposals that hold, in their order, and how many did not."""
    items = tuple(item for item in verified(problem, proposals) if item is not None)
    return items, len(proposals) - len(items)


def verified(problem: Problem, proposals: Sequence[Proposal]) -> list[Counterfactual | None]:
    """Return what each proposal amounts to, None where it does not hold; the native model is asked once.

    Each row is rounded to the grid that its changed values are displayed on and read back as if a caller had
    sent it. It holds if something changed, no constraint is violated, and the native model and the goal's
    rule find exactly that row on the right side and clear of the threshold.
    """
    constraints, instance = problem.constraints, problem.instance
    items: list[Counterfactual | None] = [None] * len(proposals)
    read = [_read_back(constraints, instance, proposal.row) for proposal in proposals]
    permitted = [
        (at, changed)
        for at, changed in enumerate(read)
        if changed is not None
        and not np.array_equal(changed.row, instance.row, equal_nan=True)
        and not constraints.check(instance.row, changed.row)
    ]
    if not permitted:
        return items
    prediction = problem.model.predict(np.stack([changed.row for _, changed in permitted]))
    for place in np.flatnonzero(problem.target.reached(prediction)).tolist():
        at, changed = permitted[place]
        decision = _decision(problem, prediction, place)
        items[at] = Counterfactual(
            changes=_changes(constraints, instance, changed),
            score=decision.score,
            margin=decision.margin,
            outcome=decision.outcome,
            cost=cost_of(constraints, problem.scales, instance.row, changed.row),
            method=proposals[at].method,
            verified=True,
        )
    return items


def _decision(problem: Problem, prediction: Prediction, at: int) -> Decision:
    """Apply the configured rule to one row's native answer."""
    rule = problem.decides or problem.target.rule
    if rule.contrast is not None:
        return decide_class(rule, rule.contrast, prediction.margins[at])[0]
    return decide(rule, float(prediction.margins[at]), float(prediction.scores[at]))


def _read_back(constraints: Constraints, instance: Instance, row: FloatArray) -> Instance | None:
    """Round the changed values to their grid and read the row as a caller's; None if it cannot be read.

    Derived features are recomputed from what was rounded, whatever the proposal says of them.
    """
    rounded = np.array(row, dtype=np.float64)
    for at in np.flatnonzero(rounded != instance.row).tolist():
        grid = constraints.grid(at)
        if grid is not None and np.isfinite(rounded[at]):
            rounded[at] = grid.values(grid.nearest(rounded[at : at + 1]))[0]
    try:
        return constraints.space.instance(constraints.complete(instance.row, rounded[None, :])[0])
    except InvalidFeatures:
        return None


def _changes(constraints: Constraints, before: Instance, after: Instance) -> tuple[Change, ...]:
    changed = differing(before.row, after.row[None, :])[0]
    return tuple(
        Change(
            constraints.space.features[at].name, before.values[at], after.values[at], constraints.derived(at)
        )
        for at in np.flatnonzero(changed).tolist()
    )
