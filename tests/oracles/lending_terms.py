"""What records are written under: a lender's manifest and its catalogue in three languages."""

from __future__ import annotations

from typing import Any

from explain.catalogue import (
    ComponentWords,
    Condition,
    FactorWords,
    FeatureWords,
    Language,
    ReasonCatalogue,
    Wording,
)
from schemas.manifest import Manifest

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
