"""What of a budget is kept for the record: a share at first, then what the record was seen to take."""

from __future__ import annotations

import time

import pytest

from explain.deadline import Deadline
from service.reserving import Reserve


@pytest.mark.parametrize(("budget_ms", "kept"), [(20, 8), (50, 10), (100, 20), (250, 25), (60_000, 25)])
def test_before_anything_was_measured_a_share_is_kept(budget_ms: float, kept: float) -> None:
    assert Reserve().milliseconds(budget_ms) == kept


def test_then_the_high_quantile_of_what_was_measured() -> None:
    reserve = Reserve()
    for number in range(320):
        reserve.observe(
            0.090 if number % 100 == 0 else 0.004
        )  # one in a hundred is slow: more than one in five hundred
    assert reserve.milliseconds(1000) == pytest.approx(90)
    for _ in range(640):
        reserve.observe(0.004)
    assert reserve.milliseconds(1000) == 25  # what was long ago is forgotten


def test_what_is_minutes_old_counts_no_more() -> None:
    now = [0.0]
    reserve = Reserve(clock=lambda: now[0])
    for _ in range(32):
        reserve.observe(0.1)
    assert reserve.milliseconds(1000) == pytest.approx(100)
    now[0] = 301.0
    reserve.observe(0.004)
    assert reserve.milliseconds(1000) == 25


def test_a_stalled_disk_does_not_take_all_time_of_the_searches_after_it() -> None:
    reserve = Reserve()
    for _ in range(64):
        reserve.observe(2.0)
    assert reserve.milliseconds(1000) == 150
    assert reserve.milliseconds(50) == pytest.approx(40)
    deadline = Deadline(1000, time.monotonic())
    assert reserve.keeping(deadline).budget_ms == 850
