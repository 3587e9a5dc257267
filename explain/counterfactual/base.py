"""Counterfactuals as plain values: what changes, what the model then says, and how hard it was looked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from explain.features import Value

Status = Literal["found", "partial", "no_recourse", "unresolved", "not_needed", "not_requested", "deferred"]
Proof = Literal["exhaustive", "bounded"]


@dataclass(frozen=True, slots=True)
class Change:
    """One feature that changes, with its value before and after as a caller would send them.

    `derived` says that nobody chose it: it follows from other changes by a link.
    """

    feature: str
    before: Value
    after: Value
    derived: bool = False


@dataclass(frozen=True, slots=True)
class Counterfactual:
    """One set of changes that turns the decision favourable.

    `score`, `margin` and `outcome` are the native model's answer to the changed row as it is displayed.
    `cost` is the sum of the changes, numbers in units of the reference's median absolute deviation and
    categories as 1, plus 1 for each changed feature. `verified` says that the model, the rule and every
    constraint were asked again after rounding.
    """

    changes: tuple[Change, ...]
    score: float
    margin: float
    outcome: str
    cost: float
    method: str
    verified: bool


class Effort(NamedTuple):
    """How far one method went: to its own end, or until the deadline or the allowed effort stopped it.

    `unavailable`: it could not be asked. `evaluations` counts the candidates whose margin it computed.
    """

    method: str
    state: Literal["finished", "stopped", "unavailable"]
    evaluations: int = 0


@dataclass(frozen=True, slots=True)
class CounterfactualSet:
    """The answer of a search.

    `found`: the search ended by itself and `items` is not empty. `partial`: it was stopped, `items` are
    verified all the same. `no_recourse`: proved, by `proof`, that no permitted change suffices.
    `unresolved`: nothing found and nothing proved. `complete` says that no method that was needed was stopped
    or missing.

    `evaluations` counts the candidates whose margin was computed, natively or from the model's tables, by all
    methods together; a stopped method is repeated without a clock by allowing exactly as many as its own
    `effort` says. `dropped` counts the proposals that failed their verification. `least_cost` is proved: no
    permitted change that reaches the goal costs less.
    """

    status: Status
    complete: bool
    items: tuple[Counterfactual, ...]
    evaluations: int
    seed: int
    effort: tuple[Effort, ...]
    proof: Proof | None = None
    dropped: int = 0
    least_cost: float | None = None
