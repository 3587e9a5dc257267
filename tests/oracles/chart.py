"""The chart, rendered by Helm's own engine."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import helm_python
import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "helm" / "ofrecord"
EXAMPLE: dict[str, Any] = yaml.safe_load((CHART / "ci" / "example-values.yaml").read_text(encoding="utf-8"))
Object = dict[str, Any]


def values(**changes: Any) -> dict[str, Any]:
    """The example's values with `path__to__value=…` changed."""
    made = copy.deepcopy(EXAMPLE)
    for path, value in changes.items():
        *folders, last = path.split("__")
        place = made
        for folder in folders:
            place = place.setdefault(folder, {})
        place[last] = value
    return made


def rendered(given: dict[str, Any]) -> list[Object]:
    """Every object of a release `demo` with these values."""
    with helm_python.Chart.load(CHART) as chart:
        files = chart.render(given, name="demo", namespace="prod")
    return [
        found
        for name, text in files.items()
        if not name.endswith("NOTES.txt")
        for found in yaml.safe_load_all(text)
        if found
    ]


def only(objects: list[Object], kind: str, name: str) -> Object:
    """The one object of this kind and name."""
    (found,) = [o for o in objects if o["kind"] == kind and o["metadata"]["name"] == name]
    return found


def pods(objects: list[Object]) -> Iterator[tuple[str, Object]]:
    """Every pod, with the name of what makes it."""
    for found in objects:
        if found["kind"] in {"Deployment", "StatefulSet", "Job"}:
            yield found["metadata"]["name"], found["spec"]["template"]["spec"]


def containers(objects: list[Object]) -> Iterator[tuple[str, Object]]:
    """Every container, those before and beside the main one too."""
    for name, pod in pods(objects):
        for container in [*pod.get("initContainers", []), *pod["containers"]]:
            yield f"{name}/{container['name']}", container
