"""Logs are JSON lines without anything personal or secret; numbers are declared once."""

from __future__ import annotations

import json
import logging
import sys

import pytest

from runtime import metrics
from runtime.errors import SettingsError
from runtime.telemetry import JsonFormatter, bound


def line(**extra: object) -> dict[str, object]:
    record = logging.LogRecord("service.explaining", logging.INFO, "f", 1, "answered %s", ("once",), None)
    record.__dict__.update(extra)
    read: dict[str, object] = json.loads(JsonFormatter("api").format(record))
    return read


def test_line_has_time_place_and_bound_ids() -> None:
    with bound(request_id="r1"), bound(task_id="t1"):
        read = line(status=201)
    assert read["message"] == "answered once"
    assert (read["process"], read["level"], read["logger"]) == ("api", "info", "service.explaining")
    assert (read["request_id"], read["task_id"], read["status"]) == ("r1", "t1", 201)
    assert str(read["time"]).endswith("Z")
    assert "request_id" not in line()


def test_fields_that_are_not_allowed_are_dropped() -> None:
    read = line(features={"income": 1}, subject_ref="S-778", decision_id="A-1", password="x")
    assert {"features", "subject_ref", "decision_id", "password"}.isdisjoint(read)


def failing(error: Exception) -> dict[str, object]:
    try:
        raise error
    except type(error):
        return line(exc_info=sys.exc_info())


def test_foreign_messages_are_not_written() -> None:
    told = failing(ValueError("S-778 is not a number"))["error"]
    assert isinstance(told, dict)
    assert told["type"] == "builtins.ValueError"
    assert "S-778" not in json.dumps(told)
    assert any("failing" in place for place in told["at"])


@pytest.mark.parametrize(
    "error", [SettingsError("OFRECORD_X", "is not set"), ConnectionRefusedError("refused")]
)
def test_our_own_and_the_systems_messages_are(error: Exception) -> None:
    told = failing(error)["error"]
    assert isinstance(told, dict)
    assert told["detail"] == str(error)


def test_exposition_names_every_number() -> None:
    text, kind = metrics.exposition()
    assert kind.startswith("text/plain")
    for name in ("explanations", "stage_seconds", "append_seconds", "incidents", "unreconciled", "tree_size",
                 "pending_entries", "pending_age_seconds", "append_queue_depth"):  # fmt: skip
        assert f"# HELP ofrecord_{name}" in text.decode()
