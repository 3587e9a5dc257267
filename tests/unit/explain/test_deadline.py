"""A deadline is a budget on a monotonic clock."""

from __future__ import annotations

import math

import pytest

from explain.deadline import Deadline


class Clock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def test_budget_runs_down_and_never_below_zero() -> None:
    clock = Clock()
    deadline = Deadline(200, 100.0, clock)
    assert deadline.remaining_seconds() == pytest.approx(0.2)
    clock.seconds = 100.15
    assert deadline.remaining_seconds() == pytest.approx(0.05)
    assert not deadline.expired
    clock.seconds = 101.0
    assert deadline.remaining_seconds() == 0.0
    assert deadline.expired


def test_a_reserve_ends_it_earlier() -> None:
    clock = Clock()
    deadline = Deadline(200, 100.0, clock).keeping(150)
    clock.seconds = 100.06
    assert deadline.expired
    assert Deadline(100, 100.0, clock).keeping(500).budget_ms == 0


def test_unlimited_never_comes() -> None:
    assert Deadline.unlimited().remaining_seconds() == math.inf
    assert not Deadline.unlimited().expired


@pytest.mark.parametrize("budget", [-1.0, math.nan])
def test_impossible_budgets_are_refused(budget: float) -> None:
    with pytest.raises(ValueError, match="budget"):
        Deadline(budget, 0.0)
