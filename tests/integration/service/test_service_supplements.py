"""From a deferred answer to its supplement: promised, finished by a worker, read, proved, verified."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import psycopg
import pytest
from typer.testing import CliRunner

from cli.main import app as program
from records.promises import project_promises
from runtime.settings import Settings
from schemas.answer import Explanation
from schemas.evaluation import Evaluation
from workers.evaluating import evaluate
from workers.policy import Policy
from workers.resources import Resources, open_resources


@pytest.fixture
def worker(running: Any) -> Iterator[Resources]:
    """A worker on the databases of the service."""
    settings: Settings = running.services.settings
    own = replace(
        settings,
        database_url=settings.database_url.replace("ofrecord_service", "ofrecord_worker"),
        keys_database_url=settings.keys_database_url.replace("ofrecord_service", "ofrecord_worker"),
    )
    with open_resources(own, Policy()) as resources:
        yield resources


@contextmanager
def _no_search_thread(running: Any) -> Iterator[None]:
    """Every thread that searches is busy with something else."""
    seek, over = running.services.seek, threading.Event()
    held = [seek._pool.submit(over.wait) for _ in range(seek._threads)]
    try:
        yield
    finally:
        over.set()
        for one in held:
            one.result()


def _deferred(running: Any, **changes: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """A request whose search had no turn, and its answer."""
    request = running.request(budget_ms=150, **changes)
    with _no_search_thread(running):
        response = running.explain(request)
    assert response.status_code == 201, response.text
    return request, response.json()


def _read(running: Any, explanation_id: str) -> dict[str, Any]:
    response = running.http.get(f"/v1/explanations/{explanation_id}")
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    Explanation.model_validate(found)
    return found


def test_a_deferred_answer_is_finished_and_read_at_the_same_address(running: Any, worker: Resources) -> None:
    request, first = _deferred(running)
    told = first["counterfactuals"]
    assert (told["status"], told["complete"], told["items"]) == ("deferred", False, [])
    where = f"/v1/evaluations/{told['evaluation_id']}"
    queued = Evaluation.model_validate(running.http.get(where).json())
    assert (queued.kind, queued.state) == ("counterfactual", "queued")
    assert queued.requested_entry_id == first["explanation_id"]
    assert "supplements" not in _read(running, first["explanation_id"])
    evaluate(worker, UUID(told["evaluation_id"]))
    done = running.http.get(where).json()
    assert (done["state"], done["result"]["status"]) == ("completed", "found")
    back = _read(running, first["explanation_id"])
    (supplement,) = back.pop("supplements")
    assert supplement["entry_id"] == done["outcome_entry_id"]
    assert supplement["evaluation_id"] == told["evaluation_id"]
    assert supplement["receipt"]["entry_id"] == supplement["entry_id"]
    assert supplement["counterfactuals"]["status"] == "found"
    assert len(supplement["counterfactuals"]["items"]) == done["result"]["count"] == 3
    assert back["counterfactuals"] == told
    again = running.explain(request).json()
    assert "supplements" not in again
    assert again["counterfactuals"] == told


def test_every_item_of_a_supplement_is_approved_when_it_is_sent_back(running: Any, worker: Resources) -> None:
    request, first = _deferred(running)
    evaluate(worker, UUID(first["counterfactuals"]["evaluation_id"]))
    (supplement,) = _read(running, first["explanation_id"])["supplements"]
    for item in supplement["counterfactuals"]["items"]:
        changed = {change["feature"]: change["to"] for change in item["changes"]}
        given = running.request(features=request["features"] | changed, counterfactuals={"count": 0})
        decided = running.explain(given).json()["decision"]
        assert (decided["favourable"], decided["score"]) == (True, item["score"])


def test_the_newest_supplement_stands_last_and_each_reading_is_on_record(
    running: Any, worker: Resources
) -> None:
    _, first = _deferred(running)
    explanation_id = first["explanation_id"]
    evaluate(worker, UUID(first["counterfactuals"]["evaluation_id"]))
    asked = running.http.post(
        "/v1/evaluations",
        json={"kind": "counterfactual", "model": "loans", "parameters": {"explanation_id": explanation_id}},
    )
    assert asked.status_code == 202, asked.text
    evaluate(worker, UUID(asked.json()["evaluation_id"]))
    reads = running.entries("explanation.read")
    found = _read(running, explanation_id)["supplements"]
    assert running.entries("explanation.read") == reads + 1
    assert [one["evaluation_id"] for one in found] == [
        first["counterfactuals"]["evaluation_id"],
        asked.json()["evaluation_id"],
    ]
    assert found[0]["counterfactuals"] == found[1]["counterfactuals"]
    query = {"model": "loans", "decision_id": first["decision_id"]}
    (by_decision,) = running.http.get("/v1/explanations", params=query).json()["explanations"]
    assert [one["entry_id"] for one in by_decision["supplements"]] == [one["entry_id"] for one in found]


def test_a_supplement_is_proved_and_verified_offline(running: Any, worker: Resources, tmp_path: Path) -> None:
    _, first = _deferred(running)
    evaluate(worker, UUID(first["counterfactuals"]["evaluation_id"]))
    (supplement,) = _read(running, first["explanation_id"])["supplements"]
    address = f"/v1/explanations/{supplement['entry_id']}/proof"
    reads = running.entries("explanation.read")
    assert running.http.get(address).status_code == 202
    running.integrate()
    evidence = running.http.get(address)
    assert evidence.status_code == 200
    assert running.entries("explanation.read") == reads + 1
    about = running.services.log.about(UUID(first["explanation_id"]), "explanation.read")
    assert about[-1].entry.body["supplement_id"] == supplement["entry_id"]
    file = tmp_path / "supplement.json"
    file.write_bytes(evidence.content)
    keys = [argument for key in running.vkeys for argument in ("--key", key)]
    checked = CliRunner().invoke(program, ["verify", str(file), *keys])
    assert checked.exit_code == 0, checked.output
    assert "explanation.supplemented" in checked.output
    change = supplement["counterfactuals"]["items"][0]["changes"][0]
    assert f"{change['feature']} " in checked.output
    file.write_bytes(running.http.get(address, params={"disclose": "none"}).content)
    about = running.services.log.about(UUID(first["explanation_id"]), "explanation.read")
    assert [one.entry.body.get("disclosed") for one in about[-2:]] == [True, False]
    assert about[-1].entry.body["supplement_id"] == supplement["entry_id"]
    hidden = CliRunner().invoke(program, ["verify", str(file), *keys])
    assert (hidden.exit_code, "not disclosed" in hidden.output) == (0, True)
    unread = running.http.get(f"/v1/explanations/{supplement['entry_id']}")
    assert unread.status_code == 404


def test_a_promise_that_a_crash_left_behind_is_kept(running: Any, worker: Resources) -> None:
    """The row is gone, as if the service had died before it was there; the entry still promises it."""
    made = [_deferred(running)[1] for _ in range(2)]
    ids = [UUID(one["counterfactuals"]["evaluation_id"]) for one in made]
    with psycopg.connect(running.admin_url) as conn:
        conn.execute("delete from records.evaluation where evaluation_id = any(%s)", (ids,))
    running.integrate()
    with worker.pool.connection() as conn:
        while project_promises(conn, 500):
            pass
    for one, evaluation_id in zip(made, ids, strict=True):
        evaluate(worker, evaluation_id)
        assert len(_read(running, one["explanation_id"])["supplements"]) == 1
    with psycopg.connect(running.admin_url) as conn:
        conn.execute("delete from records.evaluation where evaluation_id = %s", (ids[0],))
    _read(running, made[0]["explanation_id"])
    where = f"/v1/evaluations/{ids[0]}"
    assert running.http.get(where).json()["state"] == "queued"
    evaluate(worker, ids[0])  # what is on record is found again by its key, not appended again
    assert len(_read(running, made[0]["explanation_id"])["supplements"]) == 1
    assert running.http.get(where).json()["state"] == "completed"


def test_what_cannot_be_asked_of_counterfactuals(running: Any) -> None:
    none = running.explain(running.request(counterfactuals={"count": 0})).json()["explanation_id"]
    some = running.explain(running.request()).json()["explanation_id"]
    before = running.entries()
    for kind, parameters, pointer in (
        ("counterfactual", {"explanation_id": none}, "/parameters/explanation_id"),
        ("counterfactual", {"explanation_id": some, "reference": "given"}, "/parameters/reference"),
        ("counterfactual_metrics", {"explanation_id": none}, "/parameters/explanation_id"),
        ("counterfactual_metrics", {"explanation_id": some, "of": "mine"}, "/parameters/of"),
        ("counterfactual_metrics", {"explanation_id": some, "reference": "all"}, "/parameters/reference"),
    ):
        asked = {"kind": kind, "model": "loans", "parameters": parameters}
        response = running.http.post("/v1/evaluations", json=asked)
        assert response.status_code == 422, response.text
        assert [flaw["pointer"] for flaw in response.json()["errors"]] == [pointer]
    assert running.entries() == before


def test_the_measures_of_an_answer_are_asked_over_http(running: Any, worker: Resources) -> None:
    answer = running.explain(running.request()).json()
    parameters = {"explanation_id": answer["explanation_id"], "reference": "all_applicants"}
    asked = {"kind": "counterfactual_metrics", "model": "loans", "parameters": parameters}
    where = running.http.post("/v1/evaluations", json=asked).headers["location"]
    evaluate(worker, UUID(where.rsplit("/", 1)[1]))
    done = running.http.get(where).json()
    assert done["state"] == "completed", done
    result, items = done["result"], answer["counterfactuals"]["items"]
    assert (result["of"], result["count"], result["validity"]) == ("answer", len(items), 1.0)
    assert result["cost"] == pytest.approx(sum(item["cost"] for item in items) / len(items))
    assert result["other"]["kind"] == "all_applicants"
    assert result["reference"]["kind"] == "near_cutoff_approved"
    entry = running.services.log.read(UUID(done["outcome_entry_id"]))
    assert len(orjson.loads(running.services.log.open(entry))["items"]) == len(items)
