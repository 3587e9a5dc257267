"""The same decision twice: one explanation, one answer, whoever was faster, and each retry is a reading."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

TIMES = ("timings_ms", "late")


def _lasting(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name not in TIMES}


def test_a_retry_returns_the_first_answer_and_its_first_entry(running: Any) -> None:
    request = running.request()
    first = running.explain(request)
    entries = running.entries()
    again = running.explain({**request, "budget_ms": 60})
    assert again.status_code == first.status_code == 201
    assert _lasting(again.json()) == _lasting(first.json())
    # Its first answer is disclosed once more, and that is on record (45 CFR 164.312(b)); nothing else is new.
    assert running.entries() == entries + 1
    (read,) = running.services.log.about(running.uuid(again.json()["explanation_id"]))
    assert (read.entry.type, read.entry.actor, read.entry.private) == ("explanation.read", "tester", None)
    assert dict(read.entry.body) == {"explanation_id": first.json()["explanation_id"], "how": "retry"}


def test_numbers_count_by_value(running: Any) -> None:
    request = running.request(features={**running.features, "income": 21, "dependents": 2.0})
    first = running.explain(request).json()
    retry = {**request, "features": {**running.features, "income": 21.0, "dependents": 2}}
    assert _lasting(running.explain(retry).json()) == _lasting(first)


def test_twenty_at_once_make_one_entry(running: Any) -> None:
    request = running.request()
    before, reads = running.entries("explanation.created"), running.entries("explanation.read")
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: running.explain(request), range(20)))
    assert {response.status_code for response in answers} == {201}
    assert running.entries("explanation.created") == before + 1
    # One of them made it; each other got what was on record, whether it looked before or lost at the commit.
    assert running.entries("explanation.read") == reads + 19
    assert sum(response.json()["timings_ms"] is not None for response in answers) == 1
    assert all(_lasting(response.json()) == _lasting(answers[0].json()) for response in answers)


def test_another_question_about_the_same_decision_is_refused(running: Any) -> None:
    request = running.request()
    running.explain(request)
    entries = running.entries()
    changed = [
        {"features": {**running.features, "income": 22.0}},
        {"counterfactuals": {"count": 1}},
        {"version": "2"},
    ]
    for change in changed:
        refused = running.explain({**request, **change})
        assert refused.status_code == 409, change
        assert refused.json()["type"] == "/problems/decision-conflict"
    assert running.entries() == entries  # nothing was disclosed
    assert running.explain({**request, "version": "1"}).status_code == 201


def test_the_same_decision_id_of_another_model_is_another_decision(running: Any, upload: Any) -> None:
    other = upload.with_manifest(model="other-loans")
    assert running.register(other).status_code == 201
    assert running.approve("other-loans").status_code == 200
    request = running.request()
    here, there = running.explain(request).json(), running.explain(request, "other-loans").json()
    assert here["explanation_id"] != there["explanation_id"]
    assert here["attribution"] == there["attribution"]
