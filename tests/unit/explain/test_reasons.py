"""Principal reasons: the rules of Regulation B, against hand-made attributions and the additive scorecard."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from explain.attribution.base import Attribution
from explain.catalogue import Condition, FactorWords, ReasonCatalogue, Wording
from explain.errors import ReasonUnmapped
from explain.features import Feature, FeatureSpace
from explain.outcome import Decision, OutcomeRule, decide
from explain.reasons import Factor, Reason, principal_reasons
from explain.reference import Reference
from tests.oracles.wordings import catalogue_of, plain_catalogue

FloatArray = NDArray[np.float64]

HIGH = OutcomeRule("probability_of_adverse", 0.5, "decline", "approve")
LOW = OutcomeRule("margin", 0.0, "decline", "approve", "low_is_adverse")
NAMES = ("a", "b", "c", "d", "e", "f")
SPACE = FeatureSpace(tuple(Feature(name, "number", nullable=True) for name in NAMES), 64)
FACTORS = tuple(Factor(name, (name,)) for name in NAMES)
WORDS = plain_catalogue((*NAMES, "ab", "abc", "g", "x", "age"))
REFERENCE = Reference.of("given", np.array([[1.0] * 6, [3.0] * 5 + [np.nan]]))
ROW = np.array([10.0, 20.0, 30.0, 40.0, np.nan, 60.0])


def attribution(phi: FloatArray) -> Attribution:
    total = float(phi.sum())
    return Attribution("by_hand", 0.0, phi, total, total, 0.0, 1e-8)


def reasons_of(
    phi: list[float],
    factors: tuple[Factor, ...] = FACTORS,
    rule: OutcomeRule = HIGH,
    decision: Decision | None = None,
    words: ReasonCatalogue = WORDS,
    **selection: Any,
) -> tuple[Reason, ...]:
    adverse = decide(rule, 1.0 * rule.adverse_sign(), 0.9)
    return principal_reasons(
        attribution(np.array(phi)),
        factors,
        SPACE.instance(ROW),
        REFERENCE,
        rule,
        space=SPACE,
        decision=decision or adverse,
        words=words,
        **selection,
    )


def names(reasons: tuple[Reason, ...]) -> list[str]:
    return [reason.factor for reason in reasons]


def test_the_largest_adverse_come_first_and_no_more_than_four() -> None:
    reasons = reasons_of([0.1, 0.5, 0.2, 0.4, 0.3, -9.0])
    assert names(reasons) == ["b", "d", "e", "c"]
    assert [reason.rank for reason in reasons] == [1, 2, 3, 4]
    assert [reason.code for reason in reasons] == ["R-b", "R-d", "R-e", "R-c"]
    assert [reason.text for reason in reasons] == ["Reason b", "Reason d", "Reason e", "Reason c"]


def test_never_padded() -> None:
    assert names(reasons_of([0.0, 0.5, -0.2, 0.0, -0.1, 0.1])) == ["b", "f"]
    assert reasons_of([-1.0, -0.5, -0.2, 0.0, -0.1, -0.1]) == ()
    assert reasons_of([0.0] * 6) == ()


def test_a_favourable_decision_has_no_reasons() -> None:
    assert reasons_of([0.1, 0.5, 0.2, 0.4, 0.3, 0.6], decision=decide(HIGH, -1.0, 0.2)) == ()


def test_where_low_is_adverse_negative_values_are_the_reasons() -> None:
    reasons = reasons_of([0.9, -0.5, -0.2, 0.0, -0.1, 0.7], rule=LOW)
    assert names(reasons) == ["b", "c", "e"]
    assert [reason.contribution for reason in reasons] == [-0.5, -0.2, -0.1]
    assert [reason.share for reason in reasons] == pytest.approx([5 / 8, 2 / 8, 1 / 8])


def test_shares_are_of_the_whole_adverse_contribution_shown_or_not() -> None:
    reasons = reasons_of([1.0, 2.0, 3.0, 4.0, 5.0, -7.0], limit=2)
    assert [reason.share for reason in reasons] == pytest.approx([5 / 15, 4 / 15])


def test_a_factor_is_the_sum_of_its_members() -> None:
    factors = (Factor("ab", ("a", "b")), *FACTORS[2:])
    reasons = reasons_of([0.6, -0.5, 0.2, 0.0, 0.0, 0.0], factors)
    assert names(reasons) == ["c", "ab"]
    assert reasons[1].contribution == pytest.approx(0.1)
    assert reasons[1].observed == (("a", 10.0), ("b", 20.0))
    assert reasons[1].reference_value is None


def test_members_that_cancel_are_no_reason() -> None:
    factors = (Factor("abc", ("a", "b", "c")), *FACTORS[3:])
    assert reasons_of([0.1, 0.2, -0.3, 0.0, 0.0, 0.0], factors) == ()


def test_the_reference_value_is_the_mean_of_what_is_there() -> None:
    reasons = reasons_of([0.5, 0.0, 0.0, 0.0, 0.4, 0.3])
    assert {reason.factor: reason.reference_value for reason in reasons} == {"a": 2.0, "e": 2.0, "f": 1.0}
    assert reasons[1].observed == (("e", None),)


def test_equal_contributions_keep_the_declared_order() -> None:
    reasons = reasons_of([0.2, 0.3, 0.2, 0.3, 0.2, 0.2])
    assert names(reasons) == ["b", "d", "a", "c"]
    assert all(reason.near_tie for reason in reasons)
    assert names(reasons_of([0.2, 0.3, 0.2, 0.3, 0.2, 0.2], FACTORS[::-1])) == ["d", "b", "f", "e"]


def test_contributions_that_only_rounding_keeps_apart_are_equal() -> None:
    apart = [0.3, 0.3 + 1e-15, 0.3 + 2e-15, 0.3 + 1e-7, 0.1, 0.0]
    assert names(reasons_of(apart)) == ["d", "a", "b", "c"]
    assert names(reasons_of(apart[:3][::-1] + apart[3:])) == ["d", "a", "b", "c"]


def test_near_ties_are_flagged_also_against_the_first_left_out() -> None:
    assert [r.near_tie for r in reasons_of([0.8, 0.7, 0.6, 0.5, 0.4, 0.3])] == [False] * 4
    assert [r.near_tie for r in reasons_of([0.8, 0.7, 0.6, 0.5, 0.4975, 0.3])] == [False, False, False, True]
    assert [r.near_tie for r in reasons_of([0.8, 0.7, 0.695, 0.5, 0.4, 0.3])] == [False, True, True, False]
    assert [r.near_tie for r in reasons_of([0.8, 0.7, 0.69, 0.5, 0.4, 0.3])] == [False] * 4


@pytest.mark.parametrize(
    "wordings",
    [
        None,
        [],
        [Wording("", {"en": "Text"})],
        [Wording("R1", {"en": "  "})],
        [Wording("R1", {"es": "Texto"})],
        [Wording("R1", {"en": "Text"}, (Condition("b", "missing"),))],
        [Wording("R1", {"en": "{b.reference} {c}"})],
    ],
)
def test_an_unmapped_principal_factor_fails_closed(wordings: list[Wording] | None) -> None:
    words = catalogue_of({name: [Wording("R", {"en": "Text"})] for name in NAMES if name != "b"})
    if wordings is not None:
        words = replace(words, factors={**words.factors, "b": FactorWords("b", {}, tuple(wordings))})
    with pytest.raises(ReasonUnmapped, match="'b'"):
        reasons_of([0.1, 0.5, 0.2, 0.4, 0.3, -9.0], words=words)
    assert names(reasons_of([0.6, 0.1, 0.2, 0.4, 0.3, 0.0], words=words)) == ["a", "d", "e", "c"]


def test_a_feature_without_a_factor_fails_closed() -> None:
    with pytest.raises(ReasonUnmapped, match="'f'"):
        reasons_of([0.1] * 6, FACTORS[:5])
    with pytest.raises(ValueError, match="two factors"):
        reasons_of([0.1] * 6, (*FACTORS, Factor("g", ("a",))))


def test_numerical_zero_is_no_reason() -> None:
    assert names(reasons_of([1e-7, 0.5, 0.0, 0.0, 0.0, 0.0])) == ["b"]
    assert names(reasons_of([1e-5, 0.5, 0.0, 0.0, 0.0, 0.0])) == ["b", "a"]
    assert names(reasons_of([1e-7, 0.0, 0.0, 0.0, 0.0, -0.9])) == []


def test_a_sensitive_factor_stays_and_says_so() -> None:
    factors = (*FACTORS[:1], Factor("b", ("b",), sensitive=True), *FACTORS[2:])
    reasons = reasons_of([0.1, 0.5, 0.2, 0.0, 0.0, 0.0], factors)
    assert [(reason.factor, reason.sensitive) for reason in reasons] == [
        ("b", True),
        ("c", False),
        ("a", False),
    ]


def test_a_sensitive_feature_makes_its_factor_sensitive() -> None:
    space = FeatureSpace(
        (Feature("x", "category", categories=("p", "q")), Feature("age", "integer", sensitive=True))
    )
    reasons = principal_reasons(
        attribution(np.array([0.2, 0.1])),
        [Factor("x", ("x",)), Factor("age", ("age",))],
        space.read({"x": "q", "age": 40}),
        Reference.of("given", np.array([[0.0, 30.0], [1.0, 50.0]])),
        HIGH,
        space=space,
        decision=decide(HIGH, 1.0, 0.9),
        words=WORDS,
    )
    assert [(r.sensitive, r.observed, r.reference_value) for r in reasons] == [
        (False, (("x", "q"),), None),
        (True, (("age", 40),), 40.0),
    ]


@pytest.mark.parametrize("rule", [HIGH, LOW])
def test_on_an_additive_scorecard_the_order_is_furthest_below_average(rule: OutcomeRule) -> None:
    """Comment 9(b)(2)-5: points lost against the average of those at or slightly above the passing score."""
    rng = np.random.default_rng(3)
    for _ in range(200):
        points = rng.uniform(1, 20, size=6) * -rule.adverse_sign()
        reference = Reference.of("given", rng.uniform(0, 10, size=(50, 6)))
        row = rng.uniform(0, 10, size=6)
        average = reference.rows.mean(axis=0)
        reasons = principal_reasons(
            attribution(points * (row - average)),
            FACTORS,
            SPACE.instance(row),
            reference,
            rule,
            space=SPACE,
            decision=decide(rule, 1.0 * rule.adverse_sign(), 0.9),
            words=WORDS,
        )
        below = {
            name: abs(points[at]) * (average[at] - row[at])
            for at, name in enumerate(NAMES)
            if row[at] < average[at]
        }
        expected = sorted(below, key=lambda name: below[name], reverse=True)[:4]
        assert names(reasons) == expected
        for reason in reasons:
            assert reason.reference_value == pytest.approx(average[NAMES.index(reason.factor)])


def test_factors_below_the_minimum_share_are_not_principal_but_the_largest_is() -> None:
    phi = [0.1, 0.5, 0.2, 0.15, 0.05, -7.0]
    assert names(reasons_of(phi, minimum_share=0.15)) == ["b", "c", "d"]
    assert names(reasons_of(phi, minimum_share=0.151)) == ["b", "c"]
    assert names(reasons_of(phi, minimum_share=0.9)) == ["b"]
    assert [reason.share for reason in reasons_of(phi, minimum_share=0.2)] == pytest.approx([0.5, 0.2])


def test_of_a_gray_score_the_adverse_factors_are_ranked_though_the_threshold_approves() -> None:
    favourable = decide(HIGH, -1.0, 0.2)
    assert names(reasons_of([0.1, 0.5, -0.2, 0.0, 0.0, -9.0], decision=favourable, gray=True)) == ["b", "a"]
    assert reasons_of([0.1, 0.5, -0.2, 0.0, 0.0, -9.0], decision=favourable) == ()


def test_a_proxy_stays_and_says_so() -> None:
    factors = (*FACTORS[:1], Factor("b", ("b",), proxy=True), *FACTORS[2:])
    reasons = reasons_of([0.1, 0.5, 0.0, 0.0, 0.0, 0.0], factors)
    assert [(reason.factor, reason.proxy) for reason in reasons] == [("b", True), ("a", False)]


def test_a_missing_value_without_words_of_its_own_says_so() -> None:
    phi = [0.1, 0.0, 0.0, 0.0, 0.5, 0.0]  # e is missing
    general = reasons_of(phi)
    assert [(r.text, r.wording, r.worded_as_value) for r in general] == [
        ("Reason e", 0, True),
        ("Reason a", 0, False),
    ]
    missing = Wording("M", {"en": "No e"}, (Condition("e", "missing"),))
    factors = {**WORDS.factors, "e": FactorWords("e", {}, (missing, *WORDS.factors["e"].wordings))}
    worded = reasons_of(phi, words=replace(WORDS, factors=factors))
    assert [(r.code, r.text, r.worded_as_value) for r in worded][:1] == [("M", "No e", False)]


def test_a_reason_speaks_of_the_reference_that_it_was_measured_against() -> None:
    below = Wording("B", {"en": "{a} is below {a.reference}"}, (Condition("a", "below_reference"),))
    above = Wording("A", {"en": "{a} is above {a.reference}"}, (Condition("a", "above_reference"),))
    words = replace(WORDS, factors={**WORDS.factors, "a": FactorWords("a", {}, (below, above))})
    (reason,) = reasons_of([0.5, 0.0, 0.0, 0.0, 0.0, 0.0], words=words)
    assert (reason.code, reason.text, reason.wording) == ("A", "10 is above 2", 1)
