"""The direct search for everything that tables of single features cannot tell: one variable at a time.

Models with several outputs or an unknown link, one-hot groups, inequalities and derived features: candidate
rows differ from a state in one variable, derived features are recomputed, and the native model scores them
in batches. The search goes on from the most promising states, up to as many changes as are permitted, then
refines what it found. A small space is swept instead, which is a proof.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explain.counterfactual.budget import Budget
from explain.counterfactual.cells.axes import Axes, read_axes
from explain.counterfactual.problem import Problem, Proposed
from explain.counterfactual.steps.openings import Openings
from explain.counterfactual.steps.scorer import Scorer
from explain.counterfactual.steps.stepping import Stepping
from explain.counterfactual.steps.sweep import SWEPT, sets_within, sweep
from explain.models.base import Model
from explain.models.ensemble import TreeEnsemble

FloatArray = NDArray[np.float64]

STEP_SEARCH = "step_search"


@dataclass(frozen=True, slots=True, eq=False)
class StepSearch:
    """A search prepared for one model of any kind; `axes` are those of its trees, if it has any."""

    axes: Axes | None

    @classmethod
    def prepare(cls, model: Model) -> StepSearch:
        """Read the model's thresholds; milliseconds on hundreds of trees."""
        form = model.form()
        return cls(read_axes(form, model.space) if isinstance(form, TreeEnsemble) else None)

    @property
    def name(self) -> str:
        """The name that its counterfactuals carry."""
        return STEP_SEARCH

    def propose(self, problem: Problem, budget: Budget) -> Proposed:
        """Sweep a small space completely, else search from one change to as many as are permitted."""
        openings = Openings(problem, self.axes, budget)
        if openings.stopped:
            return Proposed()
        if _never_permitted(problem):
            return Proposed(proof="exhaustive")
        if not len(openings.shown):
            return Proposed(proof="exhaustive" if openings.complete else None)
        scorer = Scorer(problem, budget, self.name)
        if not scorer.goes_on():
            return Proposed()
        changes = min(problem.constraints.max_changes, len(openings))
        if not sets_within(openings.sizes, changes, SWEPT):
            Stepping(problem, openings, scorer, changes).run()
            return Proposed(scorer.proposals())
        asked = sweep(problem, openings, scorer, changes)
        proposals = scorer.proposals()
        settled = asked is not None and not proposals and not scorer.doubtful
        least = min((proposal.cost for proposal in proposals), default=None) if asked is not None else None
        exact = openings.on_grids
        return Proposed(
            proposals, "exhaustive" if settled else None, least if exact and not scorer.doubtful else None
        )


def _never_permitted(problem: Problem) -> bool:
    """Tell whether an inequality is broken that nothing changeable takes part in."""
    constraints, row = problem.constraints, problem.instance.row
    space = constraints.space
    open_names = {space.features[at].name for at in constraints.changeable(row)}
    for link in constraints.chain:
        if open_names.intersection(link.parts):
            open_names.add(link.feature)
    columns = {feature.name: row[at : at + 1] for at, feature in enumerate(space.features)}
    return any(
        not open_names.intersection(dict(one.terms)) and not bool(one.holds(columns)[0])
        for one in constraints.inequalities
    )
