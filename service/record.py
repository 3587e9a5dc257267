"""The form in which an explanation goes on record, and the one answer that is made from it.

The first answer, a retry's answer and a read years later are all built by `answer` from the same two things:
the entry's clear body and its private part. That is why they cannot differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version as installed_version
from typing import cast

from audit.canonical import JsonValue
from explain.counterfactual.base import CounterfactualSet
from explain.features import Value
from records.private_parts import (
    ApplicationPart,
    AttributionPart,
    ChangeRow,
    CounterfactualItem,
    CounterfactualPart,
    DecidedPart,
    DecisionPart,
    PrivatePart,
    ReasonPart,
    Reconciliation,
    ReferencePart,
    WarningRow,
)
from schemas.base import format_moment
from schemas.explanation import Application, Decided
from service.finding import Finding

CODE_VERSION = "ofrecord " + installed_version("ofrecord")

JsonObject = dict[str, object]


def clear_body(finding: Finding) -> dict[str, JsonValue]:
    """What an entry says in clear: digests, outcome and codes, nothing about the person."""
    loaded = finding.loaded
    catalogue = loaded.catalogue
    return {
        "model": loaded.model_name,
        "version": loaded.version,
        "model_digest": loaded.artifact_digest,
        "manifest_digest": loaded.manifest_digest,
        "reference_digest": loaded.reference_digest,
        "method": finding.attribution.method,
        "catalogue": {"name": catalogue.name, "version": catalogue.version, "digest": catalogue.digest},
        "outcome": finding.decision.outcome,
        "favourable": finding.decision.favourable,
        "reason_codes": [reason.code for reason in finding.reasons],
        "counterfactual_status": finding.counterfactuals.status,
        "code_version": CODE_VERSION,
    }


def private_part(finding: Finding) -> PrivatePart:
    """What an entry keeps encrypted: everything the first answer said that the clear body does not."""
    request, space = finding.question.request, finding.loaded.space
    return {
        "decision_id": request.decision_id,
        "subject_ref": request.subject_ref,
        "purpose": request.purpose,
        "features": [
            {"name": feature.name, "type": feature.type, "value": value}
            for feature, value in zip(space.features, finding.instance.values, strict=True)
        ],
        "decision": _decision(finding),
        "attribution": _attribution(finding),
        "reasons": [_reason(finding, at) for at in range(len(finding.reasons))],
        "counterfactuals": _counterfactuals(finding.counterfactuals),
        "warnings": list(finding.warnings),
        "decided": _decided(request.decided),
        "application": _application(request.application),
    }


def answer(part: PrivatePart, body: Mapping[str, object], explanation_id: str) -> JsonObject:
    """The answer as far as it is on record; the receipt and the timings belong to the call.

    Members stand in one order, whether the part was just made or comes back sorted from its canonical bytes.
    """
    attribution, found = part["attribution"], part["counterfactuals"]
    return {
        "explanation_id": explanation_id,
        "decision_id": part["decision_id"],
        "model": body["model"],
        "version": body["version"],
        "decision": _in_order(part["decision"], DecisionPart),
        "attribution": {
            "method": attribution["method"],
            "reference": _in_order(attribution["reference"], ReferencePart),
            "base_value": attribution["base_value"],
            "values": _contributions(part),
            "reconciliation": _in_order(attribution["reconciliation"], Reconciliation),
        },
        "reasons": [
            _in_order(reason, ReasonPart)
            | {"observed": {row["feature"]: row["value"] for row in reason["observed"]}}
            for reason in part["reasons"]
        ],
        "counterfactuals": {
            "status": found["status"],
            "complete": found["complete"],
            "items": [
                _in_order(item, CounterfactualItem)
                | {"changes": [_in_order(change, ChangeRow) for change in item["changes"]]}
                for item in found["items"]
            ],
            "evaluation_id": found["evaluation_id"],
        },
        "warnings": [_in_order(warning, WarningRow) for warning in part["warnings"]],
    }


def _contributions(part: PrivatePart) -> list[JsonObject]:
    given = {row["name"]: row["value"] for row in part["features"]}
    return [
        {"feature": row["feature"], "value": given[row["feature"]], "phi": row["phi"]}
        for row in part["attribution"]["values"]
    ]


def _in_order(record: Mapping[str, object], declared: type) -> JsonObject:
    """The record's members in the order of its declaration."""
    return {name: record[name] for name in declared.__annotations__ if name in record}


def _real(number: float) -> float:
    """A plain double without a negative zero, which decimal strings do not keep apart."""
    return float(number) + 0.0


def _value(value: Value) -> Value:
    return _real(value) if isinstance(value, float) else value


def _decision(finding: Finding) -> DecisionPart:
    decision = finding.decision
    part: DecisionPart = {
        "outcome": decision.outcome,
        "favourable": decision.favourable,
        "score": _real(decision.score),
        "margin": _real(decision.margin),
        "threshold": _real(decision.threshold),
        "output_space": decision.output_space,
    }
    if decision.contrast is not None:
        adverse, favourable = decision.contrast
        part["contrast"] = {"adverse": adverse, "favourable": favourable}
    return part


def _attribution(finding: Finding) -> AttributionPart:
    attribution, loaded = finding.attribution, finding.loaded
    reference = loaded.reference
    return {
        "method": attribution.method,
        "reference": {
            "id": loaded.reference_digest,
            "kind": reference.kind,
            "rows": len(reference.rows),
            "digest": loaded.reference_digest,
            "band": None if reference.band is None else _real(reference.band),
        },
        "base_value": _real(attribution.base_value),
        "values": [
            {"feature": name, "phi": _real(phi)}
            for name, phi in zip(loaded.space.names, attribution.phi.tolist(), strict=True)
        ],
        "reconciliation": {
            "expected": _real(attribution.expected),
            "sum": _real(attribution.total),
            "error": _real(attribution.error),
            "tolerance": _real(attribution.tolerance),
        },
    }


def _reason(finding: Finding, at: int) -> ReasonPart:
    reason = finding.reasons[at]
    mean = reason.reference_value
    return {
        "rank": reason.rank,
        "code": reason.code,
        "factor": reason.factor,
        "text": reason.text,
        "contribution": None if reason.contribution is None else _real(reason.contribution),
        "share": None if reason.share is None else _real(reason.share),
        "reference_value": None if mean is None else _real(mean),
        "observed": [{"feature": name, "value": _value(value)} for name, value in reason.observed],
        "near_tie": reason.near_tie,
        "sensitive": reason.sensitive,
    }


def _counterfactuals(found: CounterfactualSet) -> CounterfactualPart:
    return {
        "status": found.status,
        "complete": found.complete,
        "items": [
            {
                "changes": [
                    cast(
                        "ChangeRow",
                        {"feature": c.feature, "from": _value(c.before), "to": _value(c.after)},
                    )
                    for c in item.changes
                ],
                "score": _real(item.score),
                "margin": _real(item.margin),
                "outcome": item.outcome,
                "verified": item.verified,
                "cost": _real(item.cost),
                "method": item.method,
            }
            for item in found.items
        ],
        "evaluation_id": None,
        "evaluations": found.evaluations,
        "seed": str(found.seed),
        "effort": [{"method": method, "state": state} for method, state in found.effort],
        "proof": found.proof,
        "dropped": found.dropped,
    }


def _decided(decided: Decided | None) -> DecidedPart | None:
    if decided is None:
        return None
    return {
        "outcome": decided.outcome,
        "score": None if decided.score is None else _real(decided.score),
        "at": None if decided.at is None else format_moment(decided.at),
    }


def _application(application: Application | None) -> ApplicationPart | None:
    if application is None:
        return None
    completed_at = application.completed_at
    return {
        "completed_at": None if completed_at is None else format_moment(completed_at),
        "action": application.action,
    }
