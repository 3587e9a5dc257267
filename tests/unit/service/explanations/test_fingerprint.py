"""Which requests are the same question about the same decision."""

from __future__ import annotations

import pytest

from schemas.explanation import ExplanationRequest
from service.explanations.fingerprint import idempotency_of, typed

BASE = {
    "decision_id": "A-1",
    "subject_ref": "S-1",
    "features": {"income": 56, "kind": "single", "new": True, "age": None},
}


def _fingerprint(**changes: object) -> bytes:
    return idempotency_of("m", ExplanationRequest.model_validate({**BASE, **changes})).fingerprint


SAME = [
    {"features": {"age": None, "new": True, "kind": "single", "income": 56.0}},
    {"budget_ms": 50},
    {"version": "1"},
    {"purpose": "adverse_action"},
    {"decided": {"outcome": "decline"}},
    {"decided": {"outcome": "approve", "score": 0.2, "at": "2026-11-20T10:15:00Z"}},
    {"application": {"action": "denial", "applicant": {"name": "Ana"}}},
    {"components": []},
    {"subject_ref": "S-2"},
    {"counterfactuals": {"count": 3, "required": False}},
]
OTHER = [
    {"features": {**BASE["features"], "income": 56.000000000000007}},  # type: ignore[dict-item]
    {"features": {**BASE["features"], "income": "56"}},  # type: ignore[dict-item]
    {"features": {**BASE["features"], "income": None}},  # type: ignore[dict-item]
    {"features": {**BASE["features"], "new": 1}},  # type: ignore[dict-item]
    {"features": {**BASE["features"], "new": "true"}},  # type: ignore[dict-item]
    {"features": {**BASE["features"], "more": 0}},  # type: ignore[dict-item]
    {"features": {}},
    {"counterfactuals": {"count": 2}},
    {"counterfactuals": {"count": 3, "required": True}},
    {"components": [{"name": "scorecard", "kind": "model", "result": "passed"}]},
]


@pytest.mark.parametrize("changes", SAME, ids=str)
def test_what_does_not_change_the_question(changes: dict[str, object]) -> None:
    assert _fingerprint(**changes) == _fingerprint()


@pytest.mark.parametrize("changes", OTHER, ids=str)
def test_what_does(changes: dict[str, object]) -> None:
    assert _fingerprint(**changes) != _fingerprint()


def _component(**changes: object) -> dict[str, object]:
    given = {"name": "fraud list", "kind": "knockout", "result": "failed", "reasons": [{"code": "K01"}]}
    return {**given, **changes}


def test_components_are_part_of_the_question() -> None:
    sent = [_component(), _component(name="second look", kind="judgmental")]
    changed: list[list[dict[str, object]]] = [
        sent[:1],
        sent[::-1],
        [_component(name="other"), sent[1]],
        [_component(result="passed", reasons=[]), sent[1]],
        [_component(reasons=[{"code": "K02"}]), sent[1]],
        [_component(reasons=[{"code": "K01", "observed": {"list": "3 hits"}}]), sent[1]],
    ]
    assert len({_fingerprint(components=one) for one in (sent, *changed)}) == len(changed) + 1
    assert _fingerprint(components=[dict(reversed(one.items())) for one in sent]) == _fingerprint(
        components=sent
    )


def test_the_key_is_the_decision_of_the_model() -> None:
    def key(model: str, decision_id: str) -> bytes:
        return idempotency_of(
            model, ExplanationRequest.model_validate({**BASE, "decision_id": decision_id})
        ).key

    assert len({key("m", "A-1"), key("m", "A-2"), key("n", "A-1"), key('m","A', "1")}) == 4


def test_names_and_values_cannot_change_places() -> None:
    assert typed({"a": "b"}) != typed(["a", "b"])
    assert typed({"a": {"b": 1}}) != typed({"a": ["b", 1]})
    assert typed(1) != typed(True)
    assert typed(0.0) == typed(-0.0) == typed(0)


NARROWER: dict[str, object] = {
    "features_to_vary": ["a", "b"],
    "permitted_range": {"a": [1, 2], "c": ["x", "y"]},
    "max_changes": 2,
    "methods": ["direct", "dice_random"],
    "target": {"score": 1, "direction": "below"},
}


def test_the_narrower_question_counts_by_what_it_says() -> None:
    asked = _fingerprint(counterfactuals=NARROWER)
    same: dict[str, object] = {
        "target": {"direction": "below", "score": 1.0},
        "permitted_range": {"c": ["y", "x"], "a": [1.0, 2.0]},
        "features_to_vary": ["b", "a"],
        "methods": ["direct", "dice_random"],
        "max_changes": 2,
        "count": 3,
    }
    assert _fingerprint(counterfactuals=same) == asked
    others = [{name: NARROWER[name] for name in NARROWER if name != left_out} for left_out in NARROWER] + [
        {**NARROWER, **changed}
        for changed in (
            {"features_to_vary": ["a"]},
            {"permitted_range": {"a": [1, 3], "c": ["x", "y"]}},
            {"permitted_range": {"b": [1, 2], "c": ["x", "y"]}},
            {"methods": ["dice_random", "direct"]},
            {"target": {"score": 1, "direction": "above"}},
            {"target": {"class": "b"}},
        )
    ]
    assert (
        len({asked, _fingerprint(), *(_fingerprint(counterfactuals=one) for one in others)})
        == len(others) + 2
    )


def test_what_is_left_to_the_manifest_leaves_no_trace() -> None:
    nothing = {"features_to_vary": None, "permitted_range": {}, "max_changes": None, "target": None}
    assert _fingerprint(counterfactuals=nothing) == _fingerprint()
    assert _fingerprint().endswith(b"[3,false]]")  # as the first release wrote it
