"""From what the methods proposed to what is answered: verified, chosen, and the status that is true of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from explain.counterfactual.base import CounterfactualSet, Effort, Status
from explain.counterfactual.choosing import choose
from explain.counterfactual.problem import Problem, Proposed
from explain.counterfactual.verify import verify

NOTHING = Proposed()


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """How far one method went, and what it proposed."""

    effort: Effort
    proposed: Proposed = NOTHING


def conclude(problem: Problem, found: Sequence[Found]) -> CounterfactualSet:
    """Choose among all proposals, verify what was chosen, and say what that amounts to.

    No recourse is claimed only where a method proved it and nothing was found after all.
    """
    proposals = [proposal for one in found for proposal in one.proposed.proposals]
    chosen = choose(proposals, problem.instance.row, problem.count)
    items, dropped = verify(problem, chosen)
    proof = next((one.proposed.proof for one in found if one.proposed.proof), None)
    stopped = any(one.effort.state != "finished" for one in found)
    status: Status = "unresolved"
    if items:
        status = "partial" if stopped else "found"
    elif proof and not dropped:
        status = "no_recourse"
    bounds = [one.proposed.least_cost for one in found if one.proposed.least_cost is not None]
    return CounterfactualSet(
        status=status,
        complete=not stopped or status == "no_recourse",
        items=items,
        evaluations=sum(one.effort.evaluations for one in found),
        seed=problem.seed,
        effort=tuple(one.effort for one in found),
        proof=proof if status == "no_recourse" else None,
        dropped=dropped,
        least_cost=max(bounds, default=None),
    )
