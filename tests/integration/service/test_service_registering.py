"""Registrations are examined apart: explanations go on, crashes have names, and few run at once."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, fields
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from explain.gate import CapabilityReport
from registry.digests import canonical_json, digest_of
from registry.store import get_version
from service.threads import EXAMINATIONS, EXAMINATIONS_WAITING
from tests.oracles.examinations import begun, gone, let_loading, sleeping, until


@pytest.fixture
def loading(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Gives `loading(body)`: in the child, loading a model does this instead."""
    return partial(let_loading, monkeypatch, tmp_path)


def test_the_whole_report_is_stored_logged_and_readable(running: Any) -> None:
    version = running.http.get("/v1/models/loans/versions/1").json()
    report = version["capability"]
    unworded = {"factors_without_reason", "factors_not_always_worded", "factors_without_missing_reason"}
    assert {field.name for field in fields(CapabilityReport)} | unworded <= set(report)
    assert report["reference_rows"] == version["reference"]["rows"]
    assert 0 <= report["reconciliation_max_error"] <= report["reconciliation_tolerance"]
    assert report["storage"]["table_bytes"] > 0
    assert report["constructs"][1] == "booster gbtree"
    loaded = running.services.versions.get("loans")
    assert asdict(loaded.shap.storage) == report["storage"]
    assert report["trees"] == loaded.model.form().tree_count
    with running.services.pool.connection() as conn:
        entry_id = get_version(conn, "loans", "1").registered_entry
    body = running.services.log.read(entry_id).entry.body
    assert body["capability_digest"] == digest_of(canonical_json(report))


@pytest.mark.parametrize(
    "death",
    [
        ("import ctypes; ctypes.string_at(0)", "crashed on it (signal 11)"),
        ("import os; os.kill(os.getpid(), 9)", "for want of memory"),
        ("raise MemoryError", "more memory"),
    ],
)
def test_a_child_that_dies_is_a_named_problem_and_the_next_is_registered(
    running: Any, upload: Any, loading: Any, monkeypatch: pytest.MonkeyPatch, death: tuple[str, str]
) -> None:
    body, sentence = death
    fresh = upload.with_manifest(model="deadly-" + sentence.split()[0])
    before = running.entries()
    loading(body)
    problem = running.register(fresh)
    assert (problem.status_code, problem.json()["type"]) == (422, "/problems/model-corrupt")
    assert sentence in problem.json()["detail"]
    assert running.entries() == before
    assert running.http.get("/readyz").status_code == 200
    monkeypatch.undo()
    assert running.register(fresh).status_code == 201


def test_an_upload_that_is_registered_is_not_examined_again(running: Any, upload: Any, loading: Any) -> None:
    loading("import os; os.abort()")
    first = running.http.get("/v1/models/loans/versions/1").json()
    again = running.register(upload)
    assert again.status_code == 201
    receipt = again.json().pop("receipt")
    assert {**again.json(), "receipt": None} == first
    assert running.services.log.read(UUID(receipt["entry_id"])).entry.type == "model.registered"


def test_explanations_go_on_while_registrations_wait_and_too_many_are_told_to_come_again(
    running: Any, upload: Any, loading: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = tmp_path / "pid"
    loading(sleeping(told))
    taken = EXAMINATIONS + EXAMINATIONS_WAITING
    before = running.entries("model.registered")

    def register(number: int) -> httpx.Response:
        response: httpx.Response = running.register(upload.with_manifest(model=f"crowd-{number}"))
        return response

    with ThreadPoolExecutor(taken) as pool:
        waiting = [pool.submit(register, number) for number in range(taken)]
        until(lambda: begun(told) and running.services.gate.in_flight == taken)
        refused = register(taken)
        assert (refused.status_code, refused.json()["type"]) == (503, "/problems/overloaded")
        assert int(refused.headers["retry-after"]) >= 5
        assert "registrations" in refused.json()["detail"]
        for _ in range(3):
            assert running.explain(running.request()).status_code == 201
        monkeypatch.undo()  # the others are examined as ever
        os.kill(int(told.read_text()), signal.SIGKILL)
        statuses = sorted(response.result().status_code for response in waiting)
    assert statuses == [201] * (taken - 1) + [422]
    assert running.entries("model.registered") == before + taken - 1


def test_stopping_the_service_leaves_no_child_behind(
    start_service: Any, database: Any, upload: Any, loading: Any, tmp_path: Path
) -> None:
    told = tmp_path / "pid"
    with ThreadPoolExecutor(1) as pool:
        with start_service(database) as service:
            loading(sleeping(told))
            answer = pool.submit(service.register, upload)
            until(lambda: begun(told))
        assert gone(int(told.read_text()))
        with suppress(httpx.TransportError):  # the connection may be closed first
            assert answer.result().status_code == 503
