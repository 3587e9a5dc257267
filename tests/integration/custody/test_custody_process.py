"""`ofrecord custody` as a process: it destroys on time, is killed, and stops when it is asked to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from audit.errors import PayloadErased
from runtime.clock import SystemClock
from tests.integration.custody.conftest import House

ROOT = Path(__file__).resolve().parents[3]
PATIENCE_SECONDS = 60


@contextmanager
def custodian(database: Any) -> Iterator[subprocess.Popen[bytes]]:
    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith("OFRECORD_")},
        "PYTHONPATH": str(ROOT),
        "OFRECORD_DATABASE_URL": database.url("custodian"),
        "OFRECORD_KEYS_DATABASE_URL": database.keys_url("custodian"),
        "OFRECORD_ALLOW_UNSAFE_DURABILITY": "1",
    }
    process = subprocess.Popen([sys.executable, "-m", "cli", "custody"], cwd=ROOT, env=env)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_process_destroys_on_time_and_a_killed_one_is_followed_by_another(house: House) -> None:
    house.to(SystemClock().now() - timedelta(days=200))
    first, second = house.decide("S-1"), house.decide("S-2")
    house.to(SystemClock().now() - timedelta(minutes=2))  # what settles takes a minute, and has begun
    erasure = house.erase("S-1")
    house.custodian.step()
    with custodian(house.database) as process:
        _until_destroyed(house, erasure)
        process.send_signal(signal.SIGKILL)
    assert house.log.open(house.log.read(second)) == house.entries[second]
    later = house.erase("S-2")
    house.custodian.step()
    with custodian(house.database) as process:
        _until_destroyed(house, later)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    for entry_id in (first, second):
        with pytest.raises(PayloadErased):
            house.log.open(house.log.read(entry_id))
    house.to(SystemClock().now())
    house.turn()
    assert house.look(erasure).state == house.look(later).state == "completed"


def _until_destroyed(house: House, erasure: Any) -> None:
    give_up = time.monotonic() + PATIENCE_SECONDS
    while house.look(erasure).destroyed_at is None:
        assert time.monotonic() < give_up
        time.sleep(0.1)
