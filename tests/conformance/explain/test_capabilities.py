"""The capability matrix in code and in the documentation is what the installed libraries show."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from explain.models import ADAPTERS
from explain.models.capabilities import (
    RECORD,
    Library,
    read_capabilities,
    versions_tested,
)
from tests.oracles.capabilities import LIBRARIES, found, overview, page, version_of, written

ROOT = Path(__file__).resolve().parents[3]
DOCS = ROOT / "docs"
LOCK = (ROOT / "requirements" / "dev.txt").read_text(encoding="utf-8")
WRITING = os.environ.get("OFRECORD_WRITE_CAPABILITIES") == "1"


@pytest.fixture(scope="module")
def matrix() -> tuple[Library, ...]:
    """The record; written anew with OFRECORD_WRITE_CAPABILITIES=1, other versions' lines kept."""
    if WRITING:
        now = found()
        known = read_capabilities(RECORD.read_bytes()) if RECORD.exists() else ()
        fresh = {(tested.family, tested.version) for tested in now}
        kept = tuple(one for one in known if (one.family, one.version) not in fresh and _locked(one))
        RECORD.write_bytes(written((*kept, *now)))
    return read_capabilities(RECORD.read_bytes())


def _locked(tested: Library) -> bool:
    """Tell whether the lock still has this version, for whichever Python."""
    number = tested.version.partition(" ")[0]
    return any(f"\n{library}=={number} " in LOCK for library in LIBRARIES[tested.family])


def test_the_record_is_what_the_installed_libraries_show(matrix: tuple[Library, ...]) -> None:
    for tested in found():
        assert tested in matrix, f"{tested.family} {tested.version}: run `make capabilities`"


def test_the_pages_are_the_records(matrix: tuple[Library, ...]) -> None:
    pages = {DOCS / "capabilities.md": overview(matrix)}
    pages |= {DOCS / "capabilities" / f"{family}.md": page(family, matrix) for family in sorted(ADAPTERS)}
    for path, text in pages.items():
        if WRITING:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: run `make capabilities`"


def test_every_family_was_tested_with_the_installed_version(matrix: tuple[Library, ...]) -> None:
    for family in ADAPTERS:
        assert version_of(family) in versions_tested(family)


def test_every_version_is_one_of_the_lock(matrix: tuple[Library, ...]) -> None:
    assert [tested for tested in matrix if not _locked(tested)] == []


def test_the_record_loses_nothing(matrix: tuple[Library, ...]) -> None:
    assert written(matrix) == RECORD.read_bytes()
