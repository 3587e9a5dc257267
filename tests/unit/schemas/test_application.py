"""What components of a combined decision may say of themselves, and where a fault is."""

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


MODEL = _component("scorecard", "model", "passed")
KNOCKED_OUT = _component("fraud list", "knockout", "failed", "K01")
JUDGED = _component("underwriter", "judgmental", "passed")


@pytest.mark.parametrize(
    "components",
    [
        (),
        (MODEL, KNOCKED_OUT, JUDGED),
        (KNOCKED_OUT,),
        (_component("scorecard", "model", "not_used"), KNOCKED_OUT),
        (_component("scorecard", "model", "gray"), JUDGED),
    ],
)
def test_what_fits_together_is_taken(components: tuple[dict[str, Any], ...]) -> None:
    assert _faults(*components) == []


@pytest.mark.parametrize(
    ("components", "pointer", "detail"),
    [
        ((_component("a", "knockout", "gray", "K01"),), "/components/0/result", "gray is for the model only"),
        ((_component("a", "judgmental", "not_used"),), "/components/0/result", "for the model only"),
        ((_component("a", "model", "failed", "K01"),), "/components/0/reasons", "from its attribution"),
        ((MODEL, _component("a", "knockout", "failed")), "/components/1/reasons", "at least one reason"),
        ((_component("a", "knockout", "passed", "K01"),), "/components/0/reasons", "gives none"),
        ((_component("a", "knockout", "failed", "K01", "K01"),), "/components/0/reasons", "same code twice"),
        ((MODEL, {**JUDGED, "name": "scorecard"}), "/components/1/name", "name of another"),
        ((MODEL, {**MODEL, "name": "other"}), "/components/1/kind", "there is one model"),
        ((_component("a", "model", "not_used"), JUDGED), "/components/0/result", "not_used needs"),
        ((_component("a", "model", "gray"), KNOCKED_OUT), "/components/0/result", "gray needs"),
        ((_component("a\nb", "model", "passed"),), "/components/0/name", "match"),
        ((_component("a", "knockout", "failed", *"12345"),), "/components/0/reasons", "at most 4"),
    ],
)
def test_what_does_not_is_refused_at_its_place(
    components: tuple[dict[str, Any], ...], pointer: str, detail: str
) -> None:
    ((found, told),) = _faults(*components)
    assert found == pointer
    assert detail in told


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
