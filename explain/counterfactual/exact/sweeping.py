"""Every permitted row of a small space, natively scored: for scores that are no known function of margins."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, islice, product

import numpy as np
from numpy.typing import NDArray

from explain.counterfactual.budget import Budget
from explain.counterfactual.constraints.checker import differing
from explain.counterfactual.exact.domains import Domains
from explain.counterfactual.exact.search import EXACT_SEARCH
from explain.counterfactual.options import cost_of
from explain.counterfactual.problem import Proposal, Proposed

IntArray = NDArray[np.int64]

MOST_ROWS = 50_000
_BATCH = 1_000


def swept(domains: Domains, budget: Budget) -> Proposed:
    """Ask the native model about every permitted row; nothing, and no proof, if they are too many."""
    problem = domains.problem
    if _rows_within(domains) > MOST_ROWS:
        return Proposed()
    before, best = problem.instance.row, dict[tuple[int, ...], Proposal]()
    least = np.inf
    every = _positions(domains)
    while chunk := list(islice(every, _BATCH)):
        if not budget.goes_on():
            return Proposed(list(best.values()))
        positions = np.array(chunk, dtype=np.int64)
        rows = domains.rows(positions)
        permitted = problem.constraints.permitted(before, rows)
        budget.spend(len(rows))
        if not permitted.any():
            continue
        positions, rows = positions[permitted], rows[permitted]
        for at in np.flatnonzero(problem.target.reached(problem.model.predict(rows))).tolist():
            features = tuple(np.flatnonzero(differing(before, rows[at : at + 1])[0]).tolist())
            cost = cost_of(problem.constraints, problem.scales, before, rows[at])
            least = min(least, _floor(domains, positions[at]))
            if features not in best or cost < best[features].cost:
                best[features] = Proposal(features, rows[at], cost, EXACT_SEARCH)
    if not domains.whole:
        return Proposed(list(best.values()))
    if not best:
        return Proposed(proof="exhaustive")
    cheapest = min(proposal.cost for proposal in best.values())
    return Proposed(list(best.values()), None, cheapest if least > cheapest - 1e-9 else least)


def _floor(domains: Domains, positions: IntArray) -> float:
    return sum(
        float(variable.floor[at]) for variable, at in zip(domains.variables, positions.tolist(), strict=True)
    )


def _rows_within(domains: Domains) -> int:
    """Count the rows with at most as many changes as are permitted."""
    sets = [1] + [0] * domains.changes
    for variable in domains.variables:
        for size in range(domains.changes, 0, -1):
            sets[size] += sets[size - 1] * (len(variable) - 1)
    return sum(sets)


def _positions(domains: Domains) -> Iterator[IntArray]:
    """Yield the positions of every row in which something changes, fewest changes first."""
    stay = domains.stay
    for size in range(1, domains.changes + 1):
        for chosen in combinations(range(len(domains.variables)), size):
            others = [
                [at for at in range(len(domains.variables[v])) if at != domains.variables[v].stay]
                for v in chosen
            ]
            for values in product(*others):
                positions = stay.copy()
                positions[list(chosen)] = values
                yield positions
