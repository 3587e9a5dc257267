"""The exact search as a method: it ends with the optimum, or with the proof that there is none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from explain.counterfactual.axes import Axes, read_axes
from explain.counterfactual.budget import Budget
from explain.counterfactual.exact.bounds import LinearBounds, TreeBounds
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
from explain.counterfactual.exact.search import EXACT_SEARCH, BranchAndBound
from explain.counterfactual.exact.spans import linear_variable
from explain.counterfactual.exact.sweeping import swept
from explain.counterfactual.problem import Problem, Proposed
from explain.models.base import Form, Model
from explain.models.ensemble import TreeEnsemble
from explain.models.linear import LinearForm


@dataclass(frozen=True, slots=True, eq=False)
class ExactSearch:
    """A search prepared for one model."""

    form: Form
    axes: Axes | None

    @classmethod
    def prepare(cls, model: Model) -> ExactSearch:
        """Read the model's form and cut its axes."""
        form = model.form()
        return cls(form, read_axes(form, model.space) if isinstance(form, TreeEnsemble) else None)

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
        goal = Goal.of(problem.target, self.form.base_margins, problem.target.possible)
        if isinstance(self.form, LinearForm):
            linear = LinearBounds.prepare(self.form, domains, goal.signs)
            goal = replace(goal, possible=goal.possible + linear.rounding(self.form))
            return BranchAndBound(domains, linear, goal, budget).propose()
        assert self.axes is not None  # noqa: S101  trees have them
        trees = TreeBounds.prepare(self.form, self.axes, domains, goal.signs)
        return BranchAndBound(domains, trees, goal, budget).propose()

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
