"""One declined applicant on record, with a catalogue in three languages."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, cast

import pytest
import yaml

from explain.catalogue import ComponentWords, FactorWords, FeatureWords, Language, ReasonCatalogue, Wording
from records.private_parts import PrivatePart
from registry.manifests import parse_manifest
from reports.letters.source import LetterSource

MANIFEST = """
manifest: ofrecord/v1
model: loans
version: "1"
family: xgboost
profile: lending
purpose: Approve or decline a loan
outcome: {adverse: decline, favourable: approve, score: probability_of_adverse, threshold: 0.5}
features:
  - {name: income, type: number, range: [0, 1000]}
  - {name: debt_ratio, type: number, unit: "%", nullable: true}
  - {name: loan_amount, type: number}
  - {name: dependents, type: integer}
  - {name: property_type, type: category, categories: [condo, single], nullable: true}
  - {name: years_employed, type: number, nullable: true}
factors:
  - {name: income, features: [income], reason: {code: R05, text: Income insufficient}}
  - {name: debt, features: [debt_ratio], reason: {code: R07, text: Excessive obligations}}
  - {name: amount, features: [loan_amount], reason: {code: R08, text: Loan amount too high}}
  - {name: household, features: [dependents], reason: {code: R09, text: Household}}
  - {name: collateral, features: [property_type], reason: {code: R23, text: Collateral}}
  - {name: employment, features: [years_employed], reason: {code: R11, text: Employment}}
reference: {kind: near_cutoff_approved, band: 0.2, minimum_rows: 100}
protected: [race, sex]
"""

LABELS = {
    "income": ("Income", "Ingresos", "Einkommen"),
    "debt": ("Debt burden", "Carga de deuda", "Schuldenlast"),
    "amount": ("Loan amount", "Importe del préstamo", "Darlehensbetrag"),
    "household": ("Household size", "Tamaño del hogar", "Haushaltsgröße"),
    "collateral": ("Collateral", "Garantía", "Sicherheit"),
    "employment": ("Length of employment", "Antigüedad laboral", "Beschäftigungsdauer"),
}
TEXTS = {
    "income": ("R05", "Income insufficient for it", "Ingresos insuficientes", "Einkommen zu niedrig"),
    "debt": ("R07", "Obligations too high in relation to income", "Obligaciones excesivas", "Hohe Lasten"),
    "amount": ("R08", "Amount above our limit for this income", "Importe excesivo", "Zu hoher Betrag"),
    "household": ("R09", "Number of dependents", "Personas a cargo", "Zahl der Angehörigen"),
    "collateral": ("R23", "Type of collateral", "Tipo de garantía", "Art der Sicherheit"),
    "employment": ("R11", "Time in the job", "Tiempo en el empleo", "Zeit im Beruf"),
}  # fmt: skip
FEATURES = {
    "income": ("Monthly income", "Ingresos mensuales", "Monatseinkommen", "thousand USD"),
    "debt_ratio": ("Debt ratio", "Ratio de deuda", "Schuldenquote", "%"),
    "loan_amount": ("Requested amount", "Importe solicitado", "Gewünschter Betrag", ""),
    "dependents": ("Dependents", "Dependientes", "Angehörige", ""),
    "property_type": ("Property type", "Tipo de inmueble", "Art der Immobilie", ""),
    "years_employed": ("Years employed", "Años de empleo", "Beschäftigungsjahre", ""),
}
TAGS = ("en", "es", "de")
PHI = {
    "income": 0.9, "debt_ratio": 0.8, "loan_amount": 0.2, "dependents": -0.4, "property_type": 0.0,
    "years_employed": 0.199,
}  # fmt: skip


def _catalogue() -> ReasonCatalogue:
    return ReasonCatalogue(
        name="words",
        version="1",
        digest="sha256:" + "0" * 64,
        languages={
            "en": Language("en"),
            "es": Language("es", ",", "."),
            "de": Language("de", ",", "."),
            "fr": Language("fr", ",", " "),
        },
        default_language="en",
        factors={
            name: FactorWords(
                name,
                dict(zip(TAGS, labels, strict=True)),
                (Wording(TEXTS[name][0], dict(zip(TAGS, TEXTS[name][1:], strict=True))),),
            )
            for name, labels in LABELS.items()
        },
        features={
            name: FeatureWords(name, dict(zip(TAGS, given[:3], strict=True)), dict.fromkeys(TAGS, given[3]))
            for name, given in FEATURES.items()
        },
        components={
            "K1": ComponentWords(
                "K1", "knockout", {"en": "Bankruptcy on file", "es": "Quiebra registrada", "de": "Insolvenz"}
            )
        },
    )


VALUES: dict[str, Any] = {
    "income": 21.5, "debt_ratio": 64.5, "loan_amount": 1260.0, "dependents": 2, "property_type": None,
    "years_employed": 3.0,
}  # fmt: skip
TYPES = {"dependents": "integer", "property_type": "category"}


def _reason(rank: int, factor: str, feature: str, mean: float | None, **changes: Any) -> dict[str, Any]:
    return {
        "rank": rank, "code": TEXTS[factor][0], "factor": factor, "text": TEXTS[factor][1],
        "contribution": PHI[feature], "share": PHI[feature] / 2.1, "reference_value": mean, "near_tie": False,
        "observed": [{"feature": feature, "value": VALUES[feature]}], "wording": 0, **changes,
    }  # fmt: skip


def _part(**changes: Any) -> dict[str, Any]:
    return {
        "decision_id": "A-1", "subject_ref": "S-secret-1", "purpose": None,
        "features": [
            {"name": name, "type": TYPES.get(name, "number"), "value": value}
            for name, value in VALUES.items()
        ],
        "decision": {"outcome": "decline", "favourable": False, "score": 0.7125, "margin": 0.9,
                     "threshold": 0.5, "output_space": "margin"},
        "attribution": {
            "method": "m", "base_value": 0.0,
            "reference": {"id": "r", "kind": "near_cutoff_approved", "rows": 1312, "digest": "r"},
            "values": [{"feature": name, "phi": phi} for name, phi in PHI.items()],
            "reconciliation": {"expected": 0.0, "sum": 0.0, "error": 0.0, "tolerance": 0.0},
        },
        "reasons": [
            _reason(1, "income", "income", 48.25),
            _reason(2, "debt", "debt_ratio", 33.2),
            _reason(3, "amount", "loan_amount", 900.0, near_tie=True),
            _reason(4, "employment", "years_employed", 7.0, near_tie=True),
        ],
        "counterfactuals": {
            "status": "found", "complete": True, "evaluation_id": None,
            "items": [{
                "changes": [{"feature": "income", "from": 21.5, "to": 30.0},
                            {"feature": "loan_amount", "from": 1260.0, "to": 800.0}],
                "score": 0.4, "outcome": "approve", "verified": True, "cost": 1.0, "method": "m",
            }],
        },
        "warnings": [
            {"code": "missing", "feature": "property_type", "detail": "no value was given"},
            {"code": "out_of_range", "feature": "loan_amount", "detail": "lies outside"},
        ],
        **changes,
    }  # fmt: skip


@pytest.fixture(scope="session")
def source_of() -> Callable[..., LetterSource]:
    """Gives `source_of(**changes of the private part)`."""
    manifest = parse_manifest(yaml.safe_dump(yaml.safe_load(MANIFEST)).encode()).manifest
    words = _catalogue()

    def source(**changes: Any) -> LetterSource:
        part = cast("PrivatePart", _part(**changes))
        return LetterSource("e", "loans", "1", datetime(2026, 11, 20, tzinfo=UTC), {}, part, manifest, words)

    return source
