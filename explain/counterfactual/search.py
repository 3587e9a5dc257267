"""The search for counterfactuals of one model version, prepared once and shared by all threads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explain.counterfactual.aim import Aim, aimed
from explain.counterfactual.base import CounterfactualSet, Effort
from explain.counterfactual.budget import Budget
from explain.counterfactual.cells.tables import SplitTables
from explain.counterfactual.concluding import Found, conclude
from explain.counterfactual.constraints.checker import Constraints
from explain.counterfactual.constraints.narrowing import Narrowing
from explain.counterfactual.exact.method import ExactSearch
from explain.counterfactual.linear import LinearSearch, LinearTables
from explain.counterfactual.options import medians_of, scales_of
from explain.counterfactual.problem import Method, Problem
from explain.counterfactual.steps.search import StepSearch
from explain.counterfactual.target import Link, Target, link_of
from explain.counterfactual.thresholds.search import ThresholdSearch
from explain.deadline import Deadline
from explain.errors import TargetReached
from explain.features import Instance
from explain.models.base import Model
from explain.models.linear import LinearForm
from explain.outcome import OutcomeRule
from explain.reference import Reference

FloatArray = NDArray[np.float64]

METHOD_VERSION = "counterfactuals/2"
_SHOWING_ROWS = 256  # rows of the reference that show how a score comes from its margin


@dataclass(frozen=True, slots=True, eq=False)
class CounterfactualSearch:
    """Everything that looking for counterfactuals of one model version needs; immutable.

    Trees are searched over their split thresholds, a linear model from its closed form; a model with several
    outputs has no `tables`. `link` is None where the score is no known function of the margin.
    """

    model: Model
    rule: OutcomeRule
    constraints: Constraints
    tables: SplitTables | LinearTables | None
    link: Link | None
    scales: FloatArray
    medians: FloatArray
    steps: StepSearch
    exact: ExactSearch

    @classmethod
    def prepare(
        cls, model: Model, rule: OutcomeRule, constraints: Constraints, reference: Reference
    ) -> CounterfactualSearch:
        """Read the model and the reference's spreads; tens of milliseconds on hundreds of trees."""
        link = link_of(rule, model.predict(reference.rows[:_SHOWING_ROWS]))
        return cls(
            model=model,
            rule=rule,
            constraints=constraints,
            tables=_tables_of(model),
            link=link,
            scales=scales_of(reference),
            medians=medians_of(reference),
            steps=StepSearch.prepare(model),
            exact=ExactSearch.prepare(model),
        )

    def problem(
        self,
        instance: Instance,
        *,
        count: int,
        seed: int,
        narrowing: Narrowing | None = None,
        aim: Aim | None = None,
    ) -> Problem:
        """Say what is looked for: at most `count` ways to the favourable side of the configured threshold.

        `narrowing` only tightens the constraints, and `aim` is another goal. Raises InvalidNarrowing for
        either that does not fit the model version, InvalidFeatures for a decision that contradicts the
        constraints' groups or links, and TargetReached for an aim where it already is.
        """
        constraints = self.constraints if narrowing is None else self.constraints.narrowed(narrowing)
        rule = self.rule if aim is None else aimed(self.rule, aim)
        constraints.check_factual(instance.row)
        target = Target.of(rule, self.link, self.model.float_width)
        if aim is not None and target.favourable(self.model.predict(instance.row[None, :]))[0]:
            raise TargetReached
        return Problem(
            model=self.model,
            target=target,
            constraints=constraints,
            instance=instance,
            scales=self.scales,
            count=count,
            seed=seed,
            medians=self.medians,
            decides=self.rule,
        )

    def direct(self, problem: Problem) -> Method:
        """Return our own search that fits the problem.

        The tables know single features, one output, and a goal whose threshold is a known margin; the closed
        form knows no missing value that may be filled. For everything else there are steps.
        """
        constraints, row = problem.constraints, problem.instance.row
        if problem.target.threshold is None or self.tables is None or not constraints.simple(row):
            return self.steps
        if isinstance(self.tables, SplitTables):
            return ThresholdSearch(self.tables)
        filled = any(np.isnan(row[at]) for at in constraints.changeable(row))
        return self.steps if filled else LinearSearch(self.tables)

    def find(
        self,
        instance: Instance,
        *,
        count: int,
        deadline: Deadline,
        seed: int,
        max_evaluations: int | None = None,
    ) -> CounterfactualSet:
        """Find at most `count` sets of changes that reach the goal, by the direct search alone.

        The deadline is looked at between batches. `seed` is recorded: this search draws no random numbers,
        equal inputs give equal answers. `max_evaluations` repeats a stopped search without a clock (see
        CounterfactualSet). Services and workers ask `direct`, and `exact` where that settled nothing.
        """
        if count == 0:
            return CounterfactualSet("not_requested", True, (), 0, seed, ())
        problem = self.problem(instance, count=count, seed=seed)
        prediction = self.model.predict(instance.row[None, :])
        if problem.target.favourable(prediction)[0]:
            return CounterfactualSet("not_needed", True, (), 1, seed, ())
        budget = Budget(deadline, max_evaluations)
        return conclude(problem, [run(self.direct(problem), problem, budget)])


def _tables_of(model: Model) -> SplitTables | LinearTables | None:
    form = model.form()
    if form.outputs != 1:
        return None
    if isinstance(form, LinearForm):
        return LinearTables.prepare(form)
    return SplitTables.prepare(form, model.space)


def settles(found: Found) -> bool:
    """Tell whether a search found or proved something, or was stopped: then the exact one need not go on."""
    proposed = found.proposed
    return bool(proposed.proposals) or proposed.proof is not None or found.effort.state != "finished"


def run(method: Method, problem: Problem, budget: Budget) -> Found:
    """Let one method look for it within a budget of its own."""
    if not budget.goes_on():
        return Found(Effort(method.name, "stopped"))
    proposed = method.propose(problem, budget)
    return Found(Effort(method.name, "stopped" if budget.stopped else "finished", budget.spent), proposed)
