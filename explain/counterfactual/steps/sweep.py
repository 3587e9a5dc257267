"""Every permitted row of a small space, natively scored, the cheapest first."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from explain.counterfactual.options import row_costs
from explain.counterfactual.problem import Problem
from explain.counterfactual.steps.choices import Choices
from explain.counterfactual.steps.openings import Openings, State
from explain.counterfactual.steps.scorer import Scorer, rows_at_once

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

SWEPT = 2_000  # rows at most in a complete sweep


def sets_within(sizes: list[float], changes: int, most: float) -> bool:
    """Tell whether at most so many sets can be made of at most `changes` choices of different variables."""
    sets = [1.0] + [0.0] * changes
    deepest = 0
    for size in sizes:
        if not size:
            continue
        deepest = min(deepest + 1, changes)
        for number in range(deepest, 0, -1):
            sets[number] += sets[number - 1] * size
        if sum(sets[: deepest + 1]) > most:
            return False
    return True


def sweep(problem: Problem, openings: Openings, scorer: Scorer, changes: int) -> float | None:
    """Ask about every permitted row until `count` sets of variables are found that no other undercuts.

    Returns the cost up to which every row was asked, infinite for all; None if the budget stopped it.
    """
    constraints, origin = problem.constraints, problem.instance.row
    choices = openings.swept()
    sets = _every_set(choices, changes)
    estimates = _costs(choices, sets)
    order = np.argsort(estimates, kind="stable")
    together = rows_at_once(len(origin))
    for start in range(0, len(order), together):
        at = order[start : start + together]
        if estimates[at[0]] > scorer.dearest(problem.count):
            return float(estimates[at[0]])
        if not scorer.goes_on():
            return None
        rows = constraints.complete(origin, _made(choices, sets[at], origin))
        permitted = constraints.permitted(origin, rows)
        rows, taken = rows[permitted], _taken(choices, sets[at[permitted]])
        cost = row_costs(constraints, problem.scales, origin, rows)
        scorer.distances(rows, taken, cost, permitted[permitted], proving=True)
        if scorer.stopped:
            return None
    return math.inf


def _every_set(choices: Choices, changes: int) -> IntArray:
    """Return all sets of at most so many choices of different variables (sets, changes), padded with -1."""
    beyond = np.searchsorted(choices.variable, choices.variable, side="right")  # where later variables begin
    level = np.arange(len(choices))[:, None]
    levels = []
    for depth in range(1, changes + 1):
        levels.append(np.pad(level, ((0, 0), (0, changes - depth)), constant_values=-1))
        if depth == changes:
            break
        begins = beyond[level[:, -1]]
        counts = len(choices) - begins
        parents = np.repeat(np.arange(len(level)), counts)
        within = np.arange(len(parents)) - np.repeat(np.cumsum(counts) - counts, counts)
        level = np.concatenate([level[parents], (begins[parents] + within)[:, None]], axis=1)
        if not len(level):
            break
    return np.concatenate(levels)


def _costs(choices: Choices, sets: IntArray) -> FloatArray:
    """Return what sets of choices cost; what is derived from them costs nothing."""
    return np.asarray(np.where(sets < 0, 0.0, choices.cost[sets]).sum(axis=1))


def _made(choices: Choices, sets: IntArray, origin: FloatArray) -> FloatArray:
    """Return the row with each set of choices made."""
    rows = np.repeat(origin[None, :], len(sets), axis=0)
    for own in sets.T:
        made = np.flatnonzero(own >= 0)
        rows[made] = choices.picked(own[made]).applied(rows[made])
    return rows


def _taken(choices: Choices, sets: IntArray) -> list[State]:
    """Return the variables that each set changes."""
    return [tuple(choices.variable[own[own >= 0]].tolist()) for own in sets]
