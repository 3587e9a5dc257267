"""When two requests are the same decision: the idempotency key and the fingerprint of what was asked.

Numbers count by value, so 56 equals 56.0; types count, so 1, true and "1" differ. The budget and the
caller's remarks about the decision do not count, and neither does the version: a retry after a new approval
still finds its first answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from audit.canonical import JsonValue, canonical, decimal
from audit.entry import Idempotency
from records.lookups import decision_key
from schemas.explanation import ExplanationRequest

_FORM = "explanation/v1"


def idempotency_of(model: str, request: ExplanationRequest) -> Idempotency:
    """The key (this decision of this model) and the fingerprint (this question about it)."""
    asked: list[JsonValue] = [
        _FORM,
        typed(request.features),
        typed([component.model_dump() for component in request.components]),
        [request.counterfactuals.count, request.counterfactuals.required],
    ]
    return Idempotency(key=decision_key(model, request.decision_id), fingerprint=canonical(asked))


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
