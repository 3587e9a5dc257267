"""Compiling the kernel of the direct search ahead of the first counterfactual."""

from __future__ import annotations

import numpy as np

from explain.counterfactual.constraints import Constraints, FeatureConstraint
from explain.counterfactual.options import options_of
from explain.counterfactual.reach import Reach
from explain.counterfactual.tables import SplitTables
from explain.features import Feature, FeatureSpace
from explain.models.ensemble import TreeEnsemble


def warm_search(trees: TreeEnsemble) -> None:
    """Compile it, or load it from where compiled kernels are kept; `trees` have one feature."""
    space = FeatureSpace((Feature("x", "number"),))
    tables, row = SplitTables.prepare(trees, space), np.zeros(1)
    constraints = Constraints(space, {"x": FeatureConstraint(mutable=True)}, 1)
    options = options_of(tables, constraints, np.ones(1), row)
    Reach(tables, tables.cells(row), options, 1).margins(tables.cells(np.ones(1)))
