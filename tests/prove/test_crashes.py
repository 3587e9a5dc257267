"""Fifty crashes under load, of any process at any moment: nothing answered is lost, nothing is doubled."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import pytest

from tests.oracles.crashes import crash

ROUNDS = 50


@pytest.mark.prove
@pytest.mark.timeout(3600)
def test_nothing_answered_is_lost_nothing_doubled_and_no_gap_is_left(
    servers_folder: Path, kernels: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rounds = int(os.environ.get("OFRECORD_CRASH_ROUNDS") or ROUNDS)
    seed = int(os.environ.get("OFRECORD_CRASH_SEED") or secrets.randbits(32))
    with capsys.disabled():
        print(f"\n{rounds} crashes with OFRECORD_CRASH_SEED={seed}")  # noqa: T201 - so that it can be drawn again
        told = crash(servers_folder / "crashes", kernels, rounds=rounds, seed=seed)
        print("\n".join(told.lines()))  # noqa: T201 - this is what a proof is run for
    assert sum(told.crashes.values()) == rounds
