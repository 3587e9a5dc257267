"""A narrowing never permits what the manifest does not, and is exactly what it says."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from explain.counterfactual.constraints.narrowing import Narrowing
from explain.errors import InvalidNarrowing
from tests.oracles import constraints as plain
from tests.oracles.drawn_constraints import FEATURES, LABELS, NAMES, Case, cases, row_of

many = settings(max_examples=120, deadline=None)


@st.composite
def narrowings(draw: st.DrawFn) -> Narrowing:
    names = st.sampled_from((*NAMES, "nobody"))
    numbers = st.sampled_from(((0.0, 45.5), (10.0, 20.0), (13.1, 13.4), (30.0, 10.0), (-5.0, 20.0)))
    labels = st.lists(st.sampled_from((*LABELS, "z")), max_size=3, unique=True).map(tuple)
    ranges: dict[str, Any] = draw(
        st.dictionaries(
            st.sampled_from(("loan", "value", "months", "ratio", "age", "owner")), numbers, max_size=2
        )
    )
    if draw(st.booleans()):
        ranges["kind"] = draw(labels)
    vary = draw(st.none() | st.lists(names, min_size=1, max_size=5).map(tuple))
    return Narrowing(vary, ranges, draw(st.none() | st.integers(0, 5)))


def narrower(declared: plain.Declared, asked: Narrowing) -> bool:
    """Tell, plainly, whether it only tightens and leaves something."""
    mutable = {name for name, freedom in declared.freedoms.items() if freedom.get("mutable")}
    if not set(asked.features_to_vary or ()) <= mutable:
        return False
    if asked.max_changes is not None and not 1 <= asked.max_changes <= declared.max_changes:
        return False
    return all(
        (name in mutable or name in declared.links)
        and (fewer_labels(declared, limits) if name == "kind" else smaller(declared, name, *limits))
        for name, limits in asked.permitted_range.items()
    )


def fewer_labels(declared: plain.Declared, labels: tuple[Any, ...]) -> bool:
    freedom = declared.freedoms["kind"]
    reachable = set(LABELS)
    if freedom["transitions"] is not None:
        reachable = {label for to in freedom["transitions"].values() for label in to}
    if freedom["fill"]:
        reachable = set(LABELS)
    return bool(labels) and set(labels) <= reachable


def smaller(declared: plain.Declared, name: str, low: float, high: float) -> bool:
    ends = (FEATURES[name]["range"], declared.freedoms[name]["range"])
    if name == "owner" or low > high or any(low < least or high > most for least, most in ends):
        return False
    step = None if name in declared.links else declared.freedoms[name].get("step")
    return not step or math.ceil(plain.exact(low) / plain.exact(step)) * plain.exact(step) <= plain.exact(
        high
    )


@many
@given(cases(), narrowings())
def test_a_narrowing_only_ever_tightens(case: Case, asked: Narrowing) -> None:
    declared, checker, drawn = case
    if not narrower(declared, asked):
        with pytest.raises(InvalidNarrowing) as refused:
            checker.narrowed(asked)
        assert all(fault.pointer.startswith("/") for fault in refused.value.errors)
        return
    narrowed = checker.narrowed(asked)
    for before, after in drawn:
        changed = plain.changed_names(declared, before, after)
        within = plain.permitted(declared, before, after)
        within &= plain.count_changes(declared, before, after) <= (asked.max_changes or 99)
        for name in changed:
            if name not in declared.links and asked.features_to_vary is not None:
                within &= name in asked.features_to_vary
            if name in asked.permitted_range and within:
                limits = asked.permitted_range[name]
                within &= (
                    LABELS[int(after[name])] in limits
                    if name == "kind"
                    else float(limits[0]) <= after[name] <= float(limits[1])
                )
        assert (narrowed.check(row_of(before), row_of(after)) == ()) is within
