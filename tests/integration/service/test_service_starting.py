"""Starting, overload and stopping: the socket answers first, nothing is lost at the end."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import httpx
import psycopg
import pytest

from service import app as wiring
from service.app import create_app
from service.executor import BoundedExecutor


@pytest.fixture
def settings(running: Any, database: Any) -> Any:
    """The settings of another process, on databases of its own."""
    return replace(
        running.services.settings,
        database_url=database.url("service"),
        keys_database_url=database.keys_url("service"),
    )


def test_the_socket_answers_before_the_process_is_warm(
    listening: Any, settings: Any, running: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = threading.Event()
    monkeypatch.setattr(wiring, "start_up", lambda *_, **__: go.wait(30))
    with listening(create_app(settings)) as http:
        assert http.get("/healthz").status_code == 200
        starting = http.get("/readyz")
        assert starting.status_code == 503
        assert starting.json()["checks"]["start"] == "starting"
        assert starting.json()["checks"]["partitions"].startswith("no partition for")
        assert int(starting.headers["retry-after"]) > 0
        headers = {"authorization": running.http.headers["authorization"]}
        assert http.post("/v1/models/loans/explanations", json={}, headers=headers).status_code == 401
        go.set()
        give_up = time.monotonic() + 5
        while http.get("/readyz").json()["checks"]["start"] != "ok":
            assert time.monotonic() < give_up
            time.sleep(0.02)


def test_nothing_is_explained_before_the_process_is_warm(
    start_service: Any, listening: Any, running: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = threading.Event()
    monkeypatch.setattr(wiring, "start_up", lambda *_, **__: go.wait(30))
    with listening(create_app(running.services.settings)) as http:
        http.headers["authorization"] = running.http.headers["authorization"]
        for response in (
            http.post("/v1/models/loans/explanations", json=running.request()),
            http.post("/v1/models", files={}),
        ):
            assert response.status_code == 503
            assert response.json()["type"] == "/problems/not-ready"
        go.set()


def test_a_database_that_may_forget_is_never_served(listening: Any, settings: Any) -> None:
    with listening(create_app(replace(settings, allow_unsafe_durability=False))) as http:
        give_up = time.monotonic() + 10
        while "fsync" not in (told := http.get("/readyz")).text:
            assert time.monotonic() < give_up, told.text
            time.sleep(0.05)
        assert told.status_code == 503


def test_readiness_names_what_is_missing(running: Any, database: Any, listening: Any, settings: Any) -> None:
    with listening(create_app(settings)) as http:
        give_up = time.monotonic() + 30
        while http.get("/readyz").status_code != 200:
            assert time.monotonic() < give_up, http.get("/readyz").text
            time.sleep(0.05)
        with psycopg.connect(database.admin_url) as conn:
            conn.execute("set event_triggers = off")
            conn.execute("revoke execute on all functions in schema audit from ofrecord_service")
        checks = http.get("/readyz").json()["checks"]
        assert checks["log"] == "this role may not append"
        assert checks["database"] == "ok"


def test_more_than_the_process_takes_is_refused_with_a_time_to_come_back(
    running: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()
    narrow = BoundedExecutor("narrow", threads=1, limit=1)
    wide = running.services.hot
    object.__setattr__(running.services, "hot", narrow)
    try:
        busy = threading.Thread(target=lambda: narrow._pool.submit(gate.wait))
        busy.start()
        busy.join()
        with ThreadPoolExecutor(4) as pool:
            requests = [running.request() for _ in range(4)]
            asked = [pool.submit(running.explain, request) for request in requests]
            time.sleep(0.3)
            gate.set()
            answers = [future.result() for future in asked]
    finally:
        object.__setattr__(running.services, "hot", wide)
        narrow.close()
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [201, 503, 503, 503]
    for answer in answers:
        if answer.status_code == 503:
            assert answer.json()["type"] == "/problems/overloaded"
            assert int(answer.headers["retry-after"]) > 0


def test_stopping_finishes_what_was_begun(start_service: Any, listening: Any, running: Any) -> None:
    before = running.entries("explanation.created")
    answered: list[httpx.Response] = []
    refused = 0
    with listening(create_app(running.services.settings)) as http:
        http.headers["authorization"] = running.http.headers["authorization"]
        give_up = time.monotonic() + 60
        while http.get("/readyz").status_code != 200:
            assert time.monotonic() < give_up
            time.sleep(0.05)
        address, headers = str(http.base_url), dict(http.headers)
        requests = [running.request() for _ in range(60)]
        stop_after = threading.Semaphore(0)

        def ask(request: dict[str, Any]) -> httpx.Response | None:
            try:
                response = httpx.post(
                    f"{address}/v1/models/loans/explanations",
                    json=request,
                    headers=headers,
                    trust_env=False,
                    timeout=20,
                )
            except httpx.TransportError:
                return None
            finally:
                stop_after.release()
            return response

        pool = ThreadPoolExecutor(6)
        asked = [pool.submit(ask, request) for request in requests]
        for _ in range(10):
            stop_after.acquire()
    for future in asked:
        response = future.result()
        if response is None or response.status_code == 503:
            refused += 1
        else:
            answered.append(response)
    pool.shutdown()
    assert answered
    assert all(response.status_code == 201 for response in answered)
    recorded = running.entries("explanation.created") - before
    # Whatever was answered is on record; the few whose connection broke may be too, and a retry tells.
    assert len(answered) <= recorded <= len(answered) + refused
    for response in answered:
        assert running.services.log.read(running.uuid(response.json()["explanation_id"])).index is None
