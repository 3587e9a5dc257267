"""Records written by hand: declined, approved and combined decisions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

from records.counterfactual_parts import CounterfactualItem
from records.private_parts import ApplicationPart, CombinedPart, ConsumerReportPart, PrivatePart, ReasonPart
from reports.letters.source import LetterSource
from schemas.manifest import Manifest
from tests.oracles.lending_terms import CATALOGUE_DIGEST, manifest, words

RECORDED_AT = datetime(2026, 11, 20, 10, 15, 3, 250_000, tzinfo=UTC)
EXPLANATION_ID = "019a9f3e-8b1c-7c33-9a55-0242ac120002"
DIGEST = "sha256:" + "0" * 64


def reason(rank: int, factor: str, **changes: Any) -> ReasonPart:
    """One reason of the model as the record keeps it."""
    known: dict[str, tuple[str, str, float, float, int]] = {
        "income": ("R05", "Income insufficient for amount of credit requested", 0.5, 5200.0, 1),
        "debt_to_income": ("R07", "Excessive obligations in relation to income: 61.0%", 0.83, 33.2, 0),
        "inquiries": ("R22", "Number of recent inquiries on credit bureau report", 0.21, 0.7, 0),
        "age": ("R90", "Age of applicant", 0.3, 44.0, 0),
    }
    observed = {"income": ("income", 3000.0), "debt_to_income": ("debt_ratio", 61.0)}
    observed |= {"inquiries": ("inquiries", 5), "age": ("age", 29)}
    code, text, contribution, mean, wording = known[factor]
    part: dict[str, Any] = {
        "rank": rank,
        "code": code,
        "factor": factor,
        "text": text,
        "contribution": contribution,
        "share": 0.4,
        "reference_value": mean,
        "observed": [{"feature": observed[factor][0], "value": observed[factor][1]}],
        "near_tie": False,
        "sensitive": factor == "age",
        "proxy": False,
        "component": None,
        "wording": wording,
        "given": [],
    }
    return cast("ReasonPart", part | changes)


def given_reason(rank: int, code: str, component: str, text: str, **seen: str) -> ReasonPart:
    """One reason of another component than the model."""
    return {
        "rank": rank,
        "code": code,
        "factor": component,
        "text": text,
        "contribution": None,
        "share": None,
        "reference_value": None,
        "observed": [],
        "near_tie": False,
        "sensitive": False,
        "proxy": False,
        "component": component,
        "wording": 0,
        "given": [{"name": name, "text": said} for name, said in seen.items()],
    }


def counterfactual(**changes: Any) -> CounterfactualItem:
    """A verified counterfactual: less debt."""
    item = {
        "changes": [{"feature": "debt_ratio", "from": 61.0, "to": 45.0}],
        "score": 0.24,
        "margin": -1.1,
        "outcome": "approve",
        "verified": True,
        "cost": 0.6,
        "method": "dice_genetic",
    }
    return cast("CounterfactualItem", item | changes)


def consumer_report(**changes: Any) -> ConsumerReportPart:
    """A consumer report with a score and its key factors."""
    report = {
        "agency": {
            "name": "Example Credit Bureau",
            "address": "1 Bureau Plaza, Allen, TX 75013",
            "telephone": "1-888-555-0199",
        },
        "score": {
            "value": 612.0,
            "least": 300.0,
            "greatest": 850.0,
            "created_at": "2026-11-12T08:00:00.000000Z",
            "source": "Example Credit Bureau",
            "key_factors": ["Proportion of balances to limits", "Length of accounts"],
            "inquiries": "Number of recent inquiries on consumer report",
        },
    }
    return cast("ConsumerReportPart", report | changes)


def application(**changes: Any) -> ApplicationPart:
    """A denied application, completed eight days before the decision."""
    stated: dict[str, Any] = {
        "completed_at": "2026-11-12T08:00:00.000000Z",
        "action": "denial",
        "requested": "a mortgage of 240,000 USD over 30 years",
        "counteroffer": None,
        "applicant": {"name": "Ana Pérez", "address": ["7 Elm Road", "Springfield, MA 01103"]},
        "consumer_reports": [],
    }
    return cast("ApplicationPart", stated | changes)


def combined(outcome: str, *components: tuple[str, str, str]) -> CombinedPart:
    """What components decided together, each as (name, kind, result)."""
    return {
        "outcome": outcome,
        "favourable": outcome == "approve",
        "components": [{"name": name, "kind": kind, "result": result} for name, kind, result in components],
    }


def part(**changes: Any) -> PrivatePart:
    """A declined application with two reasons; `changes` replace whole members."""
    document: dict[str, Any] = {
        "decision_id": "A-2026-000123",
        "subject_ref": "S-778",
        "purpose": "adverse_action",
        "features": [
            {"name": "income", "type": "number", "value": 3000.0},
            {"name": "debt_ratio", "type": "number", "value": 61.0},
            {"name": "inquiries", "type": "integer", "value": 5},
            {"name": "age", "type": "integer", "value": 29},
        ],
        "decision": {
            "outcome": "decline",
            "favourable": False,
            "score": 0.71,
            "margin": 0.896,
            "threshold": 0.3,
            "output_space": "margin",
        },
        "attribution": {
            "method": "interventional_treeshap",
            "reference": {
                "id": DIGEST,
                "kind": "near_cutoff_approved",
                "rows": 312,
                "digest": DIGEST,
                "band": 0.05,
            },
            "base_value": -0.424,
            "values": [
                {"feature": "income", "phi": 0.5},
                {"feature": "debt_ratio", "phi": 0.83},
                {"feature": "inquiries", "phi": -0.01},
                {"feature": "age", "phi": 0.0},
            ],
            "reconciliation": {"expected": 0.896, "sum": 0.896, "error": 0.0, "tolerance": 1e-4},
        },
        "reasons": [reason(1, "debt_to_income"), reason(2, "income")],
        "counterfactuals": {
            "status": "found",
            "complete": True,
            "items": [counterfactual()],
            "evaluation_id": None,
        },
        "warnings": [],
        "decided": {"outcome": "decline", "score": None, "at": "2026-11-20T10:15:00.000000Z"},
        "application": application(),
        "combined": None,
        "notice": {
            "clock": "completed_application",
            "due_at": "2026-12-12T08:00:00.000000Z",
            "blocked": [],
        },
        "key_factors": [],
    }
    return cast("PrivatePart", document | changes)


def source(
    changed: Mapping[str, Any] | None = None, *, terms: Manifest | None = None, **changes: Any
) -> LetterSource:
    """A record to write letters from; `changed` replaces members of its private part."""
    stated = part(**(changed or {}))
    terms = terms or manifest()
    whole = stated.get("combined") or stated["decision"]
    made = LetterSource(
        explanation_id=EXPLANATION_ID,
        model=terms.model,
        version=terms.version,
        recorded_at=RECORDED_AT,
        body={
            "model": terms.model,
            "version": terms.version,
            "catalogue": {"name": "lender", "version": "3", "digest": CATALOGUE_DIGEST},
            "outcome": whole["outcome"],
            "favourable": whole["favourable"],
            "reason_codes": [one["code"] for one in stated["reasons"]],
        },
        part=stated,
        manifest=terms,
        words=words(),
    )
    return replace(made, **changes)


def approved(**changes: Any) -> LetterSource:
    """The record of a favourable decision."""
    decision = part()["decision"] | {"outcome": "approve", "favourable": True, "score": 0.12, "margin": -2.0}
    stated: dict[str, Any] = {
        "decision": decision,
        "reasons": [],
        "counterfactuals": {"status": "not_needed", "complete": True, "items": [], "evaluation_id": None},
        "decided": None,
        "application": application(action="approval"),
        "notice": None,
    }
    return source(stated, **changes)


def asked_part(**more: Any) -> dict[str, Any]:
    """Return a question about counterfactuals as it is recorded, the usual one but for these members."""
    return {
        "count": 3,
        "required": False,
        "features_to_vary": None,
        "permitted_range": [],
        "max_changes": None,
        "methods": None,
        "target": None,
        **more,
    }
