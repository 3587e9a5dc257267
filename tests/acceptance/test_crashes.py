"""A few crashes under load; `make prove` does fifty."""

from __future__ import annotations

import secrets
from pathlib import Path

from tests.oracles.crashes import crash


def test_what_was_answered_outlives_crashes(servers_folder: Path, kernels: Path) -> None:
    told = crash(servers_folder / "crashes", kernels, rounds=3, seed=secrets.randbits(32))
    assert sum(told.crashes.values()) == 3
