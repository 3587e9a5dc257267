"""A combined system for tests: components, and an applicant for each region of the scores."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from schemas.answer import Explanation

CATALOGUE = Path(__file__).with_name("combined_catalogue.yaml")
FACTORS = {
    "income": ["income"],
    "debt": ["debt_ratio"],
    "amount": ["loan_amount"],
    "situation": ["dependents", "self_employed"],
    "collateral": ["property_type"],
}
Sent = dict[str, Any]


def component(name: str, kind: str, result: str, *codes: str, **observed: str) -> Sent:
    reasons = [{"code": code, "observed": observed} for code in codes]
    return {"name": name, "kind": kind, "result": result, "reasons": reasons}


def model(result: str) -> Sent:
    return component("scorecard", "model", result)


KNOCKED_OUT = component("eligibility", "knockout", "failed", "K01", discharged="2025-11-03")
JUDGED = component("underwriter", "judgmental", "failed", "J01", "J02")
NOT_KNOCKED_OUT = component("eligibility", "knockout", "passed")
JUDGED_WELL = component("underwriter", "judgmental", "passed")
INCOMPLETE = component("intake", "knockout", "failed", "K90")


@dataclass(frozen=True, slots=True)
class Combining:
    """A lender's combined system, and an applicant for each region of its scores."""

    running: Any
    declined: Sent
    approved: Sent
    gray_adverse: Sent
    gray_favourable: Sent

    def request(self, applicant: Sent, *components: Sent, **changes: object) -> Sent:
        sent = {"components": list(components), "counterfactuals": {"count": 1}, **changes}
        request: Sent = self.running.request(features=dict(applicant), **sent)
        return request

    def explain(self, applicant: Sent, *components: Sent, **changes: object) -> Sent:
        response = self.running.explain(self.request(applicant, *components, **changes), "combined")
        assert response.status_code == 201, response.text
        answer: Sent = response.json()
        Explanation.model_validate(answer)
        return answer

    def entry(self, answer: Sent) -> tuple[Any, Sent]:
        """The entry of an answer and its private part, as they are stored."""
        log = self.running.services.log
        stored = log.read(self.running.uuid(answer["explanation_id"]))
        private: Sent = orjson.loads(log.open(stored))
        return stored.entry, private


def combined_loans(running: Any, upload: Any) -> Combining:
    """Registers the system; again and again gives the same."""
    applicants = [
        {**running.features, "income": income, "debt_ratio": debt, "self_employed": False}
        for income in (20.0, 35.0, 45.0, 55.0, 65.0, 150.0)
        for debt in (10.0, 30.0, 45.0, 60.0)
    ]
    rows = [running.request(features=one, counterfactuals={"count": 0}) for one in applicants]
    sent = running.http.post("/v1/models/loans/explanations/batch", json={"decisions": rows})
    scores = [row["explanation"]["decision"]["score"] for row in sent.json()["answers"]]

    def between(least: float, below: float) -> Sent:
        return next(one for one, score in zip(applicants, scores, strict=True) if least <= score < below)

    headers = {"content-type": "application/yaml"}
    registered = running.http.post("/v1/catalogues", content=CATALOGUE.read_bytes(), headers=headers)
    assert registered.status_code == 201, registered.text
    outcome = {
        "adverse": "decline", "favourable": "approve", "score": "probability_of_adverse", "threshold": 0.5,
        "gray_band": [0.2, 0.8],
    }  # fmt: skip
    factors = [{"name": name, "features": features} for name, features in FACTORS.items()]
    manifest = {
        "model": "combined", "outcome": outcome, "factors": factors,
        "catalogue": {"name": "loans-en", "version": "1"},
    }  # fmt: skip
    made = running.register(upload.with_manifest(**manifest))
    assert made.status_code == 201, made.text
    assert running.approve("combined").status_code == 200
    return Combining(running, between(0.8, 1), between(0, 0.2), between(0.5, 0.8), between(0.2, 0.5))


def adverse_factors(answer: Sent) -> list[str]:
    """The factors that spoke against the applicant, the largest first, added up by hand."""
    phi = {row["feature"]: row["phi"] for row in answer["attribution"]["values"]}
    sums = {factor: sum(phi[name] for name in features) for factor, features in FACTORS.items()}
    return sorted((factor for factor, total in sums.items() if total > 1e-9), key=lambda one: -sums[one])
