"""The page on regulation: its sources are drawn from the data, and nothing that ended is cited by habit."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from reports.requirements.citing import cite
from reports.requirements.register import FOLDER, shipped

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "regulation.md"
BEGIN, END = "<!-- sources: drawn from reports/requirements/data -->\n", "<!-- end of sources -->\n"


def _table() -> str:
    rules = shipped()
    lines = [f"| source, as of {rules.as_of} | about |", "|---|---|"]
    lines += [
        f"| {cite(one.id, rules.as_of, 'en').printed} | {one.title} |" for one in rules.requirements.values()
    ]
    return "\n".join(lines) + "\n"


def test_the_table_of_sources_says_what_the_data_say() -> None:
    """Run with OFRECORD_WRITE_REGULATION=1 to draw it anew."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    drawn = f"{before}{BEGIN}\n{_table()}\n{END}{after}"
    if os.environ.get("OFRECORD_WRITE_REGULATION") == "1":
        PAGE.write_text(drawn, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == drawn


ROOMS = (
    "explain",
    "audit",
    "registry",
    "records",
    "schemas",
    "runtime",
    "service",
    "workers",
    "reports",
    "cli",
)
TREES = (*ROOMS, "examples", "benchmarks", "docs", "helm", "deploy")
TEXT = {".py", ".sql", ".md", ".yaml", ".yml", ".json", ".typ", ".html", ".j2", ".txt"}
SAID = re.compile(
    r"withdraw|supersed|removed|retirad|sustituid|zurückgezogen|ersetzt|no longer", re.IGNORECASE
)
# How somebody would write each rule that has ended; a rule that ends is added here, or the test below fails.
NAMES = {
    "cfpb-circular-2022-03": r"2022-03\b(?!-)",
    "cfpb-circular-2023-03": r"2023-03\b(?!-)",
    "sr-11-7": r"\bSR[ -]?11-7\b",
    "reg-b-6-a-effects-test": r"effects test",
}


def test_every_rule_that_has_ended_is_looked_for() -> None:
    rules = shipped()
    ended = {one.id for one in rules.requirements.values() if one.effective_to is not None}
    assert ended == NAMES.keys()
    for name, pattern in NAMES.items():
        assert re.search(pattern, rules.requirements[name].citation, re.IGNORECASE)


def _files() -> list[Path]:
    found = [path for path in ROOT.iterdir() if path.suffix == ".md"]
    for tree in TREES:
        found += [path for path in (ROOT / tree).rglob("*") if path.suffix in TEXT and path.is_file()]
    return [path for path in found if FOLDER not in path.parents and "__pycache__" not in path.parts]


@pytest.mark.parametrize("name", NAMES)
def test_no_file_cites_an_ended_rule_as_if_it_held(name: str) -> None:
    """Whoever names one says in the same paragraph that it has ended."""
    pattern = re.compile(NAMES[name], re.IGNORECASE)
    silent = []
    for path in _files():
        text = path.read_text(encoding="utf-8")
        silent += [
            f"{path.relative_to(ROOT)}: {paragraph.strip()[:80]}"
            for paragraph in re.split(r"\n\s*\n|\n(?=\|)", text)
            if pattern.search(paragraph) and not SAID.search(paragraph)
        ]
    assert silent == []
