"""Every permitted row of a small space, natively scored, the cheapest first."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from explain.counterfactual.choices import Choices
from explain.counterfactual.openings import Openings, State
from explain.counterfactual.options import row_costs
from explain.counterfactual.problem import Problem
from explain.counterfactual.scorer import BATCH, Scorer

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

SWEPT = 2_000  # rows at most in a complete sweep


def sets_within(sizes: list[float], changes: int) -> float:
    """Count the sets of at most so many choices of different variables."""
    sets = [1.0] + [0.0] * changes
    for size in sizes:
        for number in range(changes if size else 0, 0, -1):
            sets[number] += sets[number - 1] * size if sets[number - 1] else 0.0
    return sum(sets)


def sweep(problem: Problem, openings: Openings, scorer: Scorer, changes: int) -> float | None:
    """Ask about every permitted row until `count` sets of variables are found that no other undercuts.

    Returns the cost up to which every row was asked, infinite for all; None if the budget stopped it.
    """
    constraints, origin = problem.constraints, problem.instance.row
    rows, taken = _every_row(openings, changes)
    rows = constraints.complete(origin, rows)
    permitted = constraints.permitted(origin, rows)
    cost = row_costs(constraints, problem.scales, origin, rows)
    wanted = np.flatnonzero(permitted)
    wanted = wanted[np.argsort(cost[wanted], kind="stable")]
    for start in range(0, len(wanted), BATCH):
        at = wanted[start : start + BATCH]
        if cost[at[0]] > scorer.dearest(problem.count):
            return float(cost[at[0]])
        scorer.distances(rows[at], [taken[one] for one in at.tolist()], cost[at], permitted[at], proving=True)
        if scorer.stopped:
            return None
    return math.inf


def _every_row(openings: Openings, changes: int) -> tuple[FloatArray, list[State]]:
    """Return all sets of at most so many choices as rows, and the variables that each changes."""
    choices = openings.swept()
    by_variable = [
        choices.picked(np.flatnonzero(choices.variable == variable)) for variable in range(len(openings))
    ]
    level: tuple[FloatArray, list[State]] = openings.row[None, :], [()]
    levels = []
    for _ in range(changes):
        grown = [_grown(*level, own) for own in by_variable if len(own)]
        level = np.concatenate([rows for rows, _ in grown]), [state for _, taken in grown for state in taken]
        levels.append(level)
    return np.concatenate([rows for rows, _ in levels]), [state for _, taken in levels for state in taken]


def _grown(rows: FloatArray, taken: list[State], own: Choices) -> tuple[FloatArray, list[State]]:
    """Make each choice of one variable in every row that has changed only earlier ones."""
    variable = int(own.variable[0])
    earlier = np.array([at for at, state in enumerate(taken) if not state or state[-1] < variable], dtype=int)
    parents = np.repeat(earlier, len(own))
    made = own.picked(np.tile(np.arange(len(own)), len(earlier))).applied(rows[parents])
    return made, [(*taken[at], variable) for at in parents.tolist()]
