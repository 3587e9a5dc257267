"""Replays over HTTP: what is on record is computed again and is the same, and what is not is told."""

from __future__ import annotations

from typing import Any

from schemas.replay import Replay


def replayed(running: Any, explanation_id: str) -> dict[str, Any]:
    """The answer of one replay."""
    response = running.http.post(f"/v1/explanations/{explanation_id}/replay")
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    Replay.model_validate(found)
    return found


def test_a_decision_is_identical_when_it_is_computed_again(running: Any) -> None:
    made = running.explain(running.request()).json()
    found = replayed(running, made["explanation_id"])
    assert (found["verdict"], found["first_difference"], found["not_compared"]) == ("identical", None, [])
    assert set(found["parts"].values()) == {"identical"}
