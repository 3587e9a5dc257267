"""A set of counterfactuals as it goes on record, and what a reader needs to repeat or measure it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast
from uuid import UUID

from explain.counterfactual.base import Counterfactual, CounterfactualSet, Effort
from explain.features import Value
from records.counterfactual_parts import AskedPart, ChangeRow, CounterfactualItem, CounterfactualPart
from records.private_parts import FeatureRow, PrivatePart


def searched_part(
    found: CounterfactualSet, *, evaluation_id: UUID | None = None, asked: AskedPart | None = None
) -> CounterfactualPart:
    """The set, with what it took to find it and what was asked."""
    part: CounterfactualPart = {
        "status": found.status,
        "complete": found.complete,
        "items": [_item(item) for item in found.items],
        "evaluation_id": None if evaluation_id is None else str(evaluation_id),
        "evaluations": found.evaluations,
        "seed": str(found.seed),
        "effort": [
            {"method": one.method, "state": one.state, "evaluations": one.evaluations} for one in found.effort
        ],
        "proof": found.proof,
        "dropped": found.dropped,
        "least_cost": None if found.least_cost is None else _real(found.least_cost),
    }
    if asked is not None:
        part["asked"] = asked
    return part


def efforts_of(part: CounterfactualPart) -> tuple[Effort, ...]:
    """How far each method went, in the order in which they were asked."""
    return tuple(
        Effort(row["method"], row["state"], row.get("evaluations", 0)) for row in part.get("effort", ())
    )


def changed_values(part: PrivatePart, item: CounterfactualItem) -> dict[str, Value]:
    """Every feature's value once the changes of one item are made, as a caller would send them."""
    values = {row["name"]: row["value"] for row in part["features"]}
    return values | {change["feature"]: change["to"] for change in item["changes"]}


def features_changed(part: PrivatePart, items: Iterable[CounterfactualItem]) -> list[FeatureRow]:
    """The features that these items change, typed, with the decision's own values."""
    names = {change["feature"] for item in items for change in item["changes"]}
    return [row for row in part["features"] if row["name"] in names]


def _item(item: Counterfactual) -> CounterfactualItem:
    return {
        "changes": [
            cast(
                "ChangeRow",
                {
                    "feature": one.feature,
                    "from": _value(one.before),
                    "to": _value(one.after),
                    "derived": one.derived,
                },
            )
            for one in item.changes
        ],
        "score": _real(item.score),
        "margin": _real(item.margin),
        "outcome": item.outcome,
        "verified": item.verified,
        "cost": _real(item.cost),
        "method": item.method,
    }


def _value(value: Value) -> Value:
    return _real(value) if isinstance(value, float) else value


def _real(number: float) -> float:
    """A plain double without a negative zero, which decimal strings do not keep apart."""
    return float(number) + 0.0
