"""The exact search as a method: it ends with the optimum, or with the proof that there is none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from explain.counterfactual.budget import Budget
from explain.counterfactual.cells.axes import Axes, read_axes
from explain.counterfactual.exact.bounds import Bounds, LinearBounds, TreeBounds
from explain.counterfactual.exact.branching import Branching
from explain.counterfactual.exact.domains import (
    Domains,
    TooManyValues,
    Variable,
    cell_variable,
    group_variables,
    single_features,
    tied_features,
    tied_variable,
)
from explain.counterfactual.exact.goals import Goal
from explain.counterfactual.exact.linked import Ties
from explain.counterfactual.exact.search import EXACT_SEARCH, BranchAndBound
from explain.counterfactual.exact.spans import linear_variable
from explain.counterfactual.exact.sweeping import swept
from explain.counterfactual.problem import Problem, Proposed
from explain.counterfactual.rounding import sum_rounding
from explain.models.base import Form, Model
from explain.models.ensemble import TreeEnsemble
from explain.models.linear import LinearForm


@dataclass(frozen=True, slots=True, eq=False)
class ExactSearch:
    """A search prepared for one model.

    `rounding` bounds how far sums of trees, or differences of two sums, may lie from the native ones.
    """

    form: Form
    axes: Axes | None
    rounding: float

    @classmethod
    def prepare(cls, model: Model) -> ExactSearch:
        """Read the model's form and cut its axes."""
        form = model.form()
        if not isinstance(form, TreeEnsemble):
            return cls(form, None, 0.0)
        rounding = float(np.sort(sum_rounding(form))[-2:].sum())
        return cls(form, read_axes(form, model.space), rounding)

    @property
    def name(self) -> str:
        """The name that its counterfactuals carry."""
        return EXACT_SEARCH

    def propose(self, problem: Problem, budget: Budget) -> Proposed:
        """Search; see `search`. Where the goal is no known margin, a small space is scored as a whole.

        Nothing is proposed, and nothing proved, where that space is too large, or where tied features have
        more values than can be listed.
        """
        try:
            domains = Domains.of(problem, list(self._variables(problem)))
        except TooManyValues:
            return Proposed()
        if problem.target.threshold is None:
            return swept(domains, budget)
        if np.isinf(problem.target.possible):  # rounded scores may reach what no margin clears
            return Proposed()
        goal = Goal.of(problem.target, self.form.base_margins, problem.target.possible)
        bounds, rounding = self._bounds(domains, goal)
        goal = replace(goal, possible=goal.possible + rounding)
        return BranchAndBound(domains, bounds, goal, budget).propose()

    def _bounds(self, domains: Domains, goal: Goal) -> tuple[Bounds, float]:
        """Return the bounds of one problem's sums, and what native rounding may take from them."""
        if isinstance(self.form, LinearForm):
            linear = LinearBounds.prepare(self.form, domains, goal.signs)
            low, high, _ = Branching.of(domains).root()
            implied = Ties.of(domains).implied(low, high)
            if implied is None:  # nothing is permitted: there is nothing to round
                return linear, 0.0
            return linear, linear.rounding(self.form, implied)
        assert self.axes is not None  # noqa: S101  trees have them
        return TreeBounds.prepare(self.form, self.axes, domains, goal.signs), self.rounding

    def _variables(self, problem: Problem) -> Iterator[Variable]:
        """Yield what may be chosen."""
        tied = tied_features(problem.constraints)
        yield from group_variables(problem)
        for at in single_features(problem):
            if at in tied:
                found = tied_variable(problem, at)
            elif self.axes is not None:
                found = cell_variable(problem, self.axes, at)
            else:
                found = linear_variable(problem, at, self._decisive(problem, at))
            if found is not None:
                yield found

    def _decisive(self, problem: Problem, at: int) -> float:
        """Return over what distance a feature of a linear model could decide alone, generously."""
        assert isinstance(self.form, LinearForm)  # noqa: S101  trees have axes
        own = self.form.weights[:, at]
        weights = np.abs(own if self.form.outputs == 1 else np.subtract.outer(own, own).ravel())
        margins = np.abs(problem.model.margins(problem.instance.row[None, :])).max()
        far = 8.0 * (float(margins) + abs(problem.target.threshold or 0.0) + 1.0)
        return far / float(weights[weights > 0.0].min()) if (weights > 0.0).any() else 0.0
