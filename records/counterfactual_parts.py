"""The counterfactuals in the private part: what was asked, what was found, how hard it was looked for.

As in `records.private_parts`, the annotations are the format and stay real objects.
"""

from typing import Literal, NotRequired, TypedDict

Value = float | int | bool | str | None

ChangeRow = TypedDict("ChangeRow", {"feature": str, "from": Value, "to": Value, "derived": NotRequired[bool]})


class CounterfactualItem(TypedDict):
    """One verified counterfactual."""

    changes: list[ChangeRow]
    score: float
    margin: NotRequired[float]
    outcome: str
    verified: bool
    cost: float
    method: str


class EffortRow(TypedDict):
    """How far one search method went."""

    method: str
    state: Literal["finished", "stopped", "unavailable"]
    evaluations: NotRequired[int]


class PermittedRow(TypedDict):
    """How far a request lets one feature go: least and greatest, or the categories it may become."""

    feature: str
    least: float | None
    greatest: float | None
    categories: list[str] | None


class AimPart(TypedDict):
    """The goal that a request named: a score and the side of it, or a class."""

    score: float | None
    direction: str | None
    wanted_class: str | None


class AskedPart(TypedDict):
    """What a request asked of the counterfactuals; whoever repeats the search reads it from here."""

    count: int
    required: bool
    features_to_vary: list[str] | None
    permitted_range: list[PermittedRow]
    max_changes: int | None
    methods: list[str] | None
    target: AimPart | None


class CounterfactualPart(TypedDict):
    """The set of counterfactuals as it was answered; the seed is a digit string because it may pass 2^53."""

    status: str
    complete: bool
    items: list[CounterfactualItem]
    evaluation_id: str | None
    evaluations: NotRequired[int]
    seed: NotRequired[str]
    effort: NotRequired[list[EffortRow]]
    proof: NotRequired[str | None]
    dropped: NotRequired[int]
    least_cost: NotRequired[float | None]
    asked: NotRequired[AskedPart]
