"""What may not leave does not: wrong sums, unmapped reasons, a stalled disk, a database that is away."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from explain.attribution.table_files import Tables
from runtime.embedded.postgres import PostgresServer
from runtime.embedded.state import locate
from runtime.migrations import KEY_ROLES, Target, migrate
from tests.conftest import KEYS, MAIN, PASSWORDS, Database


@pytest.fixture
def rotten(running: Any, upload: Any) -> Any:
    """A version of its own, whose parts in memory a test may damage."""
    name = f"rotten-{secrets.token_hex(4)}"
    assert running.register(upload.with_manifest(model=name)).status_code == 201
    assert running.approve(name).status_code == 200
    return running.services.versions.get(name)


def _newest_incident(running: Any) -> Any:
    with psycopg.connect(running.admin_url) as conn:
        row = conn.execute(
            "select entry_id from audit.entry where type = 'incident.raised' order by time desc limit 1"
        ).fetchone()
    assert row is not None
    stored = running.services.log.read(row[0])
    return stored.entry, running.services.log.open(stored)


def _metric(running: Any, name: str) -> float:
    lines = running.http.get("/metrics").text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


def _withheld(running: Any, model: str, name: str) -> tuple[Any, bytes]:
    created, incidents = running.entries("explanation.created"), running.entries("incident.raised")
    request = running.request()
    response = running.explain(request, model)
    assert response.status_code == 500
    problem = response.json()
    assert problem["type"] == f"/problems/{name}"
    assert set(problem) == {"type", "title", "status", "detail", "instance"}
    assert running.entries("explanation.created") == created
    assert running.entries("incident.raised") == incidents + 1
    entry, private = _newest_incident(running)
    assert (entry.body["kind"], entry.body["model"]) == (name, model)
    assert request["decision_id"] not in str(entry)
    assert request["decision_id"].encode() in private
    return entry, private


def test_an_attribution_from_a_damaged_table_never_leaves(running: Any, rotten: Any) -> None:
    unreconciled = _metric(running, "ofrecord_unreconciled_total")
    kernel = rotten.shap.kernel
    numbers = (kernel.tables.numbers + 0.01).astype(kernel.tables.numbers.dtype)
    object.__setattr__(rotten.shap, "kernel", replace(kernel, tables=Tables(numbers)))
    _withheld(running, rotten.model_name, "attribution-unreconciled")
    assert _metric(running, "ofrecord_unreconciled_total") == unreconciled + 1


def test_a_principal_factor_without_words_stops_the_answer(running: Any, rotten: Any) -> None:
    object.__setattr__(rotten, "words", replace(rotten.words, factors={}))
    _withheld(running, rotten.model_name, "reason-unmapped")


@contextmanager
def _stalled(running: Any, at_most_seconds: float = 20) -> Iterator[None]:
    """Keeps every append waiting, as a stalled disk would; reads go on."""
    held, over = threading.Event(), threading.Event()

    def hold() -> None:
        with psycopg.connect(running.admin_url) as conn:
            conn.execute("lock table audit.pending in share mode")
            held.set()
            over.wait(at_most_seconds)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    yield
    over.set()
    thread.join()


def test_a_commit_that_overruns_the_budget_is_awaited_and_said_to_be_late(running: Any) -> None:
    running.explain(running.request())
    with _stalled(running, 0.6):
        response = running.explain(running.request(budget_ms=100))
    assert response.status_code == 201
    assert response.json()["late"] is True
    assert response.json()["timings_ms"]["audit"] > 400


def test_a_commit_that_does_not_come_is_no_answer_and_the_retry_decides(running: Any) -> None:
    request = running.request(budget_ms=100)
    with _stalled(running):
        response = running.explain(request)
        assert response.status_code == 503
        problem = response.json()
        assert problem["type"] == "/problems/audit-unavailable"
        assert "reasons" not in problem
        assert int(response.headers["retry-after"]) > 0
    again = running.explain(request)
    assert again.status_code == 201
    with psycopg.connect(running.admin_url) as conn:
        row = conn.execute(
            "select count(*) from audit.idempotency where entry_id = %s",
            (UUID(again.json()["explanation_id"]),),
        ).fetchone()
    assert row == (1,)


def test_a_read_that_cannot_be_logged_is_not_answered(running: Any) -> None:
    first = running.explain(running.request()).json()
    with _stalled(running):
        response = running.http.get(f"/v1/explanations/{first['explanation_id']}")
        assert response.status_code == 503
        assert response.json()["type"] == "/problems/audit-unavailable"


def test_a_retry_whose_reading_overruns_is_late_and_one_whose_does_not_come_no_answer(running: Any) -> None:
    request = running.request()
    first = running.explain(request).json()
    retry = {**request, "budget_ms": 100}
    with _stalled(running, 0.6):
        late = running.explain(retry)
    assert (late.status_code, late.json()["late"], late.json()["timings_ms"]) == (201, True, None)
    assert late.json()["reasons"] == first["reasons"]
    rows = {"decisions": [retry, running.request(budget_ms=100)]}
    with _stalled(running):
        alone = running.explain(retry)
        batch = running.http.post("/v1/models/loans/explanations/batch", json=rows)
    assert (alone.status_code, alone.json()["type"]) == (503, "/problems/audit-unavailable")
    assert [row["status"] for row in batch.json()["answers"]] == [503, 503]
    assert running.explain(retry).json()["late"] is False


def test_what_was_erased_says_so_and_still_proves(running: Any) -> None:
    request = running.request()
    first = running.explain(request).json()
    running.integrate()
    key_id = running.services.log.read(UUID(first["explanation_id"])).entry.private.key_id
    with psycopg.connect(running.admin_url.replace("/main_", "/keys_")) as keys:
        keys.execute(
            "update keys.entry_key set destroyed_at = '2026-11-20T00:00:00Z', wrapped = null"
            " where key_id = %s",
            (key_id,),
        )
    reads = running.entries("explanation.read")
    where = f"/v1/explanations/{first['explanation_id']}"
    for gone in (running.http.get(where), running.http.get(f"{where}/proof"), running.explain(request)):
        assert (gone.status_code, gone.json()["type"]) == (410, "/problems/erased")
    assert running.entries("explanation.read") == reads
    assert running.http.get(f"{where}/proof", params={"disclose": "none"}).status_code == 200
    assert running.entries("explanation.read") == reads + 1


def test_a_missing_key_is_a_fault_and_the_entry_still_proves(running: Any) -> None:
    first = running.explain(running.request()).json()
    running.integrate()
    keys_admin = running.admin_url.replace("/main_", "/keys_")
    entry = running.services.log.read(UUID(first["explanation_id"])).entry
    with psycopg.connect(keys_admin) as keys:
        keys.execute("delete from keys.entry_key where key_id = %s", (entry.private.key_id,))
    where = f"/v1/explanations/{first['explanation_id']}"
    # Without a record of the destruction a missing key is a fault, not an erasure.
    missing = running.http.get(where)
    assert (missing.status_code, missing.json()["type"]) == (500, "/problems/key-missing")
    assert running.http.get(f"{where}/proof", params={"disclose": "none"}).status_code == 200


def test_a_database_that_stops_and_comes_back(
    start_service: Any, template: Any, upload: Any, servers_folder: Path
) -> None:
    place = locate(servers_folder / "outage", system_root=servers_folder / "outage-system")
    server = PostgresServer(
        place, password=secrets.token_hex(8), log=servers_folder / "outage.log", durable=False
    )
    server.start()
    made = Database(server, "main_outage", "keys_outage")
    with psycopg.connect(server.url(), autocommit=True) as admin:
        admin.execute("create database main_outage")
        admin.execute("create database keys_outage")
    migrate([Target(made.admin_url, MAIN), Target(made.keys_admin_url, KEYS, KEY_ROLES)], PASSWORDS)
    try:
        with start_service(made) as found:
            assert found.register(upload).status_code == 201
            assert found.approve().status_code == 200
            assert found.explain(found.request()).status_code == 201
            server.stop()
            started = time.monotonic()
            refused = found.explain(found.request(budget_ms=500))
            assert refused.status_code == 503
            assert refused.json()["type"] == "/problems/audit-unavailable"
            assert time.monotonic() - started < 6
            ready = found.http.get("/readyz")
            assert ready.status_code == 503
            assert ready.json()["checks"]["database"] != "ok"
            assert found.http.get("/healthz").status_code == 200
            server.start()
            request = found.request()
            give_up = time.monotonic() + 30
            while (answer := found.explain(request)).status_code != 201:
                assert answer.json()["type"] == "/problems/audit-unavailable", answer.text
                assert time.monotonic() < give_up
                time.sleep(0.2)
            found.until_ready()
            assert found.entries("explanation.created") == 2
    finally:
        server.stop()
