"""What holds for the reasons of any combined decision."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from explain.catalogue import ComponentWords
from explain.components import (
    Combined,
    Component,
    ComponentsContradict,
    GivenReason,
    combine,
    combined_reasons,
)
from explain.outcome import OutcomeRule, decide
from explain.reasons import Reason
from tests.oracles.wordings import catalogue_of

RULE = OutcomeRule("probability_of_adverse", 0.5, "decline", "approve")
BAND = (0.4, 0.6)
CODES = {"knockout": ("K0", "K1", "K2", "K3"), "judgmental": ("J0", "J1", "J2", "J3")}
WORDS = catalogue_of(
    {},
    components=[ComponentWords(c, kind, {"en": c}) for kind, own in CODES.items() for c in own],  # type: ignore[arg-type]
)


@st.composite
def others(draw: st.DrawFn, name: str) -> Component:
    kind = draw(st.sampled_from(("knockout", "judgmental")))
    failed = draw(st.booleans())
    codes = (
        draw(st.lists(st.sampled_from(CODES[kind]), min_size=1, max_size=4, unique=True)) if failed else []
    )
    reasons = tuple(map(GivenReason, codes))
    return Component(name, kind, "failed" if failed else "passed", reasons)  # type: ignore[arg-type]


@st.composite
def systems(draw: st.DrawFn) -> tuple[Combined, float]:
    score = draw(st.sampled_from([0.1, 0.39, 0.4, 0.45, 0.5, 0.6, 0.61, 0.9]))
    count = draw(st.integers(0, 4))
    components = [draw(others(f"c{at}")) for at in range(count)]
    return combine(RULE, decide(RULE, score, score), BAND, components, None, words=WORDS), score


def model_reasons(count: int) -> tuple[Reason, ...]:
    return tuple(
        Reason(rank, f"R{rank}", f"f{rank}", "text", 1.0 / rank, 0.1, None, (), False, False)
        for rank in range(1, count + 1)
    )


@settings(max_examples=300, deadline=None)
@given(system=systems(), count=st.integers(0, 4), limit=st.integers(1, 4))
def test_reasons_come_from_those_that_denied_and_from_all_of_them(
    system: tuple[Combined, float], count: int, limit: int
) -> None:
    combined, score = system
    judged = [one for one in combined.components if one.kind == "judgmental"]
    refused = [one for one in combined.components if one.kind != "model" and one.result == "failed"]
    gray = bool(judged) and BAND[0] <= score <= BAND[1]
    assert combined.model.result == ("gray" if gray else "failed" if score >= 0.5 else "passed")
    assert combined.favourable == (not refused and combined.model.result != "failed")

    reasons = combined_reasons(combined, model_reasons(count), WORDS, limit)
    by_judgment = any(one.kind == "judgmental" for one in refused)
    speaks = combined.model.result == "failed" or (gray and by_judgment)
    allowed = {given.code for one in refused for given in one.reasons}
    allowed |= {f"R{rank}" for rank in range(1, count + 1)} if speaks else set()
    codes = [reason.code for reason in reasons]
    assert len(set(codes)) == len(codes) == min(limit, len(allowed))  # as many as there are, and no more
    assert set(codes) <= allowed
    assert [reason.rank for reason in reasons] == list(range(1, len(codes) + 1))
    kinds = [code[0] == "K" for code in codes]
    assert kinds == sorted(kinds, reverse=True)  # rules before all
    own = [code for code in codes if code[0] == "R"]
    assert own == sorted(own)


@settings(max_examples=100, deadline=None)
@given(
    score=st.sampled_from([0.1, 0.5, 0.9]),
    said=st.sampled_from(["passed", "failed", "gray", "not_used"]),
    other=others("c"),
)
def test_the_model_is_never_believed(score: float, said: str, other: Component) -> None:
    components = [Component("m", "model", said), other]  # type: ignore[arg-type]
    decision = decide(RULE, score, score)
    plain = combine(RULE, decision, BAND, [other], None, words=WORDS)
    acceptable = {plain.model.result} | ({"not_used"} if other.result == "failed" else set())
    if said not in acceptable:
        with pytest.raises(ComponentsContradict, match="/components/0/result"):
            combine(RULE, decision, BAND, components, None, words=WORDS)
        return
    found = combine(RULE, decision, BAND, components, None, words=WORDS)
    assert found.favourable == (plain.favourable if said != "not_used" else other.result == "passed")
