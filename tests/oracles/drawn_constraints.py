"""Random constraints over features of every type, and rows that a careless search might make of a factual."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st
from numpy.typing import NDArray

from explain.counterfactual.constraints.checker import Constraints, FeatureConstraint
from explain.counterfactual.constraints.expressions import Expression
from explain.counterfactual.constraints.inequalities import Inequality
from explain.counterfactual.constraints.links import Link
from explain.features import Feature, FeatureSpace
from tests.oracles import constraints as plain

FloatArray = NDArray[np.float64]
EVERYWHERE = (-math.inf, math.inf)
LABELS = ("a", "b", "c", "d")
FEATURES: dict[str, dict[str, Any]] = {
    "loan": {"type": "number", "range": (0.0, 100.0)},
    "value": {"type": "number", "range": (0.0, 90.0), "nullable": True},
    "ratio": {"type": "number", "range": (-50.0, 900.0), "nullable": True},
    "months": {"type": "integer", "range": (0.0, 48.0), "nullable": True},
    "load": {"type": "number", "range": EVERYWHERE, "nullable": True},
    "kind": {"type": "category", "range": EVERYWHERE, "categories": LABELS, "nullable": True},
    "owner": {"type": "boolean", "range": EVERYWHERE, "nullable": True},
    "rents": {"type": "boolean", "range": EVERYWHERE},
    "buys": {"type": "integer", "range": (0.0, 1.0)},
    "lives": {"type": "number", "range": (0.0, 1.0)},
    "score": {"type": "number", "range": EVERYWHERE},
    "age": {"type": "integer", "range": (18.0, 99.0)},
}
NAMES = tuple(FEATURES)
SPACE = FeatureSpace(
    tuple(
        Feature(
            name,
            one["type"],
            minimum=None if math.isinf(one["range"][0]) else one["range"][0],
            maximum=None if math.isinf(one["range"][1]) else one["range"][1],
            categories=one.get("categories", ()),
            nullable=one.get("nullable", False),
        )
        for name, one in FEATURES.items()
    )
)
FORMULAS = {"ratio": ("loan / value", "(loan - 2 * months) / (value - 7.5)"), "load": ("ratio * months + 1",)}
POOL: dict[str, list[float]] = {
    "loan": [0.0, 0.3, 12.5, 13.0, 40.0, 99.9, 100.0, 101.0, -1.0, 0.25, math.inf],
    "value": [0.0, 0.1, 7.5, 20.0, 45.5, 90.0, 95.0, math.nan],
    "months": [0.0, 1.0, 12.0, 24.0, 47.0, 48.0, 49.0, 11.5, math.nan],
    "kind": [0.0, 1.0, 2.0, 3.0, 4.0, 1.5, math.nan],
    "owner": [0.0, 1.0, 0.5, math.nan],
    "rents": [0.0, 1.0],
    "buys": [0.0, 1.0, 2.0],
    "lives": [0.0, 1.0, 0.5],
    "age": [30.0, 31.0],
    "score": [1.5, 3.25, math.inf, math.nan],
    "ratio": [0.5, 3.0, math.nan],
    "load": [1.0, 7.0, math.nan],
}


@st.composite
def freedoms(draw: st.DrawFn, *, grouped: bool) -> dict[str, dict[str, Any]]:
    def maybe(*given: Any) -> Any:
        return draw(st.sampled_from((None, *given)))

    found: dict[str, dict[str, Any]] = {}
    for name in ("loan", "value", "months"):
        found[name] = {
            "mutable": draw(st.booleans()),
            "direction": maybe("increase", "decrease"),
            "step": draw(st.sampled_from((1.0, 12.0) if name == "months" else (0.1, 0.5, 13.0))),
            "range": draw(st.sampled_from((EVERYWHERE, (10.0, 60.0), (0.0, 45.5)))),
        }
    transitions = maybe({"a": ["b", "c"], "c": ["a"], "d": ["d"]}, {"a": ["d"]}, {})
    found["kind"] = {"mutable": draw(st.booleans()), "range": EVERYWHERE, "transitions": transitions}
    found["owner"] = {"mutable": draw(st.booleans()), "direction": maybe("increase"), "range": EVERYWHERE}
    found["score"] = {"mutable": True, "range": EVERYWHERE}
    for name in ("rents", "buys", "lives"):
        found[name] = {"mutable": grouped or draw(st.booleans()), "range": EVERYWHERE}
        found[name]["direction"] = maybe("decrease") if grouped else None
    for name in ("value", "months", "kind", "owner"):
        found[name]["fill"] = found[name]["mutable"] and draw(st.booleans())
    return {name: {"range": EVERYWHERE} for name in NAMES} | found


@st.composite
def constraints(draw: st.DrawFn) -> plain.Declared:
    grouped = draw(st.booleans())
    derived = draw(st.sampled_from(((), ("ratio",), ("ratio", "load"))))
    links = {
        name: (draw(st.sampled_from(FORMULAS[name])), draw(st.sampled_from((None, 0, 2)))) for name in derived
    }
    weights = st.sampled_from((-2.0, -0.1, 1.0, 0.3))
    terms = st.dictionaries(st.sampled_from(("loan", "value", "months", "ratio")), weights, min_size=1)
    sums = draw(st.lists(st.tuples(terms, st.sampled_from((0.0, 12.5, 60.0))), max_size=2))
    return plain.Declared(
        features=FEATURES,
        freedoms=draw(freedoms(grouped=grouped)),
        max_changes=draw(st.integers(1, 4)),
        groups=(("rents", "buys", "lives"),) if grouped else (),
        sums=sums,
        links=links,
        parts={name: [part for part in NAMES if part in formula] for name, (formula, _) in links.items()},
    )


def built(declared: plain.Declared) -> Constraints:
    by_feature = {}
    for name, freedom in declared.freedoms.items():
        low, high = freedom["range"]
        transitions = freedom.get("transitions")
        by_feature[name] = FeatureConstraint(
            mutable=freedom.get("mutable", False),
            direction=freedom.get("direction"),
            minimum=None if math.isinf(low) else low,
            maximum=None if math.isinf(high) else high,
            step=freedom.get("step"),
            fill=freedom.get("fill", False),
            transitions=transitions and {label: frozenset(to) for label, to in transitions.items()}
            if transitions
            else (None if transitions is None else {}),
        )
    return Constraints(
        SPACE,
        by_feature,
        declared.max_changes,
        groups=tuple(map(tuple, declared.groups)),
        inequalities=tuple(Inequality(tuple(terms.items()), bound) for terms, bound in declared.sums),
        links=tuple(
            Link(name, Expression.parse(formula), places)
            for name, (formula, places) in declared.links.items()
        ),
    )


def row_of(values: plain.Values) -> FloatArray:
    return np.array([values[name] for name in NAMES])


@st.composite
def steps(draw: st.DrawFn, declared: plain.Declared) -> tuple[dict[str, float], dict[str, float]]:
    """Draw a factual and what a careless search makes of it; derived features mostly follow."""
    lone = {"rents": 0.0, "buys": 1.0, "lives": 0.0, "score": 1.5}
    before = {name: draw(st.sampled_from(POOL[name][:5])) for name in NAMES} | lone
    for name in ("value", "months", "kind", "owner"):
        if draw(st.integers(0, 3)) == 0:
            before[name] = math.nan
    before |= {"kind": before["kind"] if before["kind"] in (0, 1, 2, 3) else math.nan}
    before |= {"owner": before["owner"] if before["owner"] in (0, 1) else math.nan}
    for name in declared.links:
        before[name] = plain.derive(declared, name, before)
    after = dict(before)
    for name in draw(st.lists(st.sampled_from(NAMES), max_size=3, unique=True)):
        after[name] = draw(st.sampled_from(POOL[name]))
    if draw(st.booleans()):
        after |= {
            "rents": 0.0,
            "buys": 0.0,
            "lives": 0.0,
            draw(st.sampled_from(("rents", "buys", "lives"))): 1.0,
        }
    for name in declared.links:
        moved = any(not plain.same(before[part], after[part]) for part in declared.parts[name])
        if draw(st.integers(0, 9)):
            after[name] = plain.derive(declared, name, after) if moved else before[name]
    return before, after


def single_changes(declared: plain.Declared, before: dict[str, float]) -> list[dict[str, float]]:
    """Return every value of every feature's pool, one at a time, with what follows from it."""
    found = []
    for name in NAMES:
        for value in POOL[name]:
            after = before | {name: value}
            for link in declared.links:
                if any(not plain.same(before[part], after[part]) for part in declared.parts[link]):
                    after[link] = plain.derive(declared, link, after)
            found.append(after)
    return found


Case = tuple[plain.Declared, Constraints, list[tuple[dict[str, float], dict[str, float]]]]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    declared = draw(constraints())
    try:
        drawn = [draw(steps(declared)) for _ in range(3)]
        for before, after in drawn:
            plain.permitted(declared, before, after)
    except plain.TooClose:
        assume(False)
    return declared, built(declared), drawn
