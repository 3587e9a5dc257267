"""The form in which an explanation goes on record, and the one answer that is made from it.

The first answer, a retry's answer and a read years later are all built by `answer` from the same two things:
the entry's clear body and its private part. That is why they cannot differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version as installed_version

from audit.canonical import JsonValue
from records.counterfactual_parts import ChangeRow, CounterfactualItem, CounterfactualPart, EffortRow
from records.private_parts import (
    CombinedPart,
    ComponentPart,
    DecisionPart,
    NoticePart,
    PrivatePart,
    ReasonPart,
    Reconciliation,
    ReferencePart,
    WarningRow,
)
from records.promises import PROMISE
from service.explanations.finding import Finding
from service.explanations.owing import blocking_factors
from service.explanations.record_parts import (
    application_part,
    attribution_part,
    combined_part,
    counterfactuals_part,
    decided_part,
    decision_part,
    feature_rows,
    reason_part,
)
from service.explanations.searching import Recourse

CODE_VERSION = "ofrecord " + installed_version("ofrecord")

JsonObject = dict[str, object]


def clear_body(finding: Finding, recourse: Recourse, notice: NoticePart | None) -> dict[str, JsonValue]:
    """What an entry says in clear: digests, outcome, codes and the notice's clock; nothing about the person.

    Outcome, favourable and codes are those of the whole decision. What a decision does not have is left out:
    `model_outcome` without components, `action` where none was sent, the clock where no notice is owed, the
    evaluation that finishes the search where nothing was deferred.
    """
    loaded, combined, request = finding.loaded, finding.combined, finding.question.request
    catalogue, blocked = loaded.catalogue, blocking_factors(finding)
    body: dict[str, JsonValue] = {
        "model": loaded.model_name,
        "version": loaded.version,
        "model_digest": loaded.artifact_digest,
        "manifest_digest": loaded.manifest_digest,
        "reference_digest": loaded.reference_digest,
        "method": finding.attribution.method,
        "catalogue": {"name": catalogue.name, "version": catalogue.version, "digest": catalogue.digest},
        "outcome": combined.outcome,
        "favourable": combined.favourable,
        "reason_codes": [reason.code for reason in finding.reasons],
        "counterfactual_status": recourse.found.status,
        "code_version": CODE_VERSION,
    }
    if recourse.evaluation_id is not None:
        body[PROMISE] = str(recourse.evaluation_id)
    if request.components:
        body["model_outcome"] = finding.decision.outcome
    if request.application is not None and request.application.action is not None:
        body["action"] = request.application.action
    if notice is not None:
        body |= {"notice_clock": notice["clock"], "notice_due_at": notice["due_at"]}
    if notice is not None or blocked:
        body["notice_blocked"] = bool(blocked)
    return body


def private_part(finding: Finding, recourse: Recourse, notice: NoticePart | None) -> PrivatePart:
    """What an entry keeps encrypted: everything the first answer said that the clear body does not."""
    request = finding.question.request
    part: PrivatePart = {
        "decision_id": request.decision_id,
        "subject_ref": request.subject_ref,
        "purpose": request.purpose,
        "features": feature_rows(finding.loaded, finding.instance),
        "decision": decision_part(finding.decision),
        "attribution": attribution_part(finding.loaded, finding.attribution),
        "reasons": [reason_part(reason) for reason in finding.reasons],
        "counterfactuals": counterfactuals_part(recourse, request.counterfactuals),
        "warnings": list(finding.warnings),
        "decided": decided_part(request.decided),
        "application": application_part(request.application),
        "combined": combined_part(finding.combined) if request.components else None,
        "notice": notice,
    }
    if finding.crowded_out:
        part["crowded_out"] = [
            {"factor": one.factor, "sensitive": one.sensitive, "proxy": one.proxy}
            for one in finding.crowded_out
        ]
    if finding.key_factors:
        part["key_factors"] = list(finding.key_factors)
    return part


def answer(part: PrivatePart, body: Mapping[str, object], explanation_id: str) -> JsonObject:
    """The answer as far as it is on record; the receipt and the timings belong to the call.

    Members stand in one order, whether the part was just made or comes back sorted from its canonical bytes.
    """
    attribution = part["attribution"]
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
        "reasons": [_reason(reason) for reason in part["reasons"]],
        "counterfactuals": counterfactual_answers(part["counterfactuals"]),
        **_together(part),
        "warnings": [_in_order(warning, WarningRow) for warning in part["warnings"]],
    }


def counterfactual_answers(found: CounterfactualPart) -> JsonObject:
    """The counterfactuals as they are answered, now or later; an older entry says less of its searches."""
    told: JsonObject = {
        "status": found["status"],
        "complete": found["complete"],
        "items": [
            _in_order(item, CounterfactualItem)
            | {"changes": [_in_order(change, ChangeRow) for change in item["changes"]]}
            for item in found["items"]
        ],
        "evaluation_id": found["evaluation_id"],
    }
    if "asked" in found:
        told["proof"] = found.get("proof")
        told["searches"] = [_in_order(one, EffortRow) for one in found.get("effort", ())]
    return told


def _reason(reason: ReasonPart) -> JsonObject:
    """A reason as it is answered: what was observed by name, and not which wording was taken."""
    given = {row["name"]: row["text"] for row in reason.get("given", ())}
    observed = {row["feature"]: row["value"] for row in reason["observed"]}
    told = _in_order(reason, ReasonPart) | {"observed": given | observed}
    return {name: member for name, member in told.items() if name not in ("wording", "given")}


def _together(part: PrivatePart) -> JsonObject:
    """The whole decision and its notice; an entry from before there were any says nothing of them."""
    told: JsonObject = {}
    if "combined" in part:
        combined = part["combined"]
        told["combined"] = None
        if combined is not None:
            components = [_component(one) for one in combined["components"]]
            told["combined"] = _in_order(combined, CombinedPart) | {"components": components}
    if "notice" in part:
        notice = part["notice"]
        told["notice"] = None if notice is None else _in_order(notice, NoticePart)
    return told


def _component(component: ComponentPart) -> JsonObject:
    """A component as it is answered; the reasons that it gave stand among the reasons, as far as told."""
    told = _in_order(component, ComponentPart)
    return {name: member for name, member in told.items() if name != "reasons"}


def _contributions(part: PrivatePart) -> list[JsonObject]:
    given = {row["name"]: row["value"] for row in part["features"]}
    return [
        {"feature": row["feature"], "value": given[row["feature"]], "phi": row["phi"]}
        for row in part["attribution"]["values"]
    ]


def _in_order(record: Mapping[str, object], declared: type) -> JsonObject:
    """The record's members in the order of its declaration."""
    return {name: record[name] for name in declared.__annotations__ if name in record}
