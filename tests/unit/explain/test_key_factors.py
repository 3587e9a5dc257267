"""Key factors of a score: at most four by effect, and inquiries as a fifth."""

from __future__ import annotations

import numpy as np
import pytest

from explain.attribution.base import Attribution
from explain.catalogue import Condition, FeatureWords, Wording
from explain.errors import ReasonUnmapped
from explain.features import Feature, FeatureSpace
from explain.key_factors import KeyFactor, key_factors
from explain.outcome import OutcomeRule
from explain.reasons import Factor
from explain.reference import Reference
from tests.oracles.wordings import catalogue_of, plain_catalogue

NAMES = ("a", "b", "c", "d", "e", "f")
SPACE = FeatureSpace(tuple(Feature(name, "number") for name in NAMES), 64)
FACTORS = tuple(Factor(name, (name,), inquiries=name == "f") for name in NAMES)
WORDS = plain_catalogue(NAMES)
SCORE = OutcomeRule("value", 620.0, "decline", "approve", "low_is_adverse")


def found(phi: list[float], named: tuple[str, ...] = NAMES) -> tuple[KeyFactor, ...]:
    values = np.array(phi)
    return key_factors(
        Attribution("by_hand", 0.0, values, 0.0, 0.0, 0.0, 1.0),
        FACTORS,
        SPACE.instance(np.zeros(6)),
        Reference.of("given", np.zeros((1, 6))),
        SCORE,
        space=SPACE,
        words=plain_catalogue(named),
    )


def test_at_most_four_by_effect() -> None:
    factors = found([-1.0, -5.0, -3.0, -4.0, -2.0, 7.0])
    assert [one.factor for one in factors] == ["b", "d", "c", "e"]
    assert factors[0] == KeyFactor("R-b", "b", "Reason b", -5.0, 0, 0.0)
    assert [one.factor for one in found([0.0, -5.0, 3.0, 0.0, 0.0, 7.0])] == ["b"]
    assert found([1.0] * 6) == ()


def test_inquiries_are_a_fifth_where_they_were_adverse_and_not_among_the_four() -> None:
    assert [one.factor for one in found([-3.0, -5.0, -3.5, -4.0, -2.0, -0.1])] == ["b", "d", "c", "a", "f"]
    assert [one.factor for one in found([-3.0, -5.0, -3.5, -4.0, -2.0, -4.5])] == ["b", "f", "d", "c"]
    assert [one.factor for one in found([-3.0, -5.0, -3.5, -4.0, -2.0, 0.0])] == ["b", "d", "c", "a"]


def test_a_key_factor_without_words_fails_closed() -> None:
    with pytest.raises(ReasonUnmapped, match="'f'"):
        found([-3.0, -5.0, -3.5, -4.0, -2.0, -0.1], NAMES[:5])


def test_a_key_factor_says_which_wording_it_has_and_what_it_was_compared_with() -> None:
    """Without both it could not be worded in another language later."""
    words = catalogue_of(
        {
            "a": [
                Wording("R-below", {"en": "Below the mean"}, (Condition("a", "below_reference"),)),
                Wording("R-above", {"en": "Above {a.reference}"}, (Condition("a", "above_reference"),)),
            ]
        },
        features=[FeatureWords("a", {"en": "A"}, {})],
    )
    space = FeatureSpace((Feature("a", "number"),), 64)
    (one,) = key_factors(
        Attribution("by_hand", 0.0, np.array([-1.0]), 0.0, 0.0, 0.0, 1.0),
        (Factor("a", ("a",)),),
        space.instance(np.array([7.0])),
        Reference.of("given", np.array([[2.0], [4.0]])),
        SCORE,
        space=space,
        words=words,
    )
    assert (one.code, one.wording, one.reference_value) == ("R-above", 1, 3.0)
