"""Entries that nobody integrates are told in numbers, readiness and log; serving goes on."""

from __future__ import annotations

import logging
import re
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from audit.cosignature import Cosigner
from service import lagging


def _number(running: Any, name: str) -> float:
    found = re.search(rf"^{re.escape(name)} (\S+)$", running.http.get("/metrics").text, re.MULTILINE)
    assert found is not None, name
    return float(found[1])


@pytest.fixture
def told_at_once(running: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing waits from the tests before, and nothing was told a moment ago."""
    running.integrate()
    monkeypatch.setattr(lagging, "_KEPT_SECONDS", 0.0)
    monkeypatch.setattr(running.services.lag, "_told_at", float("-inf"))


@pytest.mark.usefixtures("told_at_once")
def test_entries_that_wait_are_told_and_do_not_make_the_api_unready(
    running: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert running.explain(running.request()).status_code == 201
    assert _number(running, "ofrecord_pending_entries") > 0
    assert running.http.get("/readyz").json()["warnings"] == {}
    now = running.services.clock.now
    monkeypatch.setattr(type(running.services.clock), "now", lambda _: now() + timedelta(seconds=90))
    ready = running.http.get("/readyz")
    assert (ready.status_code, ready.json()["status"]) == (200, "ready")
    said = ready.json()["warnings"]["integration"]
    assert re.fullmatch(r"the oldest of \d+ entries has waited \d+ s for the integrator", said)
    assert _number(running, "ofrecord_pending_age_seconds") > 60
    assert running.explain(running.request()).status_code == 201, "and it serves"
    running.http.get("/readyz")
    critical = [one for one in caplog.records if one.levelno == logging.CRITICAL]
    assert [one.getMessage() for one in critical] == ["entries are not integrated: look at the integrator"]
    monkeypatch.undo()
    monkeypatch.setattr(lagging, "_KEPT_SECONDS", 0.0)
    running.integrate()
    assert _number(running, "ofrecord_pending_entries") == 0
    assert _number(running, "ofrecord_pending_age_seconds") == 0
    assert _number(running, "ofrecord_tree_size") > 0
    assert running.http.get("/readyz").json()["warnings"] == {}


@pytest.mark.usefixtures("told_at_once")
def test_how_far_each_witness_is_can_be_read(running: Any) -> None:
    assert running.explain(running.request()).status_code == 201
    running.integrate()
    now = running.services.clock.now()
    key = Cosigner("watcher.example/w", bytes(32)).key
    with psycopg.connect(running.integrator_url) as connection:
        connection.execute("select audit.publish_verifier_key_v1('witness', %s, %s)", (key.vkey, now))
    assert _number(running, 'ofrecord_cosigned_tree_size{witness="watcher.example/w"}') == 0
    with psycopg.connect(running.integrator_url) as connection:
        row = (2, key.key_id, "\N{EM DASH} watcher.example/w AAAA\n", now)
        connection.execute("insert into audit.cosignature values (%s, %s, %s, %s)", row)
    assert _number(running, 'ofrecord_cosigned_tree_size{witness="watcher.example/w"}') == 2


def test_the_database_is_not_asked_for_every_look(running: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    whole = lagging.read_standing
    monkeypatch.setattr(lagging, "read_standing", lambda pool: asked.append(1) or whole(pool))
    monkeypatch.setattr(running.services.lag, "_read_at", float("-inf"))
    for _ in range(10):
        running.http.get("/readyz")
    assert len(asked) == 1
