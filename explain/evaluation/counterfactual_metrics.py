"""How good a set of counterfactuals is: numbers over the whole set, and for each item.

- validity: the share of items that the native model finds on the goal's side and that break no constraint;
- proximity: the distance of an item from the decision's own row (`yardstick`), numbers and the rest apart;
- sparsity: how many features somebody would have to change; the fewer, the sparser;
- diversity: det K with K_ij = 1 / (1 + d(i, j)) over the items (Mothilal et al. 2020, Explaining Machine
  Learning Classifiers through Diverse Counterfactual Explanations, section 3.1): 0 for two equal items, 1 in
  the limit of items infinitely far apart; and the mean distance of two items;
- plausibility: the distance of an item from the nearest row of the reference that reaches the goal, beside
  that of the decision's own row: what is far from everybody who was approved is strange advice;
- robustness: the share of small disturbances of the numbers left alone under which an item stays on the
  goal's side, how far its margin lies beyond the threshold, and whether the items keep their order by cost,
  and how near they are to who was approved, in the units of another reference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from explain.counterfactual.options import cost_of, scales_of
from explain.counterfactual.problem import Problem
from explain.evaluation.yardstick import Yardstick
from explain.reference import Reference

FloatArray = NDArray[np.float64]

NOISE = 0.01
"""The largest disturbance of a number, as a share of its spread in the reference."""

DRAWS = 200
_TOGETHER = 4_096  # rows of a reference scored at once


@dataclass(frozen=True, slots=True, eq=False)
class Population:
    """Those of a reference who reach the goal, rows (n, features), and the units of the whole reference."""

    reached: FloatArray
    units: Yardstick

    @classmethod
    def of(cls, problem: Problem, reference: Reference) -> Population:
        """Ask the model and the goal's rule about every row of a reference."""
        rows, constraints = reference.rows, problem.constraints
        stretches = (rows[at : at + _TOGETHER] for at in range(0, len(rows), _TOGETHER))
        reached = [problem.target.favourable(problem.model.predict(part)) for part in stretches]
        units = Yardstick.of(constraints, scales_of(reference))
        return cls(rows[np.concatenate(reached)], units)

    def nearest(self, row: FloatArray) -> float | None:
        """Return the distance of a row from the nearest that reaches the goal; None where none does."""
        return self.units.nearest(row, self.reached)


@dataclass(frozen=True, slots=True)
class ItemMetrics:
    """One item, its whole distance the sum of `numeric` and `named`.

    `beyond` is how far it lies beyond the threshold (margin units; score units where the threshold is no
    known margin). `cost_elsewhere` and `nearest_elsewhere` are its cost and its distance from who reaches the
    goal by the other reference.
    """

    valid: bool
    cost: float
    numeric: float
    named: float
    changed: int
    nearest: float | None
    stays: float
    beyond: float
    cost_elsewhere: float | None = None
    nearest_elsewhere: float | None = None


@dataclass(frozen=True, slots=True)
class SetMetrics:
    """All items, in their order, and what is true of the set; None where it takes more items, or another row.

    `own_nearest` and `own_nearest_elsewhere` are the distances of the decision's own row from who reaches
    the goal. `same_order`: the other reference's costs put the items in the same order; `same_first`: the
    cheapest item is the cheapest by both.
    """

    items: tuple[ItemMetrics, ...]
    diversity: float | None
    pairwise: float | None
    own_nearest: float | None
    own_nearest_elsewhere: float | None = None
    same_order: bool | None = None
    same_first: bool | None = None

    def mean(self, name: str) -> float | None:
        """Return the mean of one number over the items; None without items, or where one has none."""
        values = [getattr(item, name) for item in self.items]
        return None if not values or None in values else float(np.mean(values))


def measure(
    problem: Problem, rows: FloatArray, own: Population, other: Population | None = None, *, seed: int = 0
) -> SetMetrics:
    """Measure the counterfactual rows (items, features) of a decision, in model order and as displayed.

    `own` is of the version's reference, `other` of another choice of it. Disturbances are drawn from `seed`,
    so that equal calls give equal numbers.
    """
    generator = np.random.default_rng(seed)
    items = [_of_item(problem, row, own, generator) for row in rows]
    found = SetMetrics(tuple(items), diversity(rows, own.units), pairwise(rows, own.units), None)
    before = problem.instance.row
    found = replace(found, own_nearest=own.nearest(before))
    if other is None:
        return found
    costs = [cost_of(problem.constraints, other.units.scales, before, row) for row in rows]
    items = [
        replace(item, cost_elsewhere=cost, nearest_elsewhere=other.nearest(row))
        for item, cost, row in zip(items, costs, rows, strict=True)
    ]
    here, there = _order([item.cost for item in items]), _order(costs)
    return replace(
        found,
        items=tuple(items),
        own_nearest_elsewhere=other.nearest(before),
        same_order=here == there if items else None,
        same_first=here[:1] == there[:1] if items else None,
    )


def diversity(rows: FloatArray, units: Yardstick) -> float | None:
    """Return det K, K_ij = 1 / (1 + d(i, j)), of rows (items, features); None for fewer than two."""
    if len(rows) < 2:
        return None
    kernel = 1.0 / (1.0 + np.stack([units.distances(row, rows) for row in rows]))
    return max(float(np.linalg.det(kernel)), 0.0)  # equal rows: a zero that rounding may put below it


def pairwise(rows: FloatArray, units: Yardstick) -> float | None:
    """Return the mean distance of two different rows; None for fewer than two."""
    if len(rows) < 2:
        return None
    found = [float(d) for at, row in enumerate(rows) for d in units.distances(row, rows[at + 1 :])]
    return float(np.mean(found))


def stability(
    problem: Problem,
    row: FloatArray,
    generator: np.random.Generator,
    *,
    noise: float = NOISE,
    draws: int = DRAWS,
) -> float:
    """Return the share of disturbances under which a counterfactual row stays on the goal's side.

    Every number of the row that is not missing and that the counterfactual leaves alone moves by an even draw
    from [-noise, noise] times its spread; changed values, whole numbers, truth values, categories and members
    of one-hot groups stay, and derived features follow.
    """
    constraints, before = problem.constraints, problem.instance.row
    free = [
        at
        for at, feature in enumerate(constraints.space.features)
        if feature.type == "number"
        and row[at] == before[at]
        and not (constraints.derived(at) or constraints.grouped(at))
    ]  # a missing value equals nothing
    disturbed = np.tile(row, (draws, 1))
    disturbed[:, free] += generator.uniform(-noise, noise, (draws, len(free))) * problem.scales[free]
    disturbed = constraints.complete(row, disturbed)
    return float(problem.target.favourable(problem.model.predict(disturbed)).mean())


def _of_item(
    problem: Problem, row: FloatArray, own: Population, generator: np.random.Generator
) -> ItemMetrics:
    before, constraints = problem.instance.row, problem.constraints
    prediction = problem.model.predict(row[None, :])
    permitted = not constraints.check(before, row)
    numeric, named = own.units.parts(before, row[None, :])
    return ItemMetrics(
        valid=permitted and bool(problem.target.favourable(prediction)[0]),
        cost=cost_of(constraints, problem.scales, before, row),
        numeric=float(numeric[0]),
        named=float(named[0]),
        changed=constraints.changes(before, row),
        nearest=own.nearest(row),
        stays=stability(problem, row, generator),
        beyond=-float(problem.target.distance(prediction)[0]),
    )


def _order(costs: Sequence[float]) -> list[int]:
    """Return the items by cost; of equal ones the earlier first."""
    return sorted(range(len(costs)), key=lambda at: costs[at])
