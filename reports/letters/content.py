"""The content of a letter for machines: what the sentences say, as plain JSON values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from records.private_parts import ConsumerReportPart, CreditScorePart
from records.reviews import standing
from reports.letters.adverse_action import action_of, tells_counterfactuals
from reports.letters.consumer_reports import own_score
from reports.letters.draft import Draft
from reports.letters.influence import influences
from reports.letters.inputs import inputs
from reports.letters.recourse import status_told
from reports.requirements.citing import CitedRule
from reports.requirements.register import requirement
from schemas.base import format_moment
from schemas.manifest_sections import Notice

JsonObject = dict[str, object]


def shared_content(draft: Draft, citations: Sequence[CitedRule]) -> JsonObject:
    """Return what every letter's data hold."""
    source, notice = draft.source, draft.source.manifest.notice
    applicant = draft.application.get("applicant")
    return {
        "explanation_id": source.explanation_id,
        "decision_id": draft.part["decision_id"],
        "model": source.model,
        "version": source.version,
        "creditor": None if notice is None else _creditor(notice),
        "applicant": None if applicant is None else dict(applicant),
        "dates": _dates(draft),
        "outcome": {"outcome": draft.outcome, "favourable": draft.favourable},
        "reasons": draft.reasons(),
        "citations": [_citation(rule) for rule in citations],
    }


def adverse_action_content(draft: Draft, notice: Notice, citations: Sequence[CitedRule]) -> JsonObject:
    """Return the data of an adverse-action notice."""
    application, own = draft.application, own_score(draft, notice)
    told = tells_counterfactuals(draft, notice)
    reports = application.get("consumer_reports") or []
    return shared_content(draft, citations) | {
        "action": {
            "kind": action_of(draft),
            "stated": application.get("action") is not None,
            "requested": application.get("requested"),
            "counteroffer": application.get("counteroffer"),
        },
        "agency": notice.agency,
        "consumer_reports": [_report(report) for report in reports],
        "own_score": None if own is None else _score(own),
        "counterfactuals": counterfactual_content(draft) if told else [],
        "disclosures": {
            "ecoa_notice": True,
            "reasons_in_writing": True,
            "consumer_reports": len(reports),
            "credit_scores": sum(report["score"] is not None for report in reports) + (own is not None),
            "counteroffer_combined": action_of(draft) == "counteroffer",
            "counterfactuals": told,
        },
    }


def explanation_content(draft: Draft, citations: Sequence[CitedRule]) -> JsonObject:
    """Return the data of an explanation for the person concerned."""
    part, manifest = draft.part, draft.source.manifest
    role, combined, reference = manifest.role, part.get("combined"), part["attribution"]["reference"]
    return shared_content(draft, citations) | {
        "action": {"kind": draft.application.get("action")},
        **_reviewed(draft),
        "role": None if role is None else role.model_dump(),
        "decision": dict(part["decision"]),
        "combined": None if combined is None else dict(combined),
        "inputs": [asdict(one) for one in inputs(draft)],
        "influences": [asdict(one) for one in influences(draft)],
        "comparison_group": {
            "kind": reference["kind"],
            "rows": reference["rows"],
            "digest": reference["digest"],
        },
        "counterfactual_status": status_told(draft.source, draft.counterfactuals()),
        "counterfactuals": counterfactual_content(draft),
        "disclosures": {
            "role_stated": role is not None,
            "human_involvement_stated": role is not None and role.human_involvement is not None,
            "contact_stated": manifest.notice is not None and manifest.notice.contact is not None,
        },
    }


def _reviewed(draft: Draft) -> JsonObject:
    """What people did about the decision since; nothing where nobody did anything."""
    reviews = draft.source.reviews
    if not reviews:
        return {}
    holds = standing(reviews)
    told = [
        {
            "entry_id": str(review.entry_id),
            "kind": review.kind,
            "outcome": review.outcome,
            "at": format_moment(review.at),
            "superseded_by": None if review.superseded_by is None else str(review.superseded_by),
        }
        for review in reviews
    ]
    return {"reviews": told, "standing_outcome": draft.outcome if holds is None else holds.outcome}


def counterfactual_content(draft: Draft) -> list[JsonObject]:
    """Return the verified counterfactuals as they are on record, and in words."""
    return [
        {
            "changes": [dict(change) for change in item["changes"]],
            "outcome": item["outcome"],
            "score": item["score"],
            "text": draft.changes(item),
        }
        for item in draft.counterfactuals()
    ]


def _creditor(notice: Notice) -> JsonObject:
    named = ("creditor", "address", "telephone", "contact")
    return {"name" if name == "creditor" else name: getattr(notice, name) for name in named}


def _dates(draft: Draft) -> JsonObject:
    clock = draft.part.get("notice")
    return {
        "completed_at": draft.application.get("completed_at"),
        "decided_at": format_moment(draft.decided_at),
        "recorded_at": format_moment(draft.source.recorded_at),
        "clock": None if clock is None else clock["clock"],
        "due_at": None if clock is None else clock["due_at"],
    }


def _report(report: ConsumerReportPart) -> JsonObject:
    score = report["score"]
    return {"agency": dict(report["agency"]), "score": None if score is None else _score(score)}


def _score(score: CreditScorePart) -> JsonObject:
    given: Mapping[str, object] = score
    return {**given, "key_factors": list(score["key_factors"])}


def _citation(rule: CitedRule) -> JsonObject:
    record = requirement(rule.requirement_id)
    begins, ends = record.effective_from, record.effective_to
    return {
        "id": rule.requirement_id,
        "citation": rule.citation,
        "status": rule.status,
        "effective_from": None if begins is None else begins.isoformat(),
        "effective_to": None if ends is None else ends.isoformat(),
    }
