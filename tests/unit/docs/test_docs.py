"""What the documents say exists, exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.main import get_command

from cli.main import app
from runtime import settings
from runtime.metrics import REGISTRY
from runtime.migrations import LOGIN_ROLES
from service.problems import TABLE

ROOT = Path(__file__).resolve().parents[3]
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")], key=lambda path: path.relative_to(ROOT).as_posix()
)
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
TREES = {path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")}


def _id(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _anchors(text: str) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title).strip().lower().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("path", DOCUMENTS, ids=_id)
def test_links_resolve(path: Path) -> None:
    for target in LINK.findall(FENCE.sub("", _text(path))):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        name, _, anchor = target.partition("#")
        there = (path.parent / name).resolve() if name else path
        assert there.exists(), f"{_id(path)} -> {target}"
        assert not anchor or anchor in _anchors(_text(there)), f"{_id(path)} -> {target}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=_id)
def test_every_file_named_exists(path: Path) -> None:
    for word in CODE.findall(FENCE.sub("", _text(path))):
        named = re.fullmatch(r"([\w.\-]+)/[\w./*\-]*", word)
        if named and named[1] in TREES:
            assert (ROOT / word).exists() or any(ROOT.glob(word)), f"{_id(path)} names {word}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=_id)
def test_every_command_and_target_named_exists(path: Path) -> None:
    commands = set(getattr(get_command(app), "commands", {}))
    targets = set(re.findall(r"^([a-z]+):", _text(ROOT / "Makefile"), re.MULTILINE))
    for word in re.findall(r"(?:`|bin/|service |-- )ofrecord ([a-z]+)", _text(path)):
        assert word in commands, f"{_id(path)} names `ofrecord {word}`"
    for word in re.findall(r"(?:`|^)make ([a-z]+)", _text(path), re.MULTILINE):
        assert word in targets, f"{_id(path)} names `make {word}`"


@pytest.mark.parametrize("path", DOCUMENTS, ids=_id)
def test_every_variable_named_is_read(path: Path) -> None:
    source = _text(Path(settings.__file__))
    read = {f"OFRECORD_{name}" for name in re.findall(r'read\.\w+\(\s*"([A-Z_]+)"', source)}
    read |= {f"OFRECORD_{name}" for name in ("DATABASE_PASSWORD", "BROKER_PASSWORD", "DATA_DIR")}
    read |= {f"{role.upper()}_PASSWORD" for role in LOGIN_ROLES}
    compose = set(re.findall(r"\$\{(OFRECORD_[A-Z_]+)", _text(ROOT / "docker-compose.yml")))
    for name in re.findall(r"\bOFRECORD_[A-Z_]+\b", _text(path)):
        assert name in compose or name.removesuffix("_FILE") in read, f"{_id(path)} names {name}"


def test_every_metric_and_problem_named_in_the_runbooks_exists() -> None:
    text = "\n".join(_text(path) for path in sorted((ROOT / "docs").glob("runbook*.md")))
    known = {f"{family.name}{end}" for family in REGISTRY.collect() for end in ("", "_total")}
    named = re.findall(r"`(ofrecord_[a-z_]+?)(?:\{([a-z,]+)\})?`", text)
    metrics = {name for name, _ in named} - set(LOGIN_ROLES)
    assert metrics
    assert metrics - known == set()
    problems = {kind.name for kind in TABLE.values()}
    for word in re.findall(r"503 `([a-z-]+)`", text):
        assert word in problems, word


def test_decisions_are_numbered_without_gaps_and_listed() -> None:
    numbers = [int(path.name[:4]) for path in DECISIONS]
    assert numbers == list(range(1, len(DECISIONS) + 1))
    index = _text(ROOT / "docs" / "decisions" / "README.md")
    listed = re.findall(r"^\| \[(\d{4})\]\(([^)]+)\) \| (.+?) \|$", index, re.MULTILINE)
    assert [name for _, name, _ in listed] == [path.name for path in DECISIONS]
    for number, name, title in listed:
        path = ROOT / "docs" / "decisions" / name
        assert name.startswith(number + "-")
        assert _text(path).startswith(f"# {number} {title}\n"), f"{name}: the index says {title!r}"


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.name)
def test_a_decision_is_short_and_says_why(path: Path) -> None:
    text = _text(path)
    assert re.search(r"^Status: (accepted|superseded by \d{4}), \d{4}-\d{2}", text, re.MULTILINE)
    assert "\n## Why\n" in text
    assert "\n## Decision\n" in text
    assert text.count("\n") <= 100
