"""What holds for the principal reasons of any attribution."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from explain.attribution.base import Attribution
from explain.features import Feature, FeatureSpace
from explain.outcome import OutcomeRule, decide
from explain.reasons import EQUAL, NEGLIGIBLE, Factor, Reason, principal_reasons
from explain.reference import Reference
from tests.oracles.wordings import plain_catalogue

RULES = (
    OutcomeRule("probability_of_adverse", 0.5, "decline", "approve"),
    OutcomeRule("margin", 0.0, "decline", "approve", "low_is_adverse"),
)
WORDS = plain_catalogue(f"g{group}" for group in range(9))
PHI = st.lists(st.floats(-10, 10) | st.sampled_from([0.0, 0.5, -0.5]), min_size=1, max_size=9)


def reasons_for(phi: list[float], groups: list[int], rule: OutcomeRule) -> tuple[Reason, ...]:
    space = FeatureSpace(tuple(Feature(f"x{at}", "number") for at in range(len(phi))), 64)
    factors = [
        Factor(f"g{group}", tuple(f"x{at}" for at, own in enumerate(groups) if own == group))
        for group in sorted(set(groups))
    ]
    values = np.array(phi)
    total = float(values.sum())
    return principal_reasons(
        Attribution("by_hand", 0.0, values, total, total, 0.0, 1e-8),
        factors,
        space.instance(np.zeros(len(phi))),
        Reference.of("given", np.zeros((1, len(phi)))),
        rule,
        space=space,
        decision=decide(rule, 1.0 * rule.adverse_sign(), 0.9),
        words=WORDS,
    )


@settings(max_examples=150, deadline=None)
@given(data=st.data(), phi=PHI, rule=st.sampled_from(RULES))
def test_reasons_are_the_largest_adverse_sums_and_nothing_else(
    data: st.DataObject, phi: list[float], rule: OutcomeRule
) -> None:
    groups = data.draw(st.lists(st.integers(0, 4), min_size=len(phi), max_size=len(phi)))
    reasons = reasons_for(phi, groups, rule)
    sign = rule.adverse_sign()
    sums = {
        f"g{g}": sign * sum(p for p, own in zip(phi, groups, strict=True) if own == g) for g in set(groups)
    }
    floor = NEGLIGIBLE * max(map(abs, phi))
    adverse = {name: total for name, total in sums.items() if total > floor * (1 + 1e-9) + 1e-14}
    shown = {reason.factor: sign * (reason.contribution or 0.0) for reason in reasons}
    assert len(reasons) <= 4
    assert len(shown) == len(reasons)
    assert all(contribution > 0 for contribution in shown.values())
    apart = EQUAL * len(phi) * max(map(abs, phi))
    assert all(one >= other - apart for one, other in pairwise(shown.values()))
    assert all(shown[name] == pytest.approx(sums[name], abs=1e-12) for name in shown)
    if len(reasons) < 4:
        assert set(adverse) <= set(shown)
    else:
        left_out = [total for name, total in adverse.items() if name not in shown]
        assert all(total <= min(shown.values()) + apart + 1e-12 for total in left_out)
    assert sum(reason.share or 0.0 for reason in reasons) <= 1 + 1e-12
    if 0 < len(reasons) < 4:
        assert sum(reason.share or 0.0 for reason in reasons) == pytest.approx(1.0)


@settings(max_examples=60, deadline=None)
@given(phi=PHI, scale=st.sampled_from([0.25, 2.0, 1024.0]))
def test_the_unit_of_the_margin_does_not_matter(phi: list[float], scale: float) -> None:
    groups = list(range(len(phi)))
    plain = reasons_for(phi, groups, RULES[0])
    scaled = reasons_for([p * scale for p in phi], groups, RULES[0])
    assert [(r.factor, r.near_tie) for r in plain] == [(r.factor, r.near_tie) for r in scaled]
    assert [r.share for r in plain] == pytest.approx([r.share for r in scaled])


@settings(max_examples=60, deadline=None)
@given(phi=PHI)
def test_turning_the_direction_turns_the_reasons(phi: list[float]) -> None:
    groups = list(range(len(phi)))
    plain = reasons_for(phi, groups, RULES[0])
    turned = reasons_for([-p for p in phi], groups, RULES[1])
    assert [(r.factor, r.share) for r in plain] == [(r.factor, r.share) for r in turned]
