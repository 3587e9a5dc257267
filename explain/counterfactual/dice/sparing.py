"""Taking back what was changed for nothing: a proposal with fewer changes is a better one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from explain.counterfactual.budget import Budget
from explain.counterfactual.dice.frames import Frame
from explain.counterfactual.options import row_costs

FloatArray = NDArray[np.float64]


def spared(frame: Frame, shown: FloatArray, budget: Budget) -> FloatArray:
    """Take back, one at a time, the dearest change of each proposal without which it still reaches the goal.

    `shown` are proposals (n, columns) that reach it, and so are those returned: none of them can do without
    any of its changes. What the constraints permit stays permitted. Every row that is tried is scored by the
    native model and counted; once the budget is spent nothing more is taken back.
    """
    done: list[FloatArray] = []
    while len(shown) and budget.goes_on():
        tried, origin = _one_back(frame, shown)
        permitted = _permitted(frame, shown)
        reached = _reached(frame, tried, budget) & (_permitted(frame, tried) | ~permitted[origin])
        kept = np.ones(len(shown), dtype=np.bool_)
        kept[origin[reached]] = False
        done.append(shown[kept])
        shown = _cheapest(frame, tried[reached], origin[reached])
    return np.unique(np.concatenate([*done, shown]), axis=0) if done else shown


def _one_back(frame: Frame, shown: FloatArray) -> tuple[FloatArray, NDArray[np.intp]]:
    """Return every proposal with each one of its changes taken back, and which proposal it was."""
    changed = shown != frame.own
    changed[changed.sum(axis=1) < 2] = False  # the only change is needed: the applicant is not there yet
    origin, column = np.nonzero(changed)
    tried = shown[origin]
    tried[np.arange(len(tried)), column] = frame.own[column]
    return tried, origin


def _reached(frame: Frame, shown: FloatArray, budget: Budget) -> NDArray[np.bool_]:
    if not len(shown):
        return np.zeros(0, dtype=np.bool_)
    budget.spend(len(shown))
    return frame.problem.target.reached(frame.problem.model.predict(frame.rows(shown)))


def _permitted(frame: Frame, shown: FloatArray) -> NDArray[np.bool_]:
    return frame.problem.constraints.permitted(frame.problem.instance.row, frame.rows(shown))


def _cheapest(frame: Frame, shown: FloatArray, origin: NDArray[np.intp]) -> FloatArray:
    """Return the cheapest of the rows that came from the same proposal, each of these once."""
    if not len(shown):
        return shown
    problem = frame.problem
    costs = row_costs(problem.constraints, problem.scales, problem.instance.row, frame.rows(shown))
    order = np.lexsort((costs, origin))
    first = np.unique(origin[order], return_index=True)[1]
    return np.unique(shown[order[first]], axis=0)
