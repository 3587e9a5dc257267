"""The application behind a decision: what may be said of it, and where a fault is."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from schemas.explanation import Application, ExplanationRequest
from schemas.problem import pointed_errors


def _component(name: str, kind: str, result: str, *codes: str) -> dict[str, Any]:
    return {"name": name, "kind": kind, "result": result, "reasons": [{"code": code} for code in codes]}


def _faults(*components: dict[str, Any]) -> list[tuple[str, str]]:
    document = {"decision_id": "A-1", "features": {}, "components": list(components)}
    try:
        ExplanationRequest.model_validate(document)
    except ValidationError as error:
        return [(fault.pointer, fault.detail) for fault in pointed_errors(error)]
    return []


KNOCKED_OUT = _component("fraud list", "knockout", "failed", "K01")


@pytest.mark.parametrize(
    ("component", "pointer"),
    [
        (_component("a\nb", "model", "passed"), "/name"),
        (_component("a", "oracle", "passed"), "/kind"),
        (_component("a", "model", "maybe"), "/result"),
        (_component("a", "knockout", "failed", *"12345"), "/reasons"),
        (_component("a", "knockout", "failed", "a code"), "/reasons/0/code"),
    ],
)
def test_a_fault_of_a_component_is_named_at_its_place(component: dict[str, Any], pointer: str) -> None:
    assert [found for found, _ in _faults(component)] == ["/components/0" + pointer]


def test_what_led_to_a_reason_is_one_line() -> None:
    long = {**KNOCKED_OUT, "reasons": [{"code": "K01", "observed": {"list": "x" * 513}}]}
    ((pointer, _),) = _faults(long)
    assert pointer == "/components/0/reasons/0/observed/list"


def test_a_counteroffer_is_for_a_counteroffer() -> None:
    offered = {"action": "counteroffer", "counteroffer": "100,000 over 15 years"}
    assert Application.model_validate(offered).counteroffer == offered["counteroffer"]
    with pytest.raises(ValidationError, match="is for the action counteroffer only"):
        Application.model_validate({**offered, "action": "denial"})


@pytest.mark.parametrize(
    ("range_", "value", "pointer"), [((850, 300), 600, "/range"), ((300, 850), 900, "/value")]
)
def test_a_credit_score_lies_in_its_range(range_: tuple[int, int], value: int, pointer: str) -> None:
    score = {"value": value, "range": range_, "created_at": "2026-11-20T10:15:00Z", "source": "Bureau"}
    agency = {"name": "Bureau", "address": "1 Main Street", "telephone": "800"}
    with pytest.raises(ValidationError) as refused:
        Application.model_validate({"consumer_reports": [{"agency": agency, "score": score}]})
    assert [fault.pointer for fault in pointed_errors(refused.value)] == [
        f"/consumer_reports/0/score{pointer}"
    ]
