"""What the chart and the Compose file start are commands and options that the program has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from cli.main import app
from tests.oracles.chart import containers, rendered, values

ROOT = Path(__file__).resolve().parents[3]


def _compose() -> dict[str, list[str]]:
    services: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]
    ours = ("migrate", "service", "worker", "scheduler", "integrator", "custodian", "witness", "propose")
    return {f"compose {name}": services[name]["command"] for name in ours}


def _chart() -> dict[str, list[str]]:
    objects = rendered(values(worker__concurrency=3))
    return {f"chart {name}": one["args"] for name, one in containers(objects) if "command" not in one}


STARTED = _compose() | _chart()
PROPOSING = ("compose propose", "chart demo-service/propose", "chart demo-worker/propose")


@pytest.mark.parametrize("where", STARTED)
def test_the_program_understands_what_it_is_started_with(where: str) -> None:
    name, *arguments = STARTED[where]
    command = get_command(app).commands[name]  # type: ignore[attr-defined]
    assert command.make_context(name, arguments).command is command  # an unknown option is a UsageError


def test_the_worker_does_as_many_evaluations_at_once_as_the_chart_says() -> None:
    command = get_command(app).commands["work"]  # type: ignore[attr-defined]
    _, *arguments = STARTED["chart demo-worker/worker"]
    assert command.make_context("work", arguments).params["concurrency"] == 3


@pytest.mark.parametrize("where", PROPOSING)
def test_the_counterfactual_server_listens_where_it_is_asked(where: str) -> None:
    command = get_command(app).commands["propose"]  # type: ignore[attr-defined]
    _, *arguments = STARTED[where]
    assert command.make_context("propose", arguments).params["socket"] == Path("/run/ofrecord/propose.sock")
