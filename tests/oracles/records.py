"""Records written by hand: declined, approved and combined decisions, with a catalogue in three languages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

from explain.catalogue import (
    ComponentWords,
    Condition,
    FactorWords,
    FeatureWords,
    Language,
    ReasonCatalogue,
    Wording,
)
from records.private_parts import (
    ApplicationPart,
    CombinedPart,
    ConsumerReportPart,
    CounterfactualItem,
    PrivatePart,
    ReasonPart,
)
from reports.letters.source import LetterSource
from schemas.manifest import Manifest

RECORDED_AT = datetime(2026, 11, 20, 10, 15, 3, 250_000, tzinfo=UTC)
EXPLANATION_ID = "019a9f3e-8b1c-7c33-9a55-0242ac120002"
DIGEST = "sha256:" + "0" * 64
CATALOGUE_DIGEST = "sha256:" + "1" * 64


def words() -> ReasonCatalogue:
    """A catalogue in English, German and Spanish."""
    return ReasonCatalogue(
        name="lender",
        version="3",
        digest=CATALOGUE_DIGEST,
        languages={
            "en": Language("en"),
            "de": Language("de", ",", "."),
            "es": Language("es", ",", "."),
        },
        default_language="en",
        factors={
            "income": _factor(
                "income",
                ("Income", "Einkommen", "Ingresos"),
                _missing(),
                Wording(
                    "R05",
                    {
                        "en": "Income insufficient for amount of credit requested",
                        "de": "Einkommen zu gering für die beantragte Kreditsumme",
                        "es": "Ingresos insuficientes para el importe del crédito solicitado",
                    },
                ),
            ),
            "debt_to_income": _factor(
                "debt_to_income",
                ("Debts in relation to income", "Schulden im Verhältnis zum Einkommen", "Deudas e ingresos"),
                Wording(
                    "R07",
                    {
                        "en": "Excessive obligations in relation to income: {debt_ratio}",
                        "de": "Zu hohe Verpflichtungen im Verhältnis zum Einkommen: {debt_ratio}",
                        "es": "Obligaciones excesivas en relación con los ingresos: {debt_ratio}",
                    },
                ),
            ),
            "inquiries": _factor(
                "inquiries",
                ("Recent inquiries", "Neuere Anfragen", "Consultas recientes"),
                Wording(
                    "R22",
                    {
                        "en": "Number of recent inquiries on credit bureau report",
                        "de": "Anzahl neuerer Anfragen bei der Auskunftei",
                        "es": "Número de consultas recientes en el informe de crédito",
                    },
                ),
            ),
            "age": _factor(
                "age",
                ("Age", "Alter", "Edad"),
                Wording("R90", {"en": "Age of applicant", "de": "Alter", "es": "Edad del solicitante"}),
            ),
        },
        features={
            "income": _feature("income", ("Monthly income", "Monatseinkommen", "Ingresos mensuales"), "USD"),
            "debt_ratio": FeatureWords(
                "debt_ratio",
                {"en": "Debt ratio", "de": "Schuldenquote", "es": "Ratio de deuda"},
                {"en": "%", "de": " %", "es": " %"},
                decimals=1,
            ),
            "inquiries": FeatureWords(
                "inquiries",
                {"en": "Inquiries in six months", "de": "Anfragen in sechs Monaten", "es": "Consultas"},
                {},
                decimals=0,
            ),
            "age": _feature("age", ("Age", "Alter", "Edad"), "years"),
        },
        components={
            "K01": ComponentWords(
                "K01",
                "knockout",
                {
                    "en": "Bankruptcy within the last two years",
                    "de": "Insolvenz in den letzten zwei Jahren",
                    "es": "Quiebra en los últimos dos años",
                },
            ),
            "K02": ComponentWords(
                "K02",
                "knockout",
                {
                    "en": "Credit application incomplete",
                    "de": "Kreditantrag unvollständig",
                    "es": "Solicitud de crédito incompleta",
                },
                incomplete=True,
            ),
            "J01": ComponentWords(
                "J01",
                "judgmental",
                {
                    "en": "Temporary or irregular employment",
                    "de": "Befristete oder unregelmäßige Beschäftigung",
                    "es": "Empleo temporal o irregular",
                },
            ),
        },
    )


def manifest(**changes: Any) -> Manifest:
    """A lending manifest; `changes` replace whole sections, None removes one."""
    document: dict[str, Any] = {
        "manifest": "ofrecord/v1",
        "model": "mortgage",
        "version": "7",
        "family": "xgboost",
        "profile": "lending",
        "purpose": "Approve or decline a mortgage application",
        "outcome": {
            "adverse": "decline",
            "favourable": "approve",
            "score": "probability_of_adverse",
            "threshold": 0.3,
        },
        "features": [
            {
                "name": "income",
                "type": "number",
                "unit": "USD",
                "range": [0, 20_000],
                "nullable": True,
                "source": "the application form",
            },
            {"name": "debt_ratio", "type": "number", "unit": "%", "range": [0, 100], "decimals": 1},
            {"name": "inquiries", "type": "integer", "source": "Example Credit Bureau"},
            {"name": "age", "type": "integer", "sensitive": True},
        ],
        "factors": [
            {"name": "income", "features": ["income"]},
            {"name": "debt_to_income", "features": ["debt_ratio"]},
            {"name": "inquiries", "features": ["inquiries"], "inquiries": True},
            {"name": "age", "features": ["age"]},
        ],
        "catalogue": {"name": "lender", "version": "3"},
        "role": {"kind": "advisory", "human_involvement": "A credit officer decides with the score at hand."},
        "reference": {"kind": "near_cutoff_approved", "band": 0.05},
        "notice": {
            "creditor": "Example Savings Bank",
            "address": "12 Main Street\nSpringfield, MA 01101",
            "agency": "Consumer Financial Protection Bureau\n1700 G Street NW., Washington, DC 20552",
            "telephone": "+1 413 555 0100",
            "contact": "Credit Decisions Office, decisions@bank.example",
        },
    } | changes
    return Manifest.model_validate({name: given for name, given in document.items() if given is not None})


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


def _factor(name: str, labels: tuple[str, str, str], *wordings: Wording) -> FactorWords:
    return FactorWords(name, dict(zip(("en", "de", "es"), labels, strict=True)), wordings)


def _feature(name: str, labels: tuple[str, str, str], unit: str) -> FeatureWords:
    units = dict.fromkeys(("en", "de", "es"), unit)
    return FeatureWords(name, dict(zip(("en", "de", "es"), labels, strict=True)), units, decimals=0)


def _missing() -> Wording:
    return Wording(
        "R10",
        {
            "en": "Unable to verify income",
            "de": "Einkommen nicht nachgewiesen",
            "es": "No se pudieron verificar los ingresos",
        },
        (Condition("income", "missing"),),
    )
