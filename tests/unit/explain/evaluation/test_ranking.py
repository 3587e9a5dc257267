"""The ranking of many attributions at once equals the reasons of each alone."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from explain.evaluation.ranking import NONE, Ranking
from explain.features import Feature, FeatureSpace
from explain.outcome import OutcomeRule
from explain.reasons import NEGLIGIBLE, Factor, rank_factors

HIGH = OutcomeRule("margin", 0.0, "decline", "approve", "high_is_adverse")
LOW = OutcomeRule("margin", 0.0, "decline", "approve", "low_is_adverse")
MEMBERS = ((3, 0), (1,), (2, 5), (4,))


def one_by_one(phi: np.ndarray, ranking: Ranking) -> list[int]:
    """Regulation B's rule for one attribution, in as few words as it has."""
    adverse = {at: ranking.sign * sum(phi[list(group)]) for at, group in enumerate(ranking.members)}
    against = {at: size for at, size in adverse.items() if size > NEGLIGIBLE * max(abs(phi))}
    total = sum(against.values())
    most = max(against.values(), default=0.0)
    principal = [at for at, size in against.items() if size >= ranking.minimum_share * total or size == most]
    return sorted(principal, key=lambda at: -against[at])[: ranking.limit]


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1, -1]), st.integers(1, 4), st.sampled_from([0.0, 0.2]))
def test_it_is_the_rule_row_by_row(seed: int, sign: int, limit: int, share: float) -> None:
    phi = np.random.default_rng(seed).integers(-6, 7, size=(20, 6)) / 8.0  # ties, and sums without rounding
    ranking = Ranking(MEMBERS, 1 if sign == 1 else -1, limit, share)
    for own, chosen in zip(phi, ranking.principal(phi).tolist(), strict=True):
        truth = one_by_one(own, ranking)
        assert chosen == truth + [NONE] * (limit - len(truth))


def test_what_arithmetic_alone_tells_apart_is_equal() -> None:
    ranking = Ranking(((0, 1, 2), (3,)), 1, limit=2)
    phi = np.array([[0.1, 0.2, 0.3, 0.6]])
    assert phi[0, :3].sum() != 0.6
    assert ranking.principal(phi).tolist() == ranking.principal(np.nextafter(phi, 1.0)).tolist() == [[0, 1]]


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([HIGH, LOW]))
def test_it_is_the_order_of_the_reasons_themselves(seed: int, rule: OutcomeRule) -> None:
    space = FeatureSpace(tuple(Feature(name, "number") for name in "abcdef"))
    factors = [Factor(f"f{at}", tuple("abcdef"[one] for one in group)) for at, group in enumerate(MEMBERS)]
    phi = np.random.default_rng(seed).normal(size=(10, 6))
    ranking = Ranking.of(factors, space, rule, limit=4)
    for own, chosen in zip(phi, ranking.principal(phi).tolist(), strict=True):
        ranked = [one.at for one in rank_factors(own, [list(group) for group in MEMBERS], rule)]
        assert [at for at in chosen if at != NONE] == ranked[:4]


def test_the_largest_is_principal_whatever_its_share() -> None:
    ranking = Ranking(tuple((at,) for at in range(5)), 1, 4, 0.5)
    assert ranking.principal(np.array([[0.1, 0.2, 0.3, 0.2, 0.2]])).tolist() == [[2, NONE, NONE, NONE]]
