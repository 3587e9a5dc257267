"""The exact search as a method: it ends with the optimum, or with the proof that there is none."""

from __future__ import annotations

from dataclasses import dataclass

from explain.counterfactual.axes import Axes, read_axes
from explain.counterfactual.budget import Budget
from explain.counterfactual.exact.bounds import TreeBounds
from explain.counterfactual.exact.domains import (
    Domains,
    TooManyValues,
    cell_variable,
    group_variables,
    single_features,
    tied_features,
    tied_variable,
)
from explain.counterfactual.exact.goals import Goal
from explain.counterfactual.exact.search import EXACT_SEARCH, BranchAndBound
from explain.counterfactual.problem import Problem, Proposed
from explain.models.base import Form, Model
from explain.models.ensemble import TreeEnsemble


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
        """Search; nothing, and no proof, where the goal is no known margin or the values are too many."""
        if problem.target.threshold is None or self.axes is None or not isinstance(self.form, TreeEnsemble):
            return Proposed()
        try:
            domains = self._domains(problem, self.axes)
        except TooManyValues:
            return Proposed()
        goal = Goal.of(problem.target, self.form.base_margins, problem.target.possible)
        bounds = TreeBounds.prepare(self.form, self.axes, domains, goal.signs)
        return BranchAndBound(domains, bounds, goal, budget).propose()

    def _domains(self, problem: Problem, axes: Axes) -> Domains:
        tied = tied_features(problem.constraints)
        variables = group_variables(problem)
        for at in single_features(problem):
            one = tied_variable(problem, at) if at in tied else cell_variable(problem, axes, at)
            if one is not None:
                variables.append(one)
        return Domains.of(problem, variables)
