"""Combined systems, by the examples of the Official Interpretation of Regulation B (12 CFR 1002.9)."""

from __future__ import annotations

import pytest

from explain.catalogue import ComponentWords, Wording
from explain.components import (
    ADVERSE_ACTIONS,
    Action,
    Combined,
    Component,
    ComponentsContradict,
    GivenReason,
    InvalidComponents,
    Result,
    combine,
    combined_reasons,
)
from explain.outcome import Decision, OutcomeRule, decide
from explain.reasons import Reason
from tests.oracles.wordings import catalogue_of

RULE = OutcomeRule("probability_of_adverse", 0.5, "decline", "approve")
DECLINED, APPROVED = decide(RULE, 2.0, 0.9), decide(RULE, -2.0, 0.1)
GRAY_BAND = (0.4, 0.6)
GRAY_LOW, GRAY_HIGH = decide(RULE, -0.2, 0.4), decide(RULE, 0.4, 0.6)  # both ends belong to the band

WORDS = catalogue_of(
    {"income": [Wording("R1", {"en": "Income"})]},
    components=[
        ComponentWords("K1", "knockout", {"en": "Bankruptcy"}),
        ComponentWords("K2", "knockout", {"en": "Applicant is a minor"}),
        *(ComponentWords(f"J{n}", "judgmental", {"en": f"Judged {n}"}) for n in range(1, 6)),
        ComponentWords("JX", "judgmental", {"en": "Credit application incomplete"}, incomplete=True),
        ComponentWords("JY", "judgmental", {"en": "No references given"}, incomplete=True),
    ],
)
MODEL_REASONS = tuple(
    Reason(rank, f"R{rank}", f"factor {rank}", f"Text {rank}", 1.0 / rank, 0.2, None, (), False, False)
    for rank in range(1, 5)
)


def knockout(result: Result, *codes: str, name: str = "rules") -> Component:
    return Component(name, "knockout", result, tuple(map(GivenReason, codes)))


def judgment(result: Result, *codes: str, name: str = "underwriter") -> Component:
    return Component(name, "judgmental", result, tuple(map(GivenReason, codes)))


def model(result: Result) -> Component:
    return Component("score", "model", result)


def combined(decision: Decision, *components: Component, action: Action | None = None) -> Combined:
    return combine(RULE, decision, GRAY_BAND, components, action, words=WORDS)


def codes(found: Combined, limit: int = 4) -> list[str]:
    return [reason.code for reason in combined_reasons(found, MODEL_REASONS, WORDS, limit)]


def test_a_model_alone_decides_as_it_always_did() -> None:
    for decision in (DECLINED, APPROVED, GRAY_LOW, GRAY_HIGH):
        found = combined(decision)
        assert (found.outcome, found.favourable) == (decision.outcome, decision.favourable)
        assert found.components == (
            Component("model", "model", "passed" if decision.favourable else "failed"),
        )
    reasons = combined_reasons(combined(DECLINED), MODEL_REASONS, WORDS, 4)
    assert reasons == MODEL_REASONS  # and none of them names a component
    assert combined_reasons(combined(APPROVED), (), WORDS, 4) == ()


def test_scored_and_denied_the_reasons_are_those_of_the_score() -> None:
    """Comment 9(b)(2)-7: denied as a result of the scoring."""
    found = combined(DECLINED, model("failed"), judgment("passed"), action="denial")
    assert (found.outcome, found.favourable, found.needs_model_reasons) == ("decline", False, True)
    assert codes(found) == ["R1", "R2", "R3", "R4"]
    assert {r.component for r in combined_reasons(found, MODEL_REASONS, WORDS, 4)} == {"score"}


def test_passed_the_score_and_denied_by_judgment_the_reasons_are_those_of_judgment() -> None:
    """Comment 9(b)(2)-7: even if the factors were also considered in the scoring."""
    found = combined(APPROVED, model("passed"), judgment("failed", "J2", "J1"), action="denial")
    assert (found.outcome, found.needs_model_reasons) == ("decline", False)
    assert codes(found) == ["J2", "J1"]


@pytest.mark.parametrize("decision", [GRAY_LOW, GRAY_HIGH])
def test_in_the_gray_band_and_denied_by_judgment_the_reasons_are_those_of_both(decision: Decision) -> None:
    """Comment 9(b)(2)-7: neither approved nor denied by the score, and denied after that."""
    found = combined(decision, judgment("failed", "J1", "J2"), model("gray"), action="denial")
    assert (found.outcome, found.needs_model_reasons) == ("decline", True)
    assert codes(found) == ["J1", "R1", "J2", "R2"]
    assert codes(combined(decision, model("gray"), judgment("failed", "J1"))) == ["R1", "J1", "R2", "R3"]
    assert codes(combined(decision, judgment("failed", "J1"))) == ["R1", "J1", "R2", "R3"]  # unnamed: first
    ranks = [reason.rank for reason in combined_reasons(found, MODEL_REASONS, WORDS, 4)]
    assert ranks == [1, 2, 3, 4]


@pytest.mark.parametrize("decision", [GRAY_LOW, GRAY_HIGH])
def test_in_the_gray_band_judgment_may_approve(decision: Decision) -> None:
    found = combined(decision, model("gray"), judgment("passed"), action="approval")
    assert (found.outcome, found.favourable, codes(found)) == ("approve", True, [])


def test_in_the_gray_band_without_judgment_the_threshold_decides() -> None:
    assert combined(GRAY_HIGH, model("failed"), knockout("passed")).outcome == "decline"
    assert combined(GRAY_LOW, model("passed")).outcome == "approve"
    with pytest.raises(ComponentsContradict, match="gray"):
        combined(GRAY_HIGH, model("gray"))
    without_band = combine(RULE, GRAY_HIGH, None, [model("failed"), judgment("passed")], None, words=WORDS)
    assert without_band.model.result == "failed"


def test_judgment_first() -> None:
    """Comment 9(b)(2)-7: the same applies where judgment is the first component of the system."""
    refused = combined(APPROVED, judgment("failed", "J1"), model("not_used"))
    assert (refused.outcome, codes(refused)) == ("decline", ["J1"])
    scored = combined(DECLINED, judgment("passed"), model("failed"))
    assert codes(scored) == ["R1", "R2", "R3", "R4"]
    left_open = combined(DECLINED, judgment("gray", "J1", "J2"), model("failed"))
    assert codes(left_open) == ["J1", "R1", "J2", "R2"]
    assert combined(APPROVED, judgment("gray", "J1"), model("passed")).failed == ()
    with pytest.raises(InvalidComponents, match="/components/0/reasons"):
        combined(DECLINED, judgment("gray"), model("failed"))


def test_an_automatic_denial_gives_its_own_specific_factor() -> None:
    """Comment 9(b)(2)-8: an earlier bankruptcy, an applicant who is a minor."""
    found = combined(APPROVED, knockout("failed", "K2"), model("not_used"), action="denial")
    assert codes(found) == ["K2"]
    assert codes(combined(APPROVED, model("passed"), knockout("failed", "K1"))) == ["K1"]
    assert codes(combined(DECLINED, model("failed"), knockout("failed", "K1"))) == ["K1", "R1", "R2", "R3"]
    # In the gray band, approved by judgment and refused by the rule: the score denied nothing.
    both = combined(GRAY_LOW, model("gray"), judgment("passed"), knockout("failed", "K1"))
    assert (codes(both), both.needs_model_reasons) == (["K1"], False)


def test_every_rule_that_denied_is_heard_before_any_is_heard_twice() -> None:
    first, second = knockout("failed", "K1", "K2"), knockout("failed", "K2", name="age")
    found = combined(DECLINED, model("failed"), first, second, judgment("failed", "J1", "J2"))
    reasons = combined_reasons(found, MODEL_REASONS, WORDS, 4)
    assert [(r.code, r.component) for r in reasons] == [
        ("K1", "rules"),
        ("K2", "age"),
        ("R1", "score"),
        ("J1", "underwriter"),
    ]


@pytest.mark.parametrize("limit", [1, 2, 3, 4])
def test_no_more_than_the_limit_over_all_components_and_never_padded(limit: int) -> None:
    """Comments 9(b)(2)-1 and -7: four in total."""
    everything = combined(
        GRAY_HIGH, knockout("failed", "K1"), model("gray"), judgment("failed", "J1", "J2", "J3", "J4")
    )
    assert codes(everything, limit) == ["K1", "R1", "J1", "R2"][:limit]
    assert codes(combined(APPROVED, judgment("failed", "J1"), model("passed")), limit) == ["J1"]


def test_a_given_reason_has_words_and_what_was_seen_and_no_numbers() -> None:
    seen = (("filed", "2025-03-01"), ("court", "{income} <b>N.D.</b>"))
    rules = Component("rules", "knockout", "failed", (GivenReason("K1", seen),))
    (reason,) = combined_reasons(combined(APPROVED, rules), (), WORDS, 4)
    assert (reason.code, reason.text, reason.component, reason.given) == ("K1", "Bankruptcy", "rules", seen)
    assert (reason.contribution, reason.share, reason.observed, reason.reference_value) == (
        None,
        None,
        (),
        None,
    )


@pytest.mark.parametrize(
    ("decision", "said", "beside"),
    [
        (DECLINED, "passed", []),
        (APPROVED, "failed", []),
        (DECLINED, "gray", [judgment("failed", "J1")]),
        (GRAY_LOW, "passed", [judgment("failed", "J1")]),
        (GRAY_HIGH, "failed", [judgment("passed")]),
        (DECLINED, "not_used", []),
        (DECLINED, "not_used", [judgment("passed"), knockout("passed")]),
    ],
)
def test_what_is_said_of_the_model_must_be_what_it_does(
    decision: Decision, said: Result, beside: list[Component]
) -> None:
    with pytest.raises(ComponentsContradict) as caught:
        combined(decision, *beside, model(said))
    assert caught.value.pointer == f"/components/{len(beside)}/result"


def test_incomplete_is_a_reason_where_nothing_could_be_decided() -> None:
    """Comment 9(a)(1)-3: denied for want of what was asked, or answered by a notice of incompleteness."""
    for action in ("denial", "incompleteness", None):
        found = combined(DECLINED, judgment("failed", "JX", "JY"), model("not_used"), action=action)
        assert codes(found) == ["JX", "JY"]


@pytest.mark.parametrize(
    ("decision", "components"),
    [
        (APPROVED, [judgment("failed", "J1", "JX"), model("passed")]),
        (DECLINED, [judgment("failed", "J1", "JX")]),
        (GRAY_LOW, [judgment("failed", "J1", "JX"), model("gray")]),
        (APPROVED, [judgment("failed", "J1", "JX"), model("not_used")]),
    ],
)
def test_incomplete_is_no_reason_where_something_was_decided(
    decision: Decision, components: list[Component]
) -> None:
    """Comment 9(a)(1)-4: with enough to decide, what is missing cannot be the reason."""
    with pytest.raises(ComponentsContradict) as caught:
        combined(decision, *components)
    assert caught.value.pointer == "/components/0/reasons/1/code"


@pytest.mark.parametrize(
    ("decision", "result"), [(APPROVED, "passed"), (DECLINED, "failed"), (GRAY_LOW, "gray")]
)
def test_incomplete_alone_is_no_reason_where_the_model_decided(decision: Decision, result: Result) -> None:
    for components in ([judgment("failed", "JX")], [judgment("failed", "JX"), model(result)]):
        with pytest.raises(ComponentsContradict, match="/components/0/reasons/0/code"):
            combined(decision, *components)


def test_incompleteness_needs_a_component_that_says_so() -> None:
    for components in ([], [model("failed")], [judgment("failed", "J1"), model("not_used")]):
        with pytest.raises(ComponentsContradict) as caught:
            combined(DECLINED, *components, action="incompleteness")
        assert caught.value.pointer == "/application/action"


@pytest.mark.parametrize("action", sorted(ADVERSE_ACTIONS - {"incompleteness"}))
def test_an_adverse_action_needs_an_adverse_decision(action: Action) -> None:
    assert not combined(DECLINED, action=action).favourable
    with pytest.raises(ComponentsContradict, match="/application/action"):
        combined(APPROVED, action=action)
    with pytest.raises(ComponentsContradict, match="/application/action"):
        combined(GRAY_HIGH, judgment("passed"), action=action)


def test_an_approval_needs_a_favourable_decision_and_a_withdrawal_nothing() -> None:
    assert combined(APPROVED, action="approval").favourable
    for components in ([], [judgment("failed", "J1")]):
        with pytest.raises(ComponentsContradict, match="/application/action"):
            combined(DECLINED, *components, action="approval")
    for decision in (APPROVED, DECLINED):
        assert combined(decision, action="withdrawal").outcome == decision.outcome


@pytest.mark.parametrize(
    ("components", "pointers"),
    [
        ([model("failed"), Component("other", "model", "failed")], ["/components/1/kind"]),
        ([judgment("passed"), judgment("passed")], ["/components/1/name"]),
        ([Component("m", "model", "failed", (GivenReason("J1"),))], ["/components/0/reasons"]),
        ([knockout("failed")], ["/components/0/reasons"]),
        ([knockout("passed", "K1")], ["/components/0/reasons"]),
        ([judgment("failed", "J1", "J1")], ["/components/0/reasons"]),
        ([judgment("failed", "J1", "J2", "J3", "J4", "J5")], ["/components/0/reasons"]),
        ([knockout("gray", "K1")], ["/components/0/result"]),
        ([judgment("not_used")], ["/components/0/result"]),
        ([judgment("failed", "J1", "K1")], ["/components/0/reasons/1/code"]),
        ([knockout("failed", "R1"), judgment("failed", "??")], [
            "/components/0/reasons/0/code", "/components/1/reasons/0/code",
        ]),
    ],
)  # fmt: skip
def test_components_that_cannot_be_are_refused_with_their_places(
    components: list[Component], pointers: list[str]
) -> None:
    with pytest.raises(InvalidComponents) as caught:
        combined(DECLINED, *components)
    assert [error.pointer for error in caught.value.errors] == pointers
