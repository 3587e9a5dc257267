"""The one checker against a plain reading of every rule, over random constraints and rows."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from explain.counterfactual.options import cost_of, row_costs
from tests.oracles import constraints as plain
from tests.oracles.drawn_constraints import (
    NAMES,
    Case,
    built,
    cases,
    constraints,
    row_of,
    single_changes,
    steps,
)

many = settings(max_examples=120, deadline=None)


@many
@given(cases())
def test_the_checker_is_the_plain_reading(case: Case) -> None:
    declared, checker, drawn = case
    for before, after in drawn:
        expected = plain.permitted(declared, before, after)
        one, other = row_of(before), row_of(after)
        assert (checker.check(one, other) == ()) is expected, checker.check(one, other)
        assert checker.permitted(one, np.stack([other, one])).tolist()[0] is expected
        assert checker.changes(one, other) == plain.count_changes(declared, before, after)


@many
@given(constraints(), st.data())
def test_every_single_change_is_read_plainly(declared: plain.Declared, data: st.DataObject) -> None:
    checker = built(declared)
    try:
        before, _ = data.draw(steps(declared))
        others = single_changes(declared, before)
        expected = [plain.permitted(declared, before, after) for after in others]
    except plain.TooClose:
        assume(False)
    rows = np.stack([row_of(after) for after in others])
    assert checker.permitted(row_of(before), rows).tolist() == expected


@many
@given(cases())
def test_completing_a_row_makes_its_links_hold(case: Case) -> None:
    declared, checker, drawn = case
    for before, after in drawn:
        if not math.isfinite(after["loan"]):
            continue
        row = checker.complete(row_of(before), row_of(after)[None, :])[0]
        completed = dict(zip(NAMES, row.tolist(), strict=True))
        for name in NAMES:
            if name not in declared.links:
                assert plain.same(completed[name], after[name])
        try:
            for name in declared.links:
                parts = declared.parts[name]
                moved = any(not plain.same(before[part], completed[part]) for part in parts)
                expected = plain.derive(declared, name, completed) if moved else before[name]
                assert plain.same(completed[name], expected)
        except plain.TooClose:
            assume(False)


@many
@given(cases())
def test_where_it_is_simple_each_feature_stands_for_itself(case: Case) -> None:
    _, checker, drawn = case
    for before, after in drawn:
        one, other = row_of(before), row_of(after)
        if not checker.simple(one):
            continue
        changed = [at for at in range(len(one)) if not plain.same(one[at], other[at])]
        if any(checker.derived(at) for at in changed):
            continue
        alone = all(checker.allowed(at, float(one[at]), other[at : at + 1])[0] for at in changed)
        expected = alone and len(changed) <= checker.max_changes
        assert (checker.check(one, other) == ()) is expected
        assert {at for at in changed if alone} <= set(checker.changeable(one))


@many
@given(cases(), st.lists(st.sampled_from((0.5, 2.0, 11.0)), min_size=len(NAMES), max_size=len(NAMES)))
def test_the_cost_is_the_sum_of_the_changes(case: Case, scales: list[float]) -> None:
    declared, checker, drawn = case
    for before, after in drawn:
        if not all(math.isfinite(after[name]) or plain.same(after[name], before[name]) for name in NAMES):
            continue
        expected = plain.cost(declared, dict(zip(NAMES, scales, strict=True)), before, after)
        one, other, units = row_of(before), row_of(after), np.array(scales)
        assert cost_of(checker, units, one, other) == pytest.approx(expected)
        assert row_costs(checker, units, one, np.stack([one, other])).tolist()[0] == 0.0
