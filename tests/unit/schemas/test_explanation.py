"""Requests and answers on the wire: the specification's own examples, strict types, limits."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic import ValidationError

import schemas
from schemas.base import Wire, format_moment
from schemas.problem import pointed_errors

ID = "01932d5c-0a5e-7000-8000-000000000001"
DIGEST = "sha256:" + "a" * 64

REQUEST: dict[str, Any] = json.loads("""
{"decision_id": "A-2026-000123", "subject_ref": "S-778",
 "features": {"income": 56.0, "loan_amount": 89, "property_type": null},
 "version": "1", "budget_ms": 200, "counterfactuals": {"count": 3, "required": false},
 "protected": {"sex": "female"}, "purpose": "adverse_action",
 "decided": {"outcome": "decline", "score": 0.71, "at": "2026-11-20T10:15:00Z"},
 "application": {"completed_at": "2026-11-12T08:00:00Z", "action": "denial"}, "components": []}
""")

ANSWER: dict[str, Any] = json.loads(
    """
{"explanation_id": "ID", "decision_id": "A-2026-000123", "model": "boston-mortgage", "version": "1",
 "decision": {"outcome": "decline", "favourable": false, "score": 0.71, "margin": 0.896, "threshold": 0.5,
   "output_space": "margin"},
 "attribution": {"method": "interventional_treeshap",
   "reference": {"id": "DIGEST", "kind": "near_cutoff_approved", "rows": 312, "digest": "DIGEST"},
   "base_value": -1.204, "values": [{"feature": "debt_ratio", "value": 61.0, "phi": 0.83}],
   "reconciliation": {"expected": 0.896, "sum": 0.896, "error": 2.1e-7, "tolerance": 1e-4}},
 "reasons": [{"rank": 1, "code": "R07", "factor": "debt_to_income",
   "text": "Excessive obligations in relation to income", "contribution": 0.83, "share": 0.41,
   "reference_value": 33.2, "observed": {"debt_ratio": 61.0}, "near_tie": false}],
 "counterfactuals": {"status": "found", "complete": true,
   "items": [{"changes": [{"feature": "loan_amount", "from": 89, "to": 74}], "score": 0.46,
     "outcome": "approve", "verified": true, "cost": 0.6, "method": "dice_genetic"}], "evaluation_id": null},
 "warnings": [],
 "timings_ms": {"attribution": 0.4, "reasons": 0.1, "counterfactuals": 41.0, "audit": 2.2, "total": 44.9},
 "receipt": {"entry_id": "ID", "leaf_hash": "HASH", "log_origin": "o", "time": "2026-11-20T10:15:00.5Z",
   "integrate_by": "2026-11-20T10:16:00Z", "key_id": "k", "signature": "s", "index": null}}
""".replace("DIGEST", DIGEST)
    .replace("HASH", "b" * 64)
    .replace("ID", ID)
)


def pointers_of(document: object) -> dict[str, str]:
    with pytest.raises(ValidationError) as caught:
        schemas.ExplanationRequest.model_validate(document)
    return {error.pointer: error.detail for error in pointed_errors(caught.value)}


def test_the_request_of_the_specification_is_read() -> None:
    request = schemas.ExplanationRequest.model_validate(REQUEST)
    assert request.features == {"income": 56.0, "loan_amount": 89, "property_type": None}
    assert isinstance(request.features["loan_amount"], int)
    assert isinstance(request.features["income"], float)
    assert request.decided is not None
    assert request.decided.at == datetime(2026, 11, 20, 10, 15, tzinfo=UTC)


def test_what_is_optional_has_defaults() -> None:
    request = schemas.ExplanationRequest.model_validate({"decision_id": "A", "features": {}})
    assert (request.subject_ref, request.version, request.decided) == (None, None, None)
    assert (request.counterfactuals.count, request.counterfactuals.required) == (3, False)
    assert 20 <= request.budget_ms <= 60_000


def test_the_answer_of_the_specification_round_trips() -> None:
    answer = schemas.Explanation.model_validate(ANSWER)
    written = json.loads(answer.model_dump_json())
    assert written["counterfactuals"]["items"][0]["changes"] == [
        {"feature": "loan_amount", "from": 89, "to": 74, "derived": False}
    ]
    assert written["receipt"]["time"] == "2026-11-20T10:15:00.500000Z"
    assert schemas.Explanation.model_validate(written) == answer


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"decision_id": ""}, "/decision_id"),
        ({"decision_id": 7}, "/decision_id"),
        ({"decision_id": "a\nb"}, "/decision_id"),
        ({"decision_id": "x" * 201}, "/decision_id"),
        ({"subject_ref": "x" * 201}, "/subject_ref"),
        ({"features": []}, "/features"),
        ({"features": {"a": [1]}}, "/features/a"),
        ({"features": {"a": {"b": 1}}}, "/features/a"),
        ({"features": {"a": "x" * 513}}, "/features/a"),
        ({"budget_ms": 19}, "/budget_ms"),
        ({"budget_ms": 60_001}, "/budget_ms"),
        ({"budget_ms": "200"}, "/budget_ms"),
        ({"budget_ms": True}, "/budget_ms"),
        ({"counterfactuals": {"count": 11}}, "/counterfactuals/count"),
        ({"counterfactuals": {"count": -1}}, "/counterfactuals/count"),
        ({"counterfactuals": {"count": 2.0}}, "/counterfactuals/count"),
        ({"counterfactuals": {"count": 0, "required": True}}, "/counterfactuals/required"),
        ({"counterfactuals": {"required": "yes"}}, "/counterfactuals/required"),
        ({"decided": {"score": "0.7"}}, "/decided/score"),
        ({"decided": {"score": float("nan")}}, "/decided/score"),
        ({"decided": {"at": "2026-11-20T10:15:00"}}, "/decided/at"),
        ({"decided": {"at": "yesterday"}}, "/decided/at"),
        ({"decided": {"at": 1_700_000_000}}, "/decided/at"),
        ({"decided": {"at": "0001-01-01T00:00:00+14:00"}}, "/decided/at"),
        ({"application": {"action": "shrug"}}, "/application/action"),
        ({"components": [{"name": "x", "kind": "knock_out", "result": "failed"}]}, "/components/0/kind"),
        ({"purpose": "Adverse Action"}, "/purpose"),
        ({"features_": {}}, "/features_"),
    ],
    ids=str,
)
def test_a_fault_is_named_at_its_place(change: dict[str, Any], pointer: str) -> None:
    assert list(pointers_of({**REQUEST, **change})) == [pointer]


def test_faults_never_repeat_what_was_sent() -> None:
    found = pointers_of({**REQUEST, "subject_ref": ["secret person"], "features": {"a": ["secret value"]}})
    assert "secret" not in json.dumps(found)


def test_times_are_written_in_utc_with_six_digits() -> None:
    moment = datetime(2026, 11, 20, 12, 15, 0, 1, tzinfo=timezone(timedelta(hours=2)))
    assert format_moment(moment) == "2026-11-20T10:15:00.000001Z"
    assert format_moment(datetime(33, 1, 1, tzinfo=UTC)) == "0033-01-01T00:00:00.000000Z"


def _all_models(parent: type[Wire]) -> list[type[Wire]]:
    """All that is sent or answered; what a module reads for itself alone has an underscore."""
    found = [one for child in parent.__subclasses__() for one in (child, *_all_models(child))]
    return [one for one in found if not one.__name__.startswith("_")]


@pytest.mark.parametrize("model", _all_models(Wire), ids=lambda model: model.__name__)
def test_every_field_of_the_wire_is_described(model: type[Wire]) -> None:
    described = model.model_json_schema()
    own = described["$defs"][model.__name__] if "$ref" in described else described
    assert own["description"]
    assert [name for name, said in own["properties"].items() if not said.get("description")] == []
