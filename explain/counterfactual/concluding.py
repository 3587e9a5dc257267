"""From what the methods proposed to what is answered: verified, chosen, and the status that is true of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from explain.counterfactual.base import Change, Counterfactual, CounterfactualSet, Effort, Status
from explain.counterfactual.choosing import choose
from explain.counterfactual.problem import Problem, Proposed
from explain.counterfactual.verify import verified

NOTHING = Proposed()

_ALIKE = 1e-9  # costs closer than this, relatively, are one
_FURTHER = 4  # times as many of the next best are verified with the replacement of one that failed


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """How far one method went, and what it proposed."""

    effort: Effort
    proposed: Proposed = NOTHING


def conclude(problem: Problem, found: Sequence[Found]) -> CounterfactualSet:
    """Choose among all proposals that hold when they are verified, and say what that amounts to.

    No recourse is claimed only where a method proved it and nothing was found after all.
    """
    items, dropped = chosen(problem, [one.proposed for one in found])
    proof = next((one.proposed.proof for one in found if one.proposed.proof), None)
    states = {one.effort.state for one in found}
    status: Status = "unresolved"
    if items:
        status = "partial" if "stopped" in states else "found"
    elif proof and not dropped:
        status = "no_recourse"
    return CounterfactualSet(
        status=status,
        complete=states <= {"finished"} or status == "no_recourse",
        items=items,
        evaluations=sum(one.effort.evaluations for one in found),
        seed=problem.seed,
        effort=tuple(one.effort for one in found),
        proof=proof if status == "no_recourse" else None,
        dropped=dropped,
        least_cost=_least_cost(items, found),
    )


def _least_cost(items: Sequence[Counterfactual], found: Sequence[Found]) -> float | None:
    """Return the best proved lower bound of the cost; None if there is none.

    What a verified item contradicts was no proof.
    """
    cheapest = min((item.cost for item in items), default=np.inf)
    bounds = [one.proposed.least_cost for one in found if one.proposed.least_cost is not None]
    held = [min(bound, cheapest) for bound in bounds if bound <= cheapest + _ALIKE * max(1.0, cheapest)]
    return max(held) if len(held) == len(bounds) and held else None


def chosen(problem: Problem, proposed: Sequence[Proposed]) -> tuple[tuple[Counterfactual, ...], int]:
    """Return the choice among what holds, by cost, and how many proposals were dropped because they did not.

    Proposals are verified as far as the choice asks for: those chosen, in one native batch; where some fail,
    those that take their places, and more of the next best at a time, until all that are chosen hold. A row
    that several methods propose counts once, as the first one's.
    """
    every = [proposal for one in reversed(proposed) for proposal in one.proposals]
    left = list({proposal.row.tobytes(): proposal for proposal in every}.values())
    held: dict[int, Counterfactual] = {}
    known: set[tuple[Change, ...]] = set()
    dropped, ahead = 0, problem.count
    while True:
        best = choose(problem, left, ahead)
        wanted = [proposal for proposal in best if id(proposal) not in held]
        refused: set[int] = set()
        for proposal, item in zip(wanted, verified(problem, wanted), strict=True):
            if item is None or item.changes in known:  # two rows may be one once they are rounded
                refused.add(id(proposal))
                dropped += item is None
            else:
                held[id(proposal)] = item
                known.add(item.changes)
        if not refused:
            break
        left = [proposal for proposal in left if id(proposal) not in refused]
        ahead *= _FURTHER
    items = [held[id(proposal)] for proposal in best[: problem.count]]  # what is chosen first stays so
    return tuple(sorted(items, key=lambda item: item.cost)), dropped
