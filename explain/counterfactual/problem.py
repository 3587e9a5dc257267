"""What is looked for, and what every method of looking for it has in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from explain.counterfactual.base import Proof
from explain.counterfactual.budget import Budget
from explain.counterfactual.constraints.checker import Constraints
from explain.counterfactual.target import Target
from explain.features import Instance
from explain.models.base import Model
from explain.outcome import OutcomeRule

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Proposal:
    """A row that should reach the goal, the features in which it differs, sorted, its cost and its method."""

    features: tuple[int, ...]
    row: FloatArray
    cost: float
    method: str


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """One decision, the goal, and what may change on the way; everything a method needs.

    `scales` (features,) are the reference's spreads, the units of costs, and `medians` (features,) its middle
    values, near which a missing value is filled (nothing known: 0). `decides` is the configured rule, by
    which an answer's outcome is named; None: the goal's own. Whoever draws random numbers draws them from
    `seed`.
    """

    model: Model
    target: Target
    constraints: Constraints
    instance: Instance
    scales: FloatArray
    count: int
    seed: int
    medians: FloatArray | None = None
    decides: OutcomeRule | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Proposed:
    """What a method proposes, in whatever order.

    `proof` is set if no permitted change can suffice, or if none does unless one of these holds.
    `least_cost` is proved: no permitted change that reaches the goal costs less.
    """

    proposals: Sequence[Proposal] = ()
    proof: Proof | None = None
    least_cost: float | None = None


class Method(Protocol):
    """One way to look for counterfactuals. What it proposes is verified by somebody else."""

    @property
    def name(self) -> str:
        """The name that its counterfactuals carry."""

    def propose(self, problem: Problem, budget: Budget) -> Proposed:
        """Propose rows until the end or until `budget` does not go on; every candidate is counted there."""
