"""Children that examine a registration and do in place of loading its model whatever a test wants."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from registry import examining
from registry.examining import environment


def let_loading(monkeypatch: pytest.MonkeyPatch, folder: Path, body: str) -> None:
    """From now on, in every child, loading a model runs this body of a function."""
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    program = f"import explain.models\ndef load(*_):\n{lines}\nexplain.models.load_model = load\n"
    (folder / "sitecustomize.py").write_text(program)

    def told(cache_dir: Path | None) -> dict[str, str]:
        given = environment(cache_dir)
        return given | {"PYTHONPATH": f"{folder}:{given['PYTHONPATH']}"}

    monkeypatch.setattr(examining, "environment", told)


def sleeping(told: Path) -> str:
    """Return a body that writes down its process and sleeps."""
    return f"import os, time\nopen({str(told)!r}, 'w').write(str(os.getpid()))\ntime.sleep(60)"


def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait for something that happens elsewhere."""
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.01)


def begun(told: Path) -> bool:
    """Whether a sleeping child has written itself down."""
    return told.exists() and told.read_text() != ""


def gone(pid: int) -> bool:
    """Whether this process has ended; one that nobody has reaped yet has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True
