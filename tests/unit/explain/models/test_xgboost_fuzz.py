"""Injured files end in a named error, or are loaded and predicted; no process dies of them."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from explain.errors import ModelCorrupt, ModelUnsupported
from explain.models.xgboost_parse import parse_xgboost
from tests.oracles.boosters import train
from tests.oracles.xgboost_mutations import injured, sound

ROOT = Path(__file__).resolve().parents[4]
DOCUMENTS = sound()
BINARIES = [
    train(("q", "c", "q"), rounds=2, max_depth=2, booster="dart", rate_drop=0.5).artifact(),
    train(("q",) * 3, rounds=2, booster="gblinear").artifact(),
]


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, len(DOCUMENTS) - 1))
def test_an_injured_document_is_read_or_refused_by_name(seed: int, which: int) -> None:
    artifact = injured(DOCUMENTS[which][0], random.Random(seed))  # noqa: S311
    try:
        parse_xgboost(artifact)
    except (ModelCorrupt, ModelUnsupported):
        return


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_binary_file_with_flipped_bytes_is_read_or_refused_by_name(data: st.DataObject) -> None:
    artifact = bytearray(data.draw(st.sampled_from(BINARIES)))
    for _ in range(data.draw(st.integers(1, 4))):
        artifact[data.draw(st.integers(0, len(artifact) - 1))] = data.draw(st.integers(0, 255))
    try:
        parse_xgboost(bytes(artifact))
    except (ModelCorrupt, ModelUnsupported):
        return


def run(start: int, stop: int) -> int:
    command = [sys.executable, "-m", "tests.oracles.xgboost_mutations", str(start), str(stop)]
    return subprocess.run(command, cwd=ROOT, timeout=280, check=False).returncode


def test_what_passes_our_check_crashes_no_native_loader() -> None:
    assert run(0, 1500) == 0


@pytest.mark.prove
@pytest.mark.parametrize("start", range(10_000, 100_000, 10_000))
def test_many_more_crash_no_native_loader(start: int) -> None:
    assert run(start, start + 10_000) == 0
