"""The search for counterfactuals: over the split thresholds of trees, or in a linear model's closed form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from explain.counterfactual.base import CounterfactualSet, Effort, Proof, Status
from explain.counterfactual.beam import BeamSearch
from explain.counterfactual.budget import Budget
from explain.counterfactual.choosing import Proposal, choose
from explain.counterfactual.constraints import Constraints
from explain.counterfactual.linear import LINEAR_SEARCH, LinearSearch, LinearTables
from explain.counterfactual.options import options_of, scales_of
from explain.counterfactual.reach import Reach
from explain.counterfactual.tables import SplitTables
from explain.counterfactual.target import Target
from explain.counterfactual.verify import verify
from explain.deadline import Deadline
from explain.features import Instance
from explain.models.base import Model
from explain.models.linear import LinearForm
from explain.outcome import OutcomeRule
from explain.reference import Reference

FloatArray = NDArray[np.float64]

THRESHOLD_SEARCH = "threshold_search"
METHOD_VERSION = "threshold_search/1"
_SHOWING_ROWS = 256  # rows of the reference that show how a score comes from its margin


class Proposed(NamedTuple):
    """What a search proposes, in whatever order.

    `proof` is set if no permitted change can suffice, or if none does unless one of these holds.
    """

    proposals: Sequence[Proposal]
    proof: Proof | None


@dataclass(frozen=True, slots=True, eq=False)
class ThresholdSearch:
    """A search prepared for one model version; immutable, shared by all threads.

    Trees are searched over their split thresholds, a linear model from its closed form. `target` is None
    where the score is no known function of the margin: then nothing is looked for, and nothing claimed.
    """

    model: Model
    rule: OutcomeRule
    constraints: Constraints
    tables: SplitTables | LinearTables
    target: Target | None
    scales: FloatArray

    @classmethod
    def prepare(
        cls, model: Model, rule: OutcomeRule, constraints: Constraints, reference: Reference
    ) -> ThresholdSearch:
        """Read the model and the reference's spreads; tens of milliseconds on hundreds of trees.

        Raises ModelUnsupported for a model with several outputs.
        """
        form = model.form()
        tables = (
            LinearTables.prepare(form)
            if isinstance(form, LinearForm)
            else SplitTables.prepare(form, model.space)
        )
        shown = model.predict(reference.rows[:_SHOWING_ROWS])
        target = Target.of(model, rule, shown)
        return cls(model, rule, constraints, tables, target, scales_of(reference))

    @property
    def method(self) -> str:
        """The name of the search, as answers carry it."""
        return LINEAR_SEARCH if isinstance(self.tables, LinearTables) else THRESHOLD_SEARCH

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
        if self.target is None or not budget.goes_on():
            stopped = (Effort(self.method, "stopped"),)
            return CounterfactualSet("unresolved", False, (), budget.spent, seed, stopped)
        return self._search(instance, self.target, budget, count=count, seed=seed)

    def _search(
        self, instance: Instance, target: Target, budget: Budget, *, count: int, seed: int
    ) -> CounterfactualSet:
        proposed = self._propose(instance.row, target, budget, count)
        chosen = choose(proposed.proposals, instance.row, count)
        items, dropped = verify(
            self.model,
            target,
            self.constraints,
            instance,
            [proposal.row for proposal in chosen],
            scales=self.scales,
            method=self.method,
        )
        status: Status = "unresolved"
        if items:
            status = "partial" if budget.stopped else "found"
        elif proposed.proof and not dropped:
            status = "no_recourse"
        return CounterfactualSet(
            status=status,
            complete=not budget.stopped,
            items=items,
            evaluations=budget.spent,
            seed=seed,
            effort=(Effort(self.method, "stopped" if budget.stopped else "finished"),),
            proof=proposed.proof if status == "no_recourse" else None,
            dropped=dropped,
        )

    def _propose(self, row: FloatArray, target: Target, budget: Budget, count: int) -> Proposed:
        if isinstance(self.tables, LinearTables):
            line = LinearSearch(self.model, self.tables, self.constraints, self.scales, target)
            return Proposed(*line.run(row, budget))
        options = options_of(self.tables, self.constraints, self.scales, row)
        if not len(options):
            return Proposed((), "exhaustive")
        changes = min(self.constraints.max_changes, len(np.unique(options.feature)))
        reach = Reach(self.tables, self.tables.cells(row), options, changes)
        best = reach.best_margin(self.rule.adverse_sign())
        if target.adversity(np.array([best]))[0] > target.possible:
            return Proposed((), "bounded")
        search = BeamSearch(self.model, target, reach, options, budget)
        swept = search.run(row, changes, count)
        settled = swept and not search.doubtful
        return Proposed(list(search.proposals.values()), "exhaustive" if settled else None)


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
