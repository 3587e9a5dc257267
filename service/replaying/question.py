"""The question behind a recorded explanation, put together from the record.

It was checked when it was asked and is not checked again: a later release may ask for more than the one that
answered it did.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from records.counterfactual_parts import AskedPart, CounterfactualPart, PermittedRow
from records.private_parts import ApplicationPart, ComponentPart, DecidedPart, PrivatePart
from schemas.application import Application, ComponentReason, Decided, DecisionComponent
from schemas.counterfactual import CounterfactualRequest, CounterfactualTarget
from schemas.explanation import ExplanationRequest
from service.explanations.finding import Question

_NOT_STORED = "protected_not_stored"


def question_of_record(model: str, part: PrivatePart) -> Question:
    """What was asked. Of the protected attributes it is known only whether there were any."""
    combined = part.get("combined")
    request = ExplanationRequest.model_construct(
        decision_id=part["decision_id"],
        subject_ref=part["subject_ref"],
        purpose=part["purpose"],
        features={row["name"]: row["value"] for row in part["features"]},
        counterfactuals=asked_of(part["counterfactuals"]),
        decided=_decided(part.get("decided")),
        application=_application(part.get("application")),
        components=tuple(_component(one) for one in combined["components"]) if combined else (),
    )
    protected = any(warning["code"] == _NOT_STORED for warning in part["warnings"])
    return Question(model, request, ("recorded",) if protected else ())


def asked_of(part: CounterfactualPart) -> CounterfactualRequest:
    """What was asked of the counterfactuals; none where the record does not say."""
    asked = part.get("asked")
    if asked is None:
        return CounterfactualRequest.model_construct(count=0)
    features, methods = asked["features_to_vary"], asked["methods"]
    return CounterfactualRequest.model_construct(
        count=asked["count"],
        required=asked["required"],
        features_to_vary=None if features is None else tuple(features),
        permitted_range={row["feature"]: _range(row) for row in asked["permitted_range"]},
        max_changes=asked["max_changes"],
        methods=None if methods is None else cast("Any", tuple(methods)),
        target=_target(asked),
    )


def _range(row: PermittedRow) -> tuple[float, float] | tuple[str, ...]:
    if row["categories"] is not None:
        return tuple(row["categories"])
    return cast("tuple[float, float]", (row["least"], row["greatest"]))


def _target(asked: AskedPart) -> CounterfactualTarget | None:
    target = asked["target"]
    if target is None:
        return None
    return CounterfactualTarget.model_construct(
        score=target["score"], direction=cast("Any", target["direction"]), class_=target["wanted_class"]
    )


def _decided(part: DecidedPart | None) -> Decided | None:
    if part is None:
        return None
    return Decided.model_construct(
        outcome=part.get("outcome"), score=part.get("score"), at=_moment(part, "at")
    )


def _application(part: ApplicationPart | None) -> Application | None:
    """What counts of it for the decision and its clock; the rest goes from the record to the letter."""
    if part is None:
        return None
    return Application.model_construct(
        completed_at=_moment(part, "completed_at"),
        action=cast("Any", part.get("action")),
        consumer_reports=(),
    )


def _moment(part: Mapping[str, object], name: str) -> datetime | None:
    written = part.get(name)
    return None if written is None else datetime.fromisoformat(str(written))


def _component(part: ComponentPart) -> DecisionComponent:
    reasons = tuple(
        ComponentReason.model_construct(
            code=given["code"], observed={row["name"]: row["text"] for row in given["observed"]}
        )
        for given in part.get("reasons", ())
    )
    return DecisionComponent.model_construct(
        name=part["name"], kind=cast("Any", part["kind"]), result=cast("Any", part["result"]), reasons=reasons
    )
