"""A child that dies is started again, more slowly each time; one that halted is not."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cli.running.children import HALTED, Child, ending, stop_together
from workers import integrating

Make = Callable[[str], Child]
DEAF = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"


class Now:
    """A monotonic clock that is set by hand."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
def make(tmp_path: Path, now: Now) -> Iterator[Make]:
    made: list[Child] = []

    def child(code: str) -> Child:
        command = (sys.executable, "-S", "-c", code)
        log = tmp_path / f"{len(made)}.log"
        made.append(Child("one", command, {"PATH": os.environ["PATH"]}, log, monotonic=now))
        return made[-1]

    yield child
    for one in made:
        one.stop(5.0)


def wait_ended(child: Child) -> None:
    deadline = time.monotonic() + 10.0
    while child.process.running and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not child.process.running


def test_killed_child_comes_back_after_its_pause(make: Make, now: Now) -> None:
    child = make("import time; time.sleep(60)")
    child.start()
    first = child.process.process_id
    assert child.watch() is None
    child.process.ask(signal.SIGKILL)
    wait_ended(child)
    assert child.watch() == "one ended (SIGKILL); starting it again in 0.5 s"
    now.seconds += 0.4
    assert child.watch() is None
    now.seconds += 0.2
    assert "started again" in str(child.watch())
    assert child.process.running
    assert child.process.process_id != first


def test_pauses_double_up_to_a_limit_and_start_over_after_a_steady_minute(make: Make, now: Now) -> None:
    child = make("raise SystemExit(1)")
    child.start()
    pauses = []
    for _ in range(9):
        wait_ended(child)
        pauses.append(float(str(child.watch()).split()[-2]))
        now.seconds += pauses[-1]
        child.watch()
    assert pauses == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    wait_ended(child)
    now.seconds += 61
    assert str(child.watch()).endswith("in 0.5 s")


def test_halted_child_stays_down_and_says_so_once(make: Make, now: Now) -> None:
    child = make(f"raise SystemExit({HALTED})")
    child.start()
    wait_ended(child)
    assert "HALTED" in str(child.watch())
    now.seconds += 100
    assert child.watch() is None
    assert not child.process.running


def test_stopping_asks_first_and_insists_later(make: Make) -> None:
    polite, deaf = make("import time; time.sleep(60)"), make(DEAF)
    polite.start()
    deaf.start()
    deadline = time.monotonic() + 10.0
    while "deaf" not in deaf.process.log_tail() and time.monotonic() < deadline:
        time.sleep(0.01)
    begun = time.monotonic()
    stop_together([polite, deaf], 0.3)
    assert time.monotonic() - begun < 5.0
    assert not polite.process.running
    assert not deaf.process.running


def test_endings_have_names() -> None:
    assert [ending(code) for code in (0, 2, -15, -9)] == ["exit code 0", "exit code 2", "SIGTERM", "SIGKILL"]


def test_halting_is_said_with_one_exit_code() -> None:
    assert integrating.HALTED == HALTED
