"""What the chart and the Compose file start are commands and options that the program has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import helm_python
import pytest
import yaml
from typer.main import get_command

from cli.main import app

ROOT = Path(__file__).resolve().parents[3]


def _compose() -> dict[str, list[str]]:
    services: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]
    ours = ("migrate", "service", "worker", "scheduler", "integrator")
    return {f"compose {name}": services[name]["command"] for name in ours}


def _chart() -> dict[str, list[str]]:
    folder = ROOT / "helm" / "ofrecord"
    values: dict[str, Any] = yaml.safe_load((folder / "ci" / "example-values.yaml").read_text("utf-8"))
    values["worker"] = {**values.get("worker", {}), "concurrency": 3}
    with helm_python.Chart.load(folder) as chart:
        files = chart.render(values, name="demo", namespace="prod")
    texts = [text for name, text in files.items() if not name.endswith("NOTES.txt")]
    found = [one for text in texts for one in yaml.safe_load_all(text) if one]
    return {
        f"chart {one['metadata']['name']}": one["spec"]["template"]["spec"]["containers"][0]["args"]
        for one in found
        if one["kind"] in {"Deployment", "Job"}
    }


STARTED = _compose() | _chart()


@pytest.mark.parametrize("where", STARTED)
def test_the_program_understands_what_it_is_started_with(where: str) -> None:
    name, *arguments = STARTED[where]
    command = get_command(app).commands[name]  # type: ignore[attr-defined]
    assert command.make_context(name, arguments).command is command  # an unknown option is a UsageError


def test_the_worker_does_as_many_evaluations_at_once_as_the_chart_says() -> None:
    command = get_command(app).commands["work"]  # type: ignore[attr-defined]
    _, *arguments = STARTED["chart demo-worker"]
    assert command.make_context("work", arguments).params["concurrency"] == 3
