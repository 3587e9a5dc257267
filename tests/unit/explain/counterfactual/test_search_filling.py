"""Missing values that may be filled and categories with transitions, against the enumeration of every row."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray

from explain.counterfactual.constraints.checker import Constraints, FeatureConstraint
from explain.counterfactual.options import row_costs
from explain.counterfactual.search import CounterfactualSearch
from explain.deadline import Deadline
from explain.outcome import OutcomeRule
from explain.reference import Reference

if TYPE_CHECKING:
    from conftest import GrowForest

FloatArray = NDArray[np.float64]
RULE = OutcomeRule("margin", 0.0, "decline", "approve", "high_is_adverse")
FREE = {
    "rate": FeatureConstraint(mutable=True, step=0.25, fill=True, direction="increase"),
    "owner": FeatureConstraint(mutable=True),
    "kind": FeatureConstraint(
        mutable=True, fill=True, transitions={"a": frozenset({"c"}), "b": frozenset({"a", "c"})}
    ),
}
RATES = np.arange(0.0, 5.25, 0.25)


def draw(rng: np.random.Generator) -> FloatArray:
    rate = np.nan if rng.random() < 0.5 else float(rng.integers(0, 500)) / 100
    kind = np.nan if rng.random() < 0.4 else float(rng.integers(3))
    return np.array([rate, float(rng.integers(6)), float(rng.integers(2)), kind, 40.0])


def plainly_permitted(row: FloatArray, rate: float, owner: float, kind: float, changes: int) -> bool:
    turned = {0.0: (0.0, 2.0), 1.0: (0.0, 1.0, 2.0), 2.0: (2.0,)}
    rises = np.isnan(row[0]) or rate >= row[0]
    turns = np.isnan(row[3]) or kind in turned[float(row[3])]
    moved = sum(
        not np.array_equal(one, other, equal_nan=True)
        for one, other in zip(row[[0, 2, 3]], (rate, owner, kind), strict=True)
    )
    return bool(rises and turns and 0 < moved <= changes)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("changes", [1, 2, 3])
def test_what_is_found_is_what_enumeration_finds(seed: int, changes: int, grow_forest: GrowForest) -> None:
    model = grow_forest(seed)
    rng = np.random.default_rng(seed)
    constraints = Constraints(model.space, FREE, changes)
    reference = Reference.of("given", np.array([draw(rng) for _ in range(40)]))
    search = CounterfactualSearch.prepare(model, RULE, constraints, reference)
    for row in (draw(rng) for _ in range(4)):
        if model.margins(row[None, :])[0] < 0.0:
            continue
        own = [row[[at]] for at in (0, 2, 3)]
        offers = product(np.append(RATES, own[0]), (0.0, 1.0), np.append(np.arange(3.0), own[2]))
        rows = np.array(
            [
                [rate, row[1], owner, kind, 40.0]
                for rate, owner, kind in offers
                if plainly_permitted(row, rate, owner, kind, changes)
            ]
        ).reshape(-1, 5)
        reached = rows[model.margins(rows) < -1e-4] if len(rows) else rows
        found = search.find(model.space.instance(row), count=2, deadline=Deadline.unlimited(), seed=1)
        assert found.status == ("found" if len(reached) else "no_recourse")
        assert found.dropped == 0
        if len(reached):
            least = row_costs(constraints, search.scales, row, reached).min()
            assert found.items[0].cost >= least - 1e-9
            if changes == 1:
                assert found.items[0].cost == pytest.approx(least)
