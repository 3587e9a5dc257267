"""The ranking of many attributions at once equals the reasons of each alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from explain.evaluation.ranking import NONE, Ranking, members_of
from explain.reasons import NEGLIGIBLE

MEMBERS = ((3, 0), (1,), (2, 5), (4,))


def one_by_one(phi: np.ndarray, ranking: Ranking) -> list[int]:
    """Regulation B's rule for one attribution, in as few words as it has."""
    adverse = {at: ranking.sign * sum(phi[list(group)]) for at, group in enumerate(ranking.members)}
    against = {at: size for at, size in adverse.items() if size > NEGLIGIBLE * max(abs(phi))}
    total = sum(against.values())
    principal = [at for at, size in against.items() if size >= ranking.minimum_share * total]
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


def test_factors_are_named_by_their_features() -> None:
    assert members_of([("c",), ("a", "b")], ("a", "b", "c")) == ((2,), (0, 1))
    with pytest.raises(KeyError):
        members_of([("z",)], ("a",))
