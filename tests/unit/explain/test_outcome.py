"""The threshold belongs to its upper side, and each score says which side is adverse."""

from __future__ import annotations

import math

import numpy as np
import pytest

from explain.outcome import OutcomeRule, decide

ADVERSE = OutcomeRule("probability_of_adverse", 0.3, "decline", "approve")
FAVOURABLE = OutcomeRule("probability_of_favourable", 0.3, "decline", "approve")
HIGH = OutcomeRule("margin", 0.3, "ill", "well", "high_is_adverse")
LOW = OutcomeRule("value", 0.3, "ill", "well", "low_is_adverse")


@pytest.mark.parametrize(
    ("rule", "below", "at", "sign"),
    [
        (ADVERSE, True, False, 1),
        (FAVOURABLE, False, True, -1),
        (HIGH, True, False, 1),
        (LOW, False, True, -1),
    ],
)
def test_sides_of_the_threshold(rule: OutcomeRule, below: bool, at: bool, sign: int) -> None:
    just_below = math.nextafter(0.3, 0)
    assert rule.is_favourable(just_below) is below
    assert rule.is_favourable(0.3) is at
    assert rule.favourable_mask(np.array([just_below, 0.3, math.nan])).tolist() == [below, at, False]
    assert rule.adverse_sign() == sign


def test_nan_is_never_favourable() -> None:
    assert not any(rule.is_favourable(math.nan) for rule in (ADVERSE, FAVOURABLE, HIGH, LOW))


def test_a_margin_rule_reads_the_margin() -> None:
    assert decide(HIGH, 0.4, 0.1).outcome == "ill"
    assert decide(HIGH, 0.4, 0.1).score == 0.4
    assert decide(ADVERSE, 0.4, 0.1).outcome == "approve"
    decision = decide(ADVERSE, -0.4, 0.4)
    assert (decision.outcome, decision.favourable, decision.score, decision.margin) == (
        "decline",
        False,
        0.4,
        -0.4,
    )
    margins, scores = np.array([1.0]), np.array([0.5])
    assert HIGH.scores_of(margins, scores) is margins
    assert ADVERSE.scores_of(margins, scores) is scores


@pytest.mark.parametrize(
    "arguments",
    [
        ("margin", 0.0, "a", "b"),
        ("probability_of_adverse", 0.0, "a", "b", "high_is_adverse"),
        ("value", math.nan, "a", "b", "low_is_adverse"),
    ],
)
def test_incomplete_rules_are_refused(arguments: tuple) -> None:
    with pytest.raises(ValueError, match=r"direction|finite"):
        OutcomeRule(*arguments)
