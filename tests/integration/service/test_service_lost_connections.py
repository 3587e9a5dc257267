"""A connection that dies while a request is under way, wherever that is, is a 503 and not a fault of ours."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

PATIENCE_SECONDS = 20.0
WAITING = """
select pid from pg_stat_activity
where datname = current_database() and wait_event_type = 'Lock' and query like %s
"""


@contextmanager
def blocked(admin_url: str, table: str) -> Iterator[psycopg.Connection]:
    """Nobody can read this table meanwhile."""
    with psycopg.connect(admin_url) as connection:
        connection.execute(f"lock table {table} in access exclusive mode")
        yield connection
        connection.rollback()


def kill_who_waits(admin_url: str, table: str) -> None:
    """End the sessions that wait for the table, as a server does that goes down."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    with psycopg.connect(admin_url, autocommit=True) as connection:
        while not (found := connection.execute(WAITING, (f"%{table}%",)).fetchall()):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        for (number,) in found:
            connection.execute("select pg_terminate_backend(%s)", (number,))


@pytest.mark.parametrize("table", ["registry.model_version", "audit.idempotency"])
def test_one_decision(running: Any, table: str) -> None:
    request = running.request()
    with ThreadPoolExecutor(1) as caller, blocked(running.admin_url, table):
        asked = caller.submit(running.explain, request)
        kill_who_waits(running.admin_url, table.partition(".")[2])
        answer = asked.result()
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/audit-unavailable")
    assert answer.headers["retry-after"]
    assert running.explain(request).status_code == 201


def test_a_decision_of_a_batch(running: Any) -> None:
    decisions = {"decisions": [running.request()]}

    def post() -> Any:
        return running.http.post("/v1/models/loans/explanations/batch", json=decisions)

    with ThreadPoolExecutor(1) as caller, blocked(running.admin_url, "registry.model_version"):
        asked = caller.submit(post)
        kill_who_waits(running.admin_url, "model_version")
        (answer,) = asked.result().json()["answers"]
    assert (answer["status"], answer["problem"]["type"]) == (503, "/problems/audit-unavailable")
    assert post().json()["answers"][0]["status"] == 201
