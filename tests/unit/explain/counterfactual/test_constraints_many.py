"""Many categories, links and sums: the same answers as one by one, at a cost of what is touched."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from explain.counterfactual.constraints.checker import Constraints, FeatureConstraint
from explain.counterfactual.constraints.expressions import Expression
from explain.counterfactual.constraints.inequalities import Inequality
from explain.counterfactual.constraints.links import Link
from explain.counterfactual.constraints.narrowing import Narrowing
from explain.counterfactual.constraints.tied import Columns, Tied
from explain.features import Feature, FeatureSpace

LABELS = tuple(f"c{code}" for code in range(10_000))
FREE = FeatureConstraint(mutable=True)
NUMBERS = FeatureSpace(tuple(Feature(f"p{at}", "number", nullable=True) for at in range(12)))


def test_what_a_request_does_not_name_is_not_made_again() -> None:
    space = FeatureSpace(tuple(Feature(name, "category", categories=LABELS) for name in "abc"))
    transitions = {"c0": frozenset({"c1", "c2"}), "c7": frozenset({"c0"})}
    coded = FeatureConstraint(mutable=True, transitions=transitions)
    tracemalloc.start()
    constraints = Constraints(space, {"a": FREE, "b": coded, "c": FREE}, 3)
    narrowed = constraints.narrowed(Narrowing(("a", "b"), {"b": ("c1",)}))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10_000_000  # a table of all pairs alone has ten times as many
    codes = np.arange(4.0)
    assert constraints.allowed(1, 0.0, codes).tolist() == [False, True, True, False]
    assert narrowed.allowed(1, 0.0, codes).tolist() == [False, True, False, False]
    assert not narrowed.allowed(1, 7.0, codes).any()
    assert constraints.allowed(1, 7.0, codes).tolist() == [True, False, False, False]
    assert not constraints.allowed(1, 1.0, codes).any()
    assert [narrowed.of(at) is constraints.of(at) for at in range(3)] == [True, False, False]
    assert constraints.changeable(np.zeros(3)) == [0, 1, 2]
    assert narrowed.changeable(np.zeros(3)) == [0, 1]
    again = narrowed.narrowed(Narrowing(max_changes=1))
    assert again.changeable(np.zeros(3)) == [0, 1]
    assert again.max_changes == 1


@pytest.mark.parametrize("count", [1, 7, 300])
@pytest.mark.parametrize("seed", range(20))
def test_a_table_of_terms_sums_like_one_by_one(seed: int, count: int) -> None:
    """Bit by bit: the bounds are sums of the rows themselves, so that the last bit decides."""
    rng = np.random.default_rng(seed)
    rows = np.round(rng.normal(size=(count, 12)) * 10.0 ** rng.integers(-3, 9, 12), 3)
    rows[rng.random(rows.shape) < 0.01] = np.nan
    names = rng.permutation(NUMBERS.names)[: int(rng.integers(1, 12))].tolist()
    terms = tuple((name, float(weight)) for name, weight in zip(names, rng.normal(size=12), strict=False))
    total = sum(weight * rows[0, NUMBERS.index(name)] for name, weight in terms)
    for bound in (float(total), float(np.nextafter(total, -np.inf)), float(total) * (1.0 - 1e-14)):
        inequality = Inequality(terms, bound)
        (bounded,) = Tied.of(NUMBERS, (), (inequality,)).bounded
        slow = [bool(np.ravel(inequality.holds(Columns(NUMBERS, row[None, :])))[0]) for row in rows]
        assert bounded.holds(NUMBERS, rows).tolist() == slow


@pytest.mark.parametrize("seed", range(20))
def test_rows_are_completed_and_checked_together_as_alone(seed: int) -> None:
    rng = np.random.default_rng(seed)
    space = FeatureSpace(
        (
            *(Feature(f"p{at}", "integer", minimum=0, maximum=9, nullable=True) for at in range(6)),
            *(Feature(f"d{at}", "number", nullable=True) for at in range(4)),
        )
    )
    formulas = ("p0 / p1", "d0 + p2", "p3 * p4", "d1 - d2")
    links = tuple(Link(f"d{at}", Expression.parse(text), 3) for at, text in enumerate(formulas))
    sums = (Inequality((("d3", 1.0), ("p5", -1.0)), 3.0), Inequality((("p4", 1.0), ("p5", 1.0)), 12.0))
    fill = FeatureConstraint(mutable=True, fill=True)
    constraints = Constraints(space, {f"p{at}": fill for at in range(6)}, 2, inequalities=sums, links=links)
    before = rng.integers(0, 6, 10).astype(np.float64)
    before[rng.random(10) < 0.1] = np.nan
    rows = np.repeat(before[None, :], 50, axis=0)
    for row in rows:
        row[rng.integers(0, 10, 3)] = rng.integers(0, 10, 3)
    completed = constraints.complete(before, rows)
    alone = [constraints.complete(before, row[None, :])[0] for row in rows]
    assert np.array_equal(completed, np.stack(alone), equal_nan=True)
    for those in (rows, completed):
        assert constraints.permitted(before, those).tolist() == [
            not constraints.check(before, row) for row in those
        ]
