"""Branch and bound over the boxes of one problem, the cheapest box first."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from explain.counterfactual.base import Proof
from explain.counterfactual.budget import Budget
from explain.counterfactual.constraints.checker import differing
from explain.counterfactual.exact.bounds import Bounds, Boxes
from explain.counterfactual.exact.branching import Box, Branching, Node, Plan
from explain.counterfactual.exact.domains import Domains
from explain.counterfactual.exact.goals import Goal, estimate
from explain.counterfactual.exact.linked import Extent, Ties
from explain.counterfactual.options import cost_of
from explain.counterfactual.problem import Proposal, Proposed

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

EXACT_SEARCH = "exact_search"

_BATCH = 32  # boxes divided at once
_DIVES = 16  # batches from one dive to the next
_ALIKE = 1e-9  # costs closer than this are one

# How much longer others are looked for once the cheapest is proved: a share of the effort, and some boxes.
_LONGER = (0.5, 500)


class BranchAndBound:
    """One search. `propose` ends with the optimum, with a proof that there is none, or with what is known."""

    def __init__(self, domains: Domains, bounds: Bounds, goal: Goal, budget: Budget) -> None:
        self._domains, self._problem = domains, domains.problem
        self._bounds, self._goal, self._budget = bounds, goal, budget
        self._branching, self._ties = Branching.of(domains), Ties.of(domains)
        self._heap: list[tuple[float, float, int, Node]] = []
        self._pushed = 0
        self._best: dict[tuple[int, ...], Proposal] = {}
        self._least = np.inf  # of what was looked at: what a better row than the proposals costs at least
        self._unsettled = False  # whether some row might reach the goal that no proposal shows

    def propose(self) -> Proposed:
        """Search until the cheapest row is proved, and a little longer for others, or the budget is spent."""
        proof: Proof = "exhaustive" if len(self._branching.sizes) == 0 else "bounded"
        if len(self._branching.sizes):
            self._keep(self._bounded([self._branching.root()]))
        if self._heap:
            proof = "exhaustive"
            self._run()
        proposals = sorted(self._best.values(), key=lambda one: (one.cost, one.features))
        if not proposals and not self._heap and not self._unsettled:
            return Proposed(proof=proof)
        return Proposed(proposals, None, self._least_cost())

    def _run(self) -> None:
        batches = 0
        until = np.inf
        while self._heap and self._heap[0][0] < self._limit() - _ALIKE and self._budget.spent < until:
            if not self._budget.goes_on():
                return
            if until == np.inf and self._heap[0][0] >= self._cheapest() - _ALIKE:
                until = self._budget.spent * (1.0 + _LONGER[0]) + _LONGER[1]
            diving = batches % _DIVES == 0
            self._dive() if diving else self._divide(self._popped(_BATCH))
            batches += 1

    def _popped(self, most: int) -> list[Node]:
        limit = self._limit() - _ALIKE
        nodes: list[Node] = []
        while self._heap and len(nodes) < most and self._heap[0][0] < limit:
            nodes.append(heapq.heappop(self._heap)[3])
        return nodes

    def _dive(self) -> None:
        """Follow the cheapest box down, always to the part that is nearest to the goal."""
        nodes = self._popped(1)
        while nodes and self._budget.goes_on():
            children = self._divide(nodes, keep=False)
            children.sort(key=lambda node: (node.adversity, node.cost))
            nodes = children[:1]
            self._keep(children[1:])
        self._keep(nodes)

    def _divide(self, nodes: Sequence[Node], *, keep: bool = True) -> list[Node]:
        """Bound the parts of these boxes, look at the leaves among them, and return the others."""
        parts = [box for node in nodes for box in self._branching.divided(node)]
        children = self._settled(self._bounded(parts))
        if keep:
            self._keep(children)
        return children

    def _bounded(self, parts: list[Box]) -> list[Node]:
        """Return those of the boxes in which something may still reach the goal cheaply enough."""
        self._budget.spend(max(1, len(parts)))
        implied: list[list[Extent]] = [[] for _ in parts]
        if self._ties.needed:
            extents = [(box, self._ties.implied(box[0], box[1])) for box in parts]
            parts = [box for box, found in extents if found is not None]
            implied = [found for _, found in extents if found is not None]
        if not parts:
            return []
        low, high = (np.stack([box[side] for box in parts]) for side in (0, 1))
        boxes = Boxes(low, high, np.array([box[2] for box in parts], dtype=np.int64), implied)
        bounded = self._bounds.over(boxes)
        found = estimate(self._goal, bounded, boxes.more, self._prices(low, high))
        cost = self._floor_costs(low, high) + found.cost
        nodes = []
        for at in np.flatnonzero(np.isfinite(cost)).tolist():
            votes = bounded.weight[at], bounded.place[at]
            plan = self._branching.plan(parts[at], bool(found.short[at]), found.gain[at], votes)
            nodes.append(Node(*parts[at], float(cost[at]), float(found.adversity[at]), plan))
        return nodes

    def _floor_costs(self, low: IntArray, high: IntArray) -> FloatArray:
        """Return the least that those variables cost which must change."""
        nearest = np.where(low > self._branching.stay, low, high - 1)
        changing = self._branching.changing_in(low, high)
        columns = [
            np.where(changing[:, v], variable.floor[nearest[:, v]], 0.0)
            for v, variable in enumerate(self._domains.variables)
        ]
        return np.asarray(np.sum(columns, axis=0))

    def _prices(self, low: IntArray, high: IntArray) -> FloatArray:
        """Return the least that each open variable costs if it changes; infinite for any other."""
        opened = self._branching.open_in(low, high)
        prices = np.full(low.shape, np.inf)
        for v, variable in enumerate(self._domains.variables):
            stay = variable.stay
            at = np.flatnonzero(opened[:, v])
            for near, there in ((stay - 1, low[at, v] < stay), (stay + 1, high[at, v] > stay + 1)):
                if 0 <= near < len(variable):
                    prices[at[there], v] = np.minimum(prices[at[there], v], variable.floor[near])
        return prices

    def _settled(self, nodes: list[Node]) -> list[Node]:
        """Ask the native model about the leaves; return the other nodes and what the leaves leave open."""
        limit = self._limit()
        leaves = [node for node in nodes if node.plan.kind == "leaf" and node.cost < limit]
        left = [node for node in nodes if node.plan.kind != "leaf"]
        if not leaves:
            return left
        row = self._problem.instance.row
        positions = np.stack([self._branching.leaf(node.low, node.high) for node in leaves])
        rows = self._domains.rows(positions)
        changed = (positions != self._branching.stay).any(axis=1)
        asked = np.flatnonzero(changed & self._problem.constraints.permitted(row, rows))
        reached = np.zeros(len(leaves), dtype=np.bool_)
        if len(asked):
            prediction = self._problem.model.predict(rows[asked])
            self._budget.spend(len(asked))
            reached[asked] = self._problem.target.reached(prediction)
            doubtful = self._problem.target.favourable(prediction) & ~reached[asked]
            self._unsettled |= bool(doubtful.any())
            self._least = min([self._least, *(leaves[at].cost for at in asked[doubtful].tolist())])
        for at, node in enumerate(leaves):
            if reached[at]:
                self._propose(rows[at], node)
                continue
            if changed[at] and not self._stands_for_all(positions[at]):
                self._unsettled = True
                self._least = min(self._least, node.cost)
            if node.more:
                left.append(Node(node.low, node.high, node.more, node.cost, node.adversity, Plan("others")))
        return left

    def _stands_for_all(self, positions: IntArray) -> bool:
        """Tell whether a leaf's row means the same to the model as all others of its box."""
        ends = [
            variable.ends[positions[v]]
            for v, variable in enumerate(self._domains.variables)
            if positions[v] != variable.stay
        ]
        return all(low == high for low, high in ends)

    def _propose(self, row: FloatArray, node: Node) -> None:
        problem = self._problem
        before = problem.instance.row
        features = tuple(np.flatnonzero(differing(before, row[None, :])[0]).tolist())
        cost = cost_of(problem.constraints, problem.scales, before, row)
        if node.cost < cost - _ALIKE:
            self._least = min(self._least, node.cost)
        known = self._best.get(features)
        if known is None or cost < known.cost:
            self._best[features] = Proposal(features, row, cost, EXACT_SEARCH)

    def _keep(self, nodes: Sequence[Node]) -> None:
        limit = self._limit()
        for node in nodes:
            if node.cost < limit:
                self._pushed += 1
                heapq.heappush(self._heap, (node.cost, node.adversity, self._pushed, node))

    def _cheapest(self) -> float:
        return min((proposal.cost for proposal in self._best.values()), default=np.inf)

    def _limit(self) -> float:
        """Return what a new proposal must cost less than to be worth a look."""
        costs = sorted(proposal.cost for proposal in self._best.values())
        return costs[self._problem.count - 1] if len(costs) >= self._problem.count else np.inf

    def _least_cost(self) -> float | None:
        """Return the proved lower bound of the cost of anything that reaches the goal."""
        cheapest = self._cheapest()
        left = min(self._heap[0][0] if self._heap else np.inf, self._least)
        if left >= cheapest - _ALIKE:
            return cheapest
        return left if np.isfinite(left) else None
