"""What one explanation found, in the records of the private part: plain, typed and without numpy."""

from __future__ import annotations

from explain.attribution.base import Attribution
from explain.components import Combined, Component
from explain.features import Instance, Value
from explain.outcome import Decision
from explain.reasons import Reason
from records.counterfactual_parts import CounterfactualPart
from records.private_parts import (
    AgencyPart,
    ApplicationPart,
    AttributionPart,
    CombinedPart,
    ComponentPart,
    ConsumerReportPart,
    CreditScorePart,
    DecidedPart,
    DecisionPart,
    FeatureRow,
    ReasonPart,
)
from records.searched import searched_part
from registry.loading import LoadedVersion
from schemas.application import Application, ConsumerReport, CreditScore, Decided
from schemas.base import format_moment
from schemas.counterfactual import CounterfactualRequest
from service.explanations.asking import asked_part
from service.explanations.searching import Recourse


def _real(number: float) -> float:
    """A plain double without a negative zero, which decimal strings do not keep apart."""
    return float(number) + 0.0


def value_part(value: Value) -> Value:
    """A feature's value, a real without a negative zero."""
    return _real(value) if isinstance(value, float) else value


def feature_rows(loaded: LoadedVersion, instance: Instance) -> list[FeatureRow]:
    """The row that was explained, typed, in the model's own order."""
    return [
        {"name": feature.name, "type": feature.type, "value": value}
        for feature, value in zip(loaded.space.features, instance.values, strict=True)
    ]


def decision_part(decision: Decision) -> DecisionPart:
    """What the model decided."""
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


def attribution_part(loaded: LoadedVersion, attribution: Attribution) -> AttributionPart:
    """The attribution with its reference and its reconciliation."""
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


def reason_part(reason: Reason) -> ReasonPart:
    """One principal reason, the model's or another component's."""
    mean = reason.reference_value
    return {
        "rank": reason.rank,
        "code": reason.code,
        "factor": reason.factor,
        "text": reason.text,
        "contribution": None if reason.contribution is None else _real(reason.contribution),
        "share": None if reason.share is None else _real(reason.share),
        "reference_value": None if mean is None else _real(mean),
        "observed": [{"feature": name, "value": value_part(value)} for name, value in reason.observed],
        "near_tie": reason.near_tie,
        "sensitive": reason.sensitive,
        "proxy": reason.proxy,
        "component": reason.component,
        "wording": reason.wording,
        "given": [{"name": name, "text": text} for name, text in reason.given],
    }


def counterfactuals_part(recourse: Recourse, asked: CounterfactualRequest) -> CounterfactualPart:
    """The set of counterfactuals, with what was asked and what it took to find it."""
    return searched_part(recourse.found, evaluation_id=recourse.evaluation_id, asked=asked_part(asked))


def decided_part(decided: Decided | None) -> DecidedPart | None:
    """What the caller said had been decided."""
    if decided is None:
        return None
    return {
        "outcome": decided.outcome,
        "score": None if decided.score is None else _real(decided.score),
        "at": None if decided.at is None else format_moment(decided.at),
    }


def application_part(application: Application | None) -> ApplicationPart | None:
    """What the caller said of the application, for its clock and its notice."""
    if application is None:
        return None
    completed_at, applicant = application.completed_at, application.applicant
    return {
        "completed_at": None if completed_at is None else format_moment(completed_at),
        "action": application.action,
        "requested": application.requested,
        "counteroffer": application.counteroffer,
        "applicant": None
        if applicant is None
        else {"name": applicant.name, "address": list(applicant.address)},
        "consumer_reports": [_report(report) for report in application.consumer_reports],
    }


def _report(report: ConsumerReport) -> ConsumerReportPart:
    agency = report.agency
    named: AgencyPart = {"name": agency.name, "address": agency.address, "telephone": agency.telephone}
    return {"agency": named, "score": None if report.score is None else _score(report.score)}


def _score(score: CreditScore) -> CreditScorePart:
    least, greatest = score.range
    return {
        "value": _real(score.value),
        "least": _real(least),
        "greatest": _real(greatest),
        "created_at": format_moment(score.created_at),
        "source": score.source,
        "key_factors": list(score.key_factors),
        "inquiries": score.inquiries,
    }


def combined_part(combined: Combined) -> CombinedPart:
    """What all components decided together."""
    return {
        "outcome": combined.outcome,
        "favourable": combined.favourable,
        "components": [_component(one) for one in combined.components],
    }


def _component(component: Component) -> ComponentPart:
    """All its reasons: which of them are told depends on every other component's."""
    return {
        "name": component.name,
        "kind": component.kind,
        "result": component.result,
        "reasons": [
            {
                "code": given.code,
                "observed": [{"name": name, "text": text} for name, text in given.observed],
            }
            for given in component.reasons
        ],
    }
