"""Evaluations over HTTP: recorded first, sent after, looked at, cancelled."""

from __future__ import annotations

from typing import Any

import pytest

from records.evaluations import KINDS
from schemas.evaluation import Evaluation
from service.requesting import _READERS
from workers.evaluating import WORK

UNKNOWN = "0193b8a0-0000-7000-8000-000000000000"


@pytest.fixture
def explained(running: Any) -> dict[str, Any]:
    answer: dict[str, Any] = running.explain(running.request()).json()
    return answer


def _ask(running: Any, explained: dict[str, Any], **changes: Any) -> Any:
    parameters = {"explanation_id": explained["explanation_id"]}
    return running.http.post(
        "/v1/evaluations", json={"kind": "kernelshap", "model": "loans", "parameters": parameters, **changes}
    )


def test_asked_looked_at_and_cancelled(running: Any, explained: dict[str, Any]) -> None:
    requested, cancelled = running.entries("evaluation.requested"), running.entries("evaluation.cancelled")
    response = _ask(running, explained)
    assert response.status_code == 202
    asked = Evaluation.model_validate(response.json())
    assert (asked.state, asked.progress, asked.version) == ("queued", 0, "1")
    assert running.entries("evaluation.requested") == requested + 1
    where = response.headers["location"]
    assert Evaluation.model_validate(running.http.get(where).json()) == asked
    gone = running.http.delete(where)
    assert gone.status_code == 202
    assert gone.json()["state"] == "cancelled"
    assert gone.json()["outcome_entry_id"] is not None
    assert running.http.delete(where).json() == gone.json()
    assert running.entries("evaluation.cancelled") == cancelled + 1


def test_a_broker_that_is_away_does_not_matter(
    running: Any, explained: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from runtime import broker  # noqa: PLC0415

    def away(*_: object, **__: object) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(broker, "send", away)
    monkeypatch.setattr(running.services.tasks, "_send", None)
    response = _ask(running, explained)
    assert response.status_code == 202
    assert running.http.get(response.headers["location"]).json()["state"] == "queued"


def test_what_cannot_be_asked(running: Any, explained: dict[str, Any]) -> None:
    before = running.entries()
    good = {"explanation_id": explained["explanation_id"]}
    cases = [
        ({"kind": "horoscope"}, 422, "evaluation-kind-unknown"),
        ({"parameters": {}}, 422, "invalid-input"),
        ({"parameters": {"explanation_id": 7}}, 422, "invalid-input"),
        ({"parameters": {**good, "more": 1}}, 422, "invalid-input"),
        ({"parameters": {"explanation_id": UNKNOWN}}, 404, "not-found"),
        ({"model": "other"}, 404, "not-found"),
        ({"version": "7"}, 422, "invalid-input"),
        ({"kind": 7}, 422, "invalid-input"),
    ]
    for changes, status, name in cases:
        response = _ask(running, explained, **changes)
        assert (response.status_code, response.json()["type"]) == (status, f"/problems/{name}"), changes
    assert running.entries() == before


def test_importance_is_asked_about_a_version(running: Any) -> None:
    def ask(**changes: Any) -> Any:
        document = {"kind": "importance", "model": "loans", **changes}
        return running.http.post("/v1/evaluations", json=document)

    for given in ({}, {"parameters": {}}, {"parameters": {"over": "reference"}}, {"version": "1"}):
        response = ask(**given)
        assert response.status_code == 202, response.text
        asked = Evaluation.model_validate(response.json())
        assert (asked.kind, asked.version, asked.parameters) == ("importance", "1", {"over": "reference"})
    before = running.entries()
    for given, status, pointers in (
        ({"parameters": {"over": "training"}}, 422, ["/parameters/over"]),
        ({"parameters": {"over": 7}}, 422, ["/parameters/over"]),
        ({"parameters": {"explanation_id": UNKNOWN}}, 422, ["/parameters/explanation_id"]),
        ({"parameters": {"a/b": 1}}, 422, ["/parameters/a~1b"]),
        ({"version": "77"}, 404, None),
        ({"model": "nothing"}, 404, None),
    ):
        response = ask(**given)
        assert response.status_code == status, response.text
        assert [flaw["pointer"] for flaw in response.json().get("errors", [])] == (pointers or [])
    assert running.entries() == before


def test_stability_takes_a_bounded_number_of_draws(running: Any, explained: dict[str, Any]) -> None:
    good = {"explanation_id": explained["explanation_id"]}
    for more, told in (({}, {}), ({"draws": 50}, {"draws": "50"}), ({"draws": 2000}, {"draws": "2000"})):
        response = _ask(running, explained, kind="reason_stability", parameters={**good, **more})
        assert response.status_code == 202, response.text
        assert response.json()["parameters"] == {**good, **told}
    before = running.entries()
    for draws in (49, 2001, 100.5, "100", True, [100]):
        response = _ask(running, explained, kind="reason_stability", parameters={**good, "draws": draws})
        assert response.status_code == 422, response.text
        assert [flaw["pointer"] for flaw in response.json()["errors"]] == ["/parameters/draws"]
    assert running.entries() == before


def test_another_reference_is_named_in_the_parameters_or_in_the_query(
    running: Any, explained: dict[str, Any]
) -> None:
    good = {"explanation_id": explained["explanation_id"]}

    def ask(query: str | None, **more: object) -> Any:
        document = {"kind": "reference_comparison", "model": "loans", "parameters": {**good, **more}}
        where = "/v1/evaluations" + ("" if query is None else f"?reference={query}")
        return running.http.post(where, json=document)

    for query, more, told in (
        ("given", {}, "given"),
        (None, {"reference": "all_applicants"}, "all_applicants"),
        ("near_cutoff_approved", {"reference": "near_cutoff_approved"}, "near_cutoff_approved"),
    ):
        response = ask(query, **more)
        assert response.status_code == 202, response.text
        assert response.json()["parameters"] == {**good, "reference": told}
    before = running.entries()
    for query, more in (
        (None, {}),
        (None, {"reference": "training"}),
        (None, {"reference": 7}),
        ("training", {}),
        ("", {}),
        ("given", {"reference": "all_applicants"}),
        ("given", {"reference": None}),
    ):
        response = ask(query, **more)
        assert response.status_code == 422, response.text
        assert [flaw["pointer"] for flaw in response.json()["errors"]] == ["/parameters/reference"]
    other = running.http.post(
        "/v1/evaluations?reference=given", json={"kind": "importance", "model": "loans"}
    )
    assert [flaw["pointer"] for flaw in other.json()["errors"]] == ["/parameters/reference"]
    assert running.entries() == before


def test_every_kind_that_is_taken_is_done_by_a_worker() -> None:
    assert set(KINDS) == set(_READERS) == set(WORK)
