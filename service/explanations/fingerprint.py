"""When two requests are the same decision: the idempotency key and the fingerprint of what was asked.

Numbers count by value, so 56 equals 56.0; types count, so 1, true and "1" differ. The budget and the
caller's remarks about the decision do not count, and neither does the version: a retry after a new approval
still finds its first answer. What a request leaves to the manifest leaves no trace, so that a member that is
added to the wire changes no fingerprint on record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeGuard

from audit.canonical import JsonValue, canonical, decimal
from audit.entry import Idempotency
from records.lookups import decision_key
from schemas.counterfactual import CounterfactualRequest
from schemas.explanation import ExplanationRequest

_FORM = "explanation/v1"


def idempotency_of(model: str, request: ExplanationRequest) -> Idempotency:
    """The key (this decision of this model) and the fingerprint (this question about it)."""
    asked: list[JsonValue] = [
        _FORM,
        typed(request.features),
        typed([component.model_dump() for component in request.components]),
        [request.counterfactuals.count, request.counterfactuals.required],
        *_narrower(request.counterfactuals),
    ]
    return Idempotency(key=decision_key(model, request.decision_id), fingerprint=canonical(asked))


def _narrower(asked: CounterfactualRequest) -> list[JsonValue]:
    """What the request says beyond how many, sets in one order; nothing where it says no more."""
    said: dict[str, object] = {}
    if asked.features_to_vary is not None:
        said["features_to_vary"] = sorted(asked.features_to_vary)
    if asked.permitted_range:
        said["permitted_range"] = {
            feature: sorted(given) if _labels(given) else given
            for feature, given in asked.permitted_range.items()
        }
    if asked.max_changes is not None:
        said["max_changes"] = asked.max_changes
    if asked.methods is not None:
        said["methods"] = list(asked.methods)
    if asked.target is not None:
        said["target"] = asked.target.model_dump(exclude_none=True)
    return [typed(said)] if said else []


def _labels(given: Sequence[object]) -> TypeGuard[Sequence[str]]:
    return any(isinstance(one, str) for one in given)


def typed(value: object) -> list[JsonValue]:
    """A value with its type in front, so that equal bytes mean equal values; object names become values."""
    if value is None:
        return ["null"]
    if isinstance(value, bool):
        return ["boolean", value]
    if isinstance(value, int | float):
        return ["number", decimal(float(value))]
    if isinstance(value, str):
        return ["text", value]
    if isinstance(value, Mapping):
        return ["object", *([name, typed(value[name])] for name in sorted(value))]
    if isinstance(value, Sequence):
        return ["array", *(typed(item) for item in value)]
    raise TypeError(f"a {type(value).__name__} cannot be part of a question")
