"""The direct search over the split thresholds of trees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from explain.counterfactual.budget import Budget
from explain.counterfactual.cells.tables import SplitTables
from explain.counterfactual.options import options_of
from explain.counterfactual.problem import Problem, Proposed
from explain.counterfactual.thresholds.beam import THRESHOLD_SEARCH, BeamSearch
from explain.counterfactual.thresholds.reach import Reach


@dataclass(frozen=True, slots=True, eq=False)
class ThresholdSearch:
    """A search prepared for one model's trees; it needs a goal whose threshold is a known margin."""

    tables: SplitTables

    @property
    def name(self) -> str:
        """The name that its counterfactuals carry."""
        return THRESHOLD_SEARCH

    def propose(self, problem: Problem, budget: Budget) -> Proposed:
        """Search from one change to as many as are permitted; see `beam`."""
        row, target = problem.instance.row, problem.target.widened(self.tables.rounding)
        options = options_of(self.tables, problem.constraints, problem.scales, row, problem.medians)
        if not len(options):
            return Proposed(proof="exhaustive")
        if np.isinf(target.possible):  # rounded scores may reach what no margin clears
            return Proposed()
        changes = min(problem.constraints.max_changes, len(np.unique(options.feature)))
        reach = Reach(self.tables, self.tables.cells(row), options, changes)
        best = reach.best_margin(target.rule.adverse_sign())
        if target.adversity(np.array([best]))[0] > target.possible:
            return Proposed(proof="bounded")
        search = BeamSearch(problem.model, target, reach, options, budget)
        swept = search.run(row, changes, problem.count)
        settled = swept and not search.doubtful
        return Proposed(list(search.proposals.values()), "exhaustive" if settled else None)
