"""The loop rests, stops and outlives; the clock is real, the database is not there."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import pytest

from audit.errors import AuditUnavailable, IntegrityHalt
from records.reaching import RecordsUnavailable
from runtime.postgres import Pool
from workers import looping
from workers.looping import loop, rest


class _Pool:
    """A pool that always has a connection and counts how often it was checked."""

    checked = 0

    @contextmanager
    def connection(self) -> Iterator[None]:
        yield None

    def check(self) -> None:
        self.checked += 1


def test_rest_ends_when_it_is_told_to() -> None:
    stop = threading.Event()
    threading.Timer(0.1, stop.set).start()
    began = time.monotonic()
    rest(stop, 30.0)
    assert time.monotonic() - began < 2.0


def test_a_lost_database_slows_the_loop_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looping, "_LONGEST_BACKOFF_SECONDS", 0.01)
    stop, pool = threading.Event(), _Pool()
    turns: list[Exception | None] = [AuditUnavailable(), RecordsUnavailable(), None, None]

    def step() -> float:
        turn = turns.pop(0)
        if not turns:
            stop.set()
        if turn is not None:
            raise turn
        return 0.0

    loop(cast("Pool", pool), step, stop)
    assert (turns, pool.checked) == ([], 2)


def test_other_errors_end_the_loop() -> None:
    def step() -> float:
        raise IntegrityHalt("the root differs")

    with pytest.raises(IntegrityHalt, match="the root differs"):
        loop(cast("Pool", _Pool()), step, threading.Event())


def test_an_absent_database_is_noticed_before_the_step() -> None:
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    began = time.monotonic()
    with looping.loop_pool("postgresql://nobody@127.0.0.1:1/nothing", "test") as pool:
        loop(pool, lambda: pytest.fail("the step ran"), stop)
    assert time.monotonic() - began < 3.0
