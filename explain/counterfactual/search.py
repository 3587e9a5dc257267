"""The search for counterfactuals over a tree ensemble's own split thresholds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explain.counterfactual.base import CounterfactualSet, Effort, Proof, Status
from explain.counterfactual.beam import BeamSearch
from explain.counterfactual.budget import Budget
from explain.counterfactual.choosing import choose
from explain.counterfactual.constraints import Constraints
from explain.counterfactual.options import options_of, scales_of
from explain.counterfactual.reach import Reach
from explain.counterfactual.tables import SplitTables
from explain.counterfactual.target import Target
from explain.counterfactual.verify import verify
from explain.deadline import Deadline
from explain.features import Instance
from explain.models.base import Model
from explain.outcome import OutcomeRule
from explain.reference import Reference

FloatArray = NDArray[np.float64]

METHOD = "threshold_search"
METHOD_VERSION = "threshold_search/1"


@dataclass(frozen=True, slots=True, eq=False)
class ThresholdSearch:
    """A search prepared for one model version; immutable, shared by all threads."""

    model: Model
    rule: OutcomeRule
    constraints: Constraints
    splits: SplitTables
    scales: FloatArray

    @classmethod
    def prepare(
        cls, model: Model, rule: OutcomeRule, constraints: Constraints, reference: Reference
    ) -> ThresholdSearch:
        """Read the trees and the reference's spreads; tens of milliseconds on hundreds of trees."""
        return cls(model, rule, constraints, SplitTables.prepare(model), scales_of(reference))

    def find(
        self,
        instance: Instance,
        *,
        count: int,
        deadline: Deadline,
        seed: int,
        max_evaluations: int | None = None,
    ) -> CounterfactualSet:
        """Find at most `count` sets of changes that turn this decision favourable, each verified.

        The deadline is looked at between batches. `seed` is recorded: the search draws no random numbers,
        equal inputs give equal answers. `max_evaluations` repeats a stopped search without a clock (see
        CounterfactualSet).
        """
        if count == 0:
            return CounterfactualSet("not_requested", True, (), 0, seed, ())
        prediction = self.model.predict(instance.row[None, :])
        budget = Budget(deadline, max_evaluations)
        budget.spend(1)
        if self.rule.favourable_mask(self.rule.scores_of(prediction.margins, prediction.scores))[0]:
            return CounterfactualSet("not_needed", True, (), budget.spent, seed, ())
        target = Target.of(self.model, self.rule, prediction)
        if target is None or not budget.goes_on():
            stopped = (Effort(METHOD, "stopped"),)
            return CounterfactualSet("unresolved", False, (), budget.spent, seed, stopped)
        return self._search(instance, target, budget, count=count, seed=seed)

    def _search(
        self, instance: Instance, target: Target, budget: Budget, *, count: int, seed: int
    ) -> CounterfactualSet:
        row = instance.row
        options = options_of(self.splits, self.constraints, self.scales, row)
        if not len(options):
            return _no_recourse(budget, seed, "exhaustive")
        changes = min(self.constraints.max_changes, len(np.unique(options.feature)))
        reach = Reach(self.splits, self.splits.cells(row), options, changes)
        best = reach.best_margin(self.rule.adverse_sign())
        if target.adversity(np.array([best]))[0] > target.possible:
            return _no_recourse(budget, seed, "bounded")
        search = BeamSearch(self.model, target, reach, options, budget)
        swept = search.run(row, changes, count)
        chosen = choose(list(search.proposals.values()), row, count)
        items, dropped = verify(
            self.model,
            target,
            self.constraints,
            instance,
            [proposal.row for proposal in chosen],
            scales=self.scales,
            method=METHOD,
        )
        if not items and swept and not search.doubtful and not dropped:
            return _no_recourse(budget, seed, "exhaustive")
        status: Status = "unresolved"
        if items:
            status = "partial" if budget.stopped else "found"
        return CounterfactualSet(
            status=status,
            complete=not budget.stopped,
            items=items,
            evaluations=budget.spent,
            seed=seed,
            effort=_effort(budget),
            dropped=dropped,
        )


def find_counterfactuals(
    model: Model,
    rule: OutcomeRule,
    constraints: Constraints,
    instance: Instance,
    reference: Reference,
    *,
    count: int,
    deadline: Deadline,
    seed: int,
) -> CounterfactualSet:
    """Prepare a ThresholdSearch and use it once; whoever explains many decisions keeps the prepared one."""
    search = ThresholdSearch.prepare(model, rule, constraints, reference)
    return search.find(instance, count=count, deadline=deadline, seed=seed)


def _effort(budget: Budget) -> tuple[Effort, ...]:
    return (Effort(METHOD, "stopped" if budget.stopped else "finished"),)


def _no_recourse(budget: Budget, seed: int, proof: Proof) -> CounterfactualSet:
    return CounterfactualSet("no_recourse", True, (), budget.spent, seed, _effort(budget), proof)
