"""Compiling the kernels of the direct and the exact search ahead of the first counterfactual."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from explain.counterfactual.budget import Budget
from explain.counterfactual.cells.tables import SplitTables
from explain.counterfactual.constraints.checker import Constraints, FeatureConstraint
from explain.counterfactual.exact.method import ExactSearch
from explain.counterfactual.options import options_of
from explain.counterfactual.problem import Problem
from explain.counterfactual.target import Target
from explain.counterfactual.thresholds.reach import Reach
from explain.deadline import Deadline
from explain.features import Feature, FeatureSpace, FloatWidth
from explain.models.base import Prediction
from explain.models.ensemble import TreeEnsemble
from explain.outcome import OutcomeRule

FloatArray = NDArray[np.float64]


def warm_search(trees: TreeEnsemble) -> None:
    """Compile them, or load them from where compiled kernels are kept.

    `trees` have one feature, one split at 0.5, and a margin that is positive above it.
    """
    space = FeatureSpace((Feature("x", "number"),))
    tables, row = SplitTables.prepare(trees, space), np.ones(1)
    constraints = Constraints(space, {"x": FeatureConstraint(mutable=True)}, 1)
    options = options_of(tables, constraints, np.ones(1), row)
    Reach(tables, tables.cells(row), options, 1).margins(tables.cells(np.zeros(1)))
    target = Target.of(OutcomeRule("margin", 0.0, "above", "below", "high_is_adverse"), "identity", 32)
    problem = Problem(_Stump(space, trees), target, constraints, space.instance(row), np.ones(1), 1, 0)
    ExactSearch.prepare(problem.model).propose(problem, Budget(Deadline.unlimited(), None))


class _Stump:
    """The trees that compile the kernels, as a model: no library is loaded for it."""

    family = "stump"
    digest = ""
    float_width: FloatWidth = 32

    def __init__(self, space: FeatureSpace, trees: TreeEnsemble) -> None:
        self.space = space
        self._trees = trees

    def constructs(self) -> tuple[str, ...]:
        """Name nothing: it is in no report."""
        return ()

    def predict(self, rows: FloatArray) -> Prediction:
        """Walk the one split."""
        margins = self.margins(rows)
        return Prediction(margins, margins)

    def margins(self, rows: FloatArray) -> FloatArray:
        """Return 1 above the split and -1 below it."""
        return np.where(rows[:, 0] < 0.5, -1.0, 1.0)

    def form(self) -> TreeEnsemble:
        """Return the trees."""
        return self._trees
