"""A decision among several classes as the difference of two margins."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from explain.contrast import Contrast
from explain.outcome import OutcomeRule, decide_class

CONTRAST = Contrast(("discharge", "ward", "intensive", "transfer"), (2, 3))
RULE = OutcomeRule("margin", 0.0, "admit", "home", "high_is_adverse", CONTRAST)


@given(arrays(np.float64, (5, 4), elements=st.floats(-9, 9)))
def test_the_sign_is_the_side_of_the_largest_margin(margins: np.ndarray) -> None:
    for row, contrast in zip(margins, CONTRAST.margins(margins), strict=True):
        largest = {int(number) for number in np.flatnonzero(row == row.max())}
        if contrast > 0:
            assert largest <= {2, 3}
        elif contrast < 0:
            assert largest <= {0, 1}
        else:
            assert largest & {0, 1}
            assert largest & {2, 3}


def test_a_decision_names_the_two_classes_it_is_between() -> None:
    decision, adverse, favourable = decide_class(RULE, CONTRAST, np.array([0.1, 0.4, 0.2, 1.5]))
    assert (adverse, favourable) == (3, 1)
    assert (decision.outcome, decision.favourable) == ("admit", False)
    assert decision.margin == decision.score == 1.5 - 0.4
    assert decision.contrast == ("transfer", "ward")
    assert decide_class(RULE, CONTRAST, np.array([2.0, 0.4, 0.2, 1.5]))[0].outcome == "home"


def test_of_equal_margins_the_earlier_class_counts() -> None:
    _, adverse, favourable = decide_class(RULE, CONTRAST, np.array([0.4, 0.4, 0.2, 0.2]))
    assert (adverse, favourable) == (2, 0)


def test_equal_sides_are_adverse() -> None:
    assert not decide_class(RULE, CONTRAST, np.array([0.4, 0.0, 0.4, 0.0]))[0].favourable


@pytest.mark.parametrize("adverse", [(), (0, 1), (2,), (-1,)])
def test_both_sides_have_classes(adverse: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="some classes must be adverse"):
        Contrast(("a", "b"), adverse)


def test_classes_are_decided_by_the_largest_margin_only() -> None:
    with pytest.raises(ValueError, match="by the largest margin"):
        OutcomeRule("probability_of_adverse", 0.5, "admit", "home", contrast=CONTRAST)
