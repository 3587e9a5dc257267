"""Many decisions in one call: each alone, in order, recorded, and whatever fails fails by itself."""

from __future__ import annotations

import secrets
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from audit.errors import AuditUnavailable
from explain.errors import TablesChanged
from schemas.answer import BatchAnswer, Explanation

MADE_BY_THE_CALL = {"timings_ms", "receipt", "late", "created_at", "explanation_id", "decision_id"}


def _send(running: Any, decisions: object, model: str = "loans") -> Any:
    return running.http.post(f"/v1/models/{model}/explanations/batch", json={"decisions": decisions})


def _answers(running: Any, decisions: list[Any], model: str = "loans") -> list[dict[str, Any]]:
    response = _send(running, decisions, model)
    assert response.status_code == 201, response.text
    BatchAnswer.model_validate(response.json())
    answers: list[dict[str, Any]] = response.json()["answers"]
    assert len(answers) == len(decisions)
    for answer in answers:
        assert (answer["explanation"] is None) == (answer["status"] != 201)
        assert (answer["problem"] is None) == (answer["status"] == 201)
    return answers


def _varied(running: Any, count: int) -> list[dict[str, Any]]:
    """Requests of different applicants, approved and declined."""
    made = []
    for number in range(count):
        request = running.request()
        request["features"] |= {
            "income": 20.0 + 7 * (number % 17),
            "debt_ratio": None if number % 5 == 0 else 40,
        }
        made.append(request)
    return made


def test_each_row_gets_what_it_would_get_alone_in_order(running: Any) -> None:
    rows = _varied(running, 60)
    before = running.entries("explanation.created")
    answers = _answers(running, rows)
    assert [answer["status"] for answer in answers] == [201] * 60
    assert [answer["explanation"]["decision_id"] for answer in answers] == [
        row["decision_id"] for row in rows
    ]
    assert running.entries("explanation.created") == before + 60
    assert len({answer["explanation"]["receipt"]["entry_id"] for answer in answers}) == 60
    assert len({answer["explanation"]["decision"]["outcome"] for answer in answers}) == 2
    for row, answer in list(zip(rows, answers, strict=True))[::9]:
        alone = running.explain({**row, "decision_id": row["decision_id"] + "-alone"}).json()
        together = answer["explanation"]
        for name in set(alone) - MADE_BY_THE_CALL:
            assert together[name] == alone[name], name
        timings = together["timings_ms"]
        assert 0 < timings["attribution"] <= timings["total"]
        assert not together["late"]
        read = running.http.get(f"/v1/explanations/{together['explanation_id']}").json()
        assert {**read, "timings_ms": timings} == together | {"receipt": read["receipt"], "standing": None}
    again = _answers(running, rows)
    for first, second in zip(answers, again, strict=True):
        assert second["explanation"]["timings_ms"] is None
        assert second["explanation"]["explanation_id"] == first["explanation"]["explanation_id"]
    assert running.entries("explanation.created") == before + 60 + len(rows[::9])


def test_a_row_that_fails_has_its_own_problem_and_troubles_nobody(running: Any) -> None:
    good = running.request
    misspelt, taken = good(), good()
    misspelt["features"]["incme"] = misspelt["features"].pop("income")
    assert running.explain(taken).status_code == 201
    rows: list[tuple[Any, int, str | None]] = [
        (good(), 201, None),
        (misspelt, 422, "invalid-input"),
        ("not a request", 422, "invalid-input"),
        (good(budget_ms=7), 422, "invalid-input"),
        (good(version="77"), 404, "not-found"),
        (good(protected={"shoe_size": 44}), 422, "invalid-input"),
        (good(decided={"outcome": "approve"}), 409, "decision-mismatch"),
        ({**taken, "features": {**taken["features"], "income": 99.0}}, 409, "decision-conflict"),
        ({**taken, "version": "1"}, 201, None),
        (good(), 201, None),
    ]
    created, incidents = running.entries("explanation.created"), running.entries("incident.raised")
    answers = _answers(running, [row for row, _, _ in rows])
    assert [answer["status"] for answer in answers] == [status for _, status, _ in rows]
    kinds = [answer["problem"] and answer["problem"]["type"] for answer in answers]
    assert kinds == [name and f"/problems/{name}" for _, _, name in rows]
    assert running.entries("explanation.created") == created + 2
    assert running.entries("incident.raised") == incidents + 1
    pointers = {flaw["pointer"] for flaw in answers[1]["problem"]["errors"]}
    assert pointers == {"/features/incme", "/features/income"}
    instances = [answer["problem"]["instance"] for answer in answers if answer["problem"]]
    assert [name.partition("#")[2] for name in instances] == [str(at) for at in range(1, 8)]


def test_the_same_decision_twice_has_the_same_answer_twice(running: Any) -> None:
    row, other = running.request(), running.request()
    conflicting = {**row, "features": {**row["features"], "income": 88.0}}
    before, reads = running.entries("explanation.created"), running.entries("explanation.read")
    answers = _answers(running, [row, other, row, conflicting, row])
    assert [answer["status"] for answer in answers] == [201, 201, 201, 409, 201]
    first, *others = (answers[at]["explanation"] for at in (0, 2, 4))
    for again in others:
        assert {**again, "timings_ms": first["timings_ms"]} == first
    assert running.entries("explanation.created") == before + 2
    assert running.entries("explanation.read") == reads + 2  # the first answer was disclosed twice more
    told = running.services.log.about(running.uuid(first["explanation_id"]))
    assert [dict(one.entry.body) for one in told] == [
        {"explanation_id": first["explanation_id"], "how": "retry"}
    ] * 2


def test_a_batch_sent_again_is_read_row_by_row_and_recorded_together(running: Any) -> None:
    rows = _varied(running, 48)
    first = _answers(running, rows)
    created, entries = running.entries("explanation.created"), running.entries()
    again = _answers(running, [*rows, {**rows[0], "version": "77"}])
    assert again.pop()["status"] == 409  # which discloses nothing
    for made, read in zip(first, again, strict=True):
        assert {**read["explanation"], "timings_ms": made["explanation"]["timings_ms"]} == made["explanation"]
    assert running.entries("explanation.created") == created
    assert running.entries() == entries + 48
    with psycopg.connect(running.admin_url) as conn:
        about = [answer["explanation"]["explanation_id"] for answer in first]
        found = conn.execute(
            "select count(*), count(distinct about), count(distinct xmin::text) from audit.entry"
            " where type = 'explanation.read' and about = any (%s::uuid[])",
            (about,),
        ).fetchone()
    assert found is not None
    assert found[:2] == (48, 48)
    assert found[2] < 24, "each reading had a commit of its own"


def test_versions_of_one_batch_may_differ(running: Any, upload: Any) -> None:
    for version in ("1", "2"):
        assert running.register(upload.with_manifest(model="batched", version=version)).status_code == 201
    assert running.approve("batched", "2").status_code == 200
    rows = [running.request(version="2"), running.request(), running.request(version="1")]
    answers = _answers(running, rows, "batched")
    assert [answer["status"] for answer in answers] == [201, 201, 409]
    assert [answer["explanation"]["version"] for answer in answers[:2]] == ["2", "2"]


def test_what_is_wrong_with_the_batch_refuses_all_of_it(running: Any) -> None:
    before = running.entries()
    limit = running.services.settings.batch_limit
    path = "/v1/models/loans/explanations/batch"
    for body, status, kind in (
        ({"decisions": []}, 422, "invalid-input"),
        ({"decisions": {}}, 422, "invalid-input"),
        ({}, 422, "invalid-input"),
        ([], 422, "invalid-input"),
        ({"decisions": [running.request()], "more": 1}, 422, "invalid-input"),
        ({"decisions": [{}] * (limit + 1)}, 413, "batch-too-large"),
    ):
        response = running.http.post(path, json=body)
        assert (response.status_code, response.json()["type"]) == (status, f"/problems/{kind}"), body
    too_large = running.http.post(path, content=b" " * 900_000, headers={"content-type": "application/json"})
    assert too_large.json()["type"] == "/problems/body-too-large"
    repeated = b'{"decisions":[{"decision_id":"a","decision_id":"b"}]}'
    flawed = running.http.post(path, content=repeated, headers={"content-type": "application/json"})
    assert flawed.json()["errors"][0]["pointer"] == "/decisions/0/decision_id"
    assert running.http.post(path, content=b"{}").status_code == 415
    assert running.entries() == before
    with running.http.stream("POST", path, json={}, headers={"authorization": "Bearer none"}) as response:
        assert response.status_code == 401


class _Rotten:
    """An attribution that is wrong about those who earn most."""

    def __init__(self, shap: Any) -> None:
        self._shap = shap

    def __getattr__(self, name: str) -> Any:
        return getattr(self._shap, name)

    def explain_batch(self, rows: Any, *more: Any) -> Any:
        base_value, phi = self._shap.explain_batch(rows, *more)
        phi[:, 0] += 0.5 * (rows[:, 0] > 60)
        return base_value, phi


def test_an_unreconciled_row_is_an_incident_and_the_others_leave(running: Any, upload: Any) -> None:
    name = f"rotten-{secrets.token_hex(4)}"
    assert running.register(upload.with_manifest(model=name)).status_code == 201
    assert running.approve(name).status_code == 200
    loaded = running.services.versions.get(name)
    object.__setattr__(loaded, "shap", _Rotten(loaded.shap))
    incidents = running.entries("incident.raised")
    answers = _answers(running, _varied(running, 20), name)
    failed = [answer for answer in answers if answer["status"] != 201]
    assert 0 < len(failed) < 20
    assert {answer["problem"]["type"] for answer in failed} == {"/problems/attribution-unreconciled"}
    assert running.entries("incident.raised") == incidents + len(failed)


class _Spoilt:
    """An attribution whose tables changed after they were checked, and which the cache has not noticed."""

    intact = True

    def explain_batch(self, *_: Any) -> Any:
        raise TablesChanged


def test_what_fails_for_all_rows_of_a_version_leaves_the_others_their_answers(
    running: Any, upload: Any
) -> None:
    assert running.register(upload.with_manifest(model="spoilt")).status_code == 201
    assert running.approve("spoilt").status_code == 200
    before = running.request()
    first = running.explain(before, "spoilt").json()
    loaded = running.services.versions.get("spoilt")
    object.__setattr__(loaded, "shap", _Spoilt())
    answers = _answers(running, [before, running.request(), running.request(features={})], "spoilt")
    assert [answer["status"] for answer in answers] == [201, 503, 422]
    assert answers[0]["explanation"]["explanation_id"] == first["explanation_id"]
    assert answers[1]["problem"]["type"] == "/problems/tables-changed"


def test_a_record_that_cannot_be_reached_is_every_rows_answer(
    running: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def away(*_: object) -> None:
        asked.append(1)
        raise AuditUnavailable

    monkeypatch.setattr(type(running.services.log), "find_duplicate", away)
    before = running.entries()
    answers = _answers(running, _varied(running, 200))
    assert {(answer["status"], answer["problem"]["type"]) for answer in answers} == {
        (503, "/problems/audit-unavailable")
    }
    assert len(asked) < 200  # once it is known, nobody waits for it again
    assert running.entries() == before


def test_single_requests_are_answered_while_a_batch_is_worked_on(running: Any) -> None:
    rows = _varied(running, 300)
    done, slowest = threading.Event(), 0.0
    with ThreadPoolExecutor(1) as pool:
        batch = pool.submit(_answers, running, rows)
        batch.add_done_callback(lambda _: done.set())
        while not done.is_set():
            started = time.monotonic()
            assert Explanation.model_validate(running.explain(running.request()).json())
            slowest = max(slowest, time.monotonic() - started)
        assert {answer["status"] for answer in batch.result()} == {201}
    assert slowest < 5.0
