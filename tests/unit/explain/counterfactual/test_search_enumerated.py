"""The search against the enumeration of every permitted row on small forests of mixed features."""

from __future__ import annotations

from itertools import combinations, product
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray

from explain.counterfactual.base import CounterfactualSet
from explain.counterfactual.constraints.checker import Constraints, FeatureConstraint
from explain.counterfactual.search import CounterfactualSearch
from explain.deadline import Deadline
from explain.features import Instance
from explain.outcome import OutcomeRule
from explain.reference import Reference

if TYPE_CHECKING:
    from conftest import Forest, GrowForest

FloatArray = NDArray[np.float64]

STEP = 0.25
RATES = np.arange(0, 21) * STEP
RULE = OutcomeRule("probability_of_adverse", 0.4, "decline", "approve")
LOW_RULE = OutcomeRule("probability_of_favourable", 0.6, "decline", "approve")


def constraints_for(model: Forest, max_changes: int, rate: FeatureConstraint | None = None) -> Constraints:
    return Constraints(
        model.space,
        {
            "rate": rate or FeatureConstraint(mutable=True, step=STEP),
            "years": FeatureConstraint(mutable=True, direction="increase"),
            "owner": FeatureConstraint(mutable=True),
            "kind": FeatureConstraint(mutable=True),
        },
        max_changes=max_changes,
        protected=frozenset({"race"}),
    )


def reference_for(model: Forest, rng: np.random.Generator) -> Reference:
    rows = np.stack([applicant(rng, missing=False) for _ in range(60)])
    return Reference.of("given", rows)


def applicant(rng: np.random.Generator, *, missing: bool) -> FloatArray:
    rate = float(np.round(rng.uniform(0, 5), 2))
    row = [rate, rng.integers(0, 6), rng.integers(0, 2), rng.integers(0, 3), rng.integers(20, 80)]
    numbers = np.array(row, dtype=np.float64)
    if missing:
        numbers[[0, 3]] = np.where(rng.random(2) < 0.4, np.nan, numbers[[0, 3]])
    return numbers


def every_permitted_row(
    row: FloatArray, max_changes: int, rates: FloatArray
) -> tuple[FloatArray, list[tuple[int, ...]]]:
    """All rows within the constraints of `constraints_for`, and which features change in each."""
    offers = {
        0: [] if np.isnan(row[0]) else [x for x in rates if x != row[0]],
        1: [x for x in range(6) if x > row[1]],
        2: [1.0 - row[2]],
        3: [] if np.isnan(row[3]) else [x for x in range(3) if x != row[3]],
    }
    rows, changed = [], []
    for size in range(1, max_changes + 1):
        for features in combinations(offers, size):
            for values in product(*(offers[at] for at in features)):
                other = row.copy()
                other[list(features)] = values
                rows.append(other)
                changed.append(features)
    return np.array(rows).reshape(-1, len(row)), changed


def costs(
    row: FloatArray, rows: FloatArray, changed: list[tuple[int, ...]], reference: Reference
) -> FloatArray:
    """The cost by its definition, written a second time."""
    spread = {}
    for at in (0, 1):
        column = reference.rows[:, at]
        spread[at] = np.median(np.abs(column - np.median(column)))
    return np.array(
        [
            sum(1.0 + (abs(other[at] - row[at]) / spread[at] if at < 2 else 1.0) for at in features)
            for other, features in zip(rows, changed, strict=True)
        ]
    )


def search(
    model: Forest, constraints: Constraints, row: FloatArray, reference: Reference, rule: OutcomeRule = RULE
) -> tuple[CounterfactualSet, Instance]:
    instance = model.space.instance(row)
    found = CounterfactualSearch.prepare(model, rule, constraints, reference).find(
        instance, count=4, deadline=Deadline.unlimited(), seed=7
    )
    return found, instance


def row_of(item_changes: dict[str, object], instance: Instance, model: Forest) -> FloatArray:
    given = dict(zip(model.space.names, instance.values, strict=True)) | item_changes
    return model.space.read(given).row


@pytest.mark.parametrize("seed", range(60))
@pytest.mark.parametrize("max_changes", [1, 2, 3])
def test_every_answer_is_what_enumeration_says(seed: int, max_changes: int, grow_forest: GrowForest) -> None:
    rng = np.random.default_rng(1_000 + seed)
    model = grow_forest(seed, comparison="<" if seed % 2 else "<=", width=32 if seed % 3 else 64)
    rule = RULE if seed % 2 else LOW_RULE
    reference = reference_for(model, rng)
    constraints = constraints_for(model, max_changes)
    row = applicant(rng, missing=seed % 4 == 0)
    found, instance = search(model, constraints, row, reference, rule)
    if rule.is_favourable(float(model.predict(row[None]).scores[0])):
        assert found.status == "not_needed"
        return
    rows, changed = every_permitted_row(row, max_changes, RATES)
    good = rule.favourable_mask(model.predict(rows).scores)
    assert found.dropped == 0
    if not good.any():
        assert found.status == "no_recourse"
        assert found.proof in ("bounded", "exhaustive")
        return
    assert found.status == "found"
    price = costs(row, rows, changed, reference)
    for item in found.items:
        other = row_of({change.feature: change.after for change in item.changes}, instance, model)
        at = np.flatnonzero((np.nan_to_num(rows, nan=-9) == np.nan_to_num(other, nan=-9)).all(axis=1))
        assert len(at) == 1, "not among the permitted rows"
        assert good[at[0]]
        assert item.verified
        assert item.cost == pytest.approx(price[at[0]], abs=1e-9)
        assert item.outcome == "approve"
    best_single = price[good & (np.array([len(features) for features in changed]) == 1)]
    if len(best_single):
        assert found.items[0].cost <= best_single.min() + 1e-9
    if max_changes == 1:
        assert found.items[0].cost == pytest.approx(best_single.min(), abs=1e-9)
    assert found.items[0].cost <= 1.25 * price[good].min() + 1e-9


@pytest.mark.parametrize("seed", range(40))
def test_the_beam_finds_the_cheapest_of_small_forests_nearly_always(
    seed: int, grow_forest: GrowForest
) -> None:
    """With few options the beam holds every state, hence the optimum over three changes."""
    rng = np.random.default_rng(9_000 + seed)
    model = grow_forest(seed + 500, trees=3, depth=2)
    reference = reference_for(model, rng)
    row = applicant(rng, missing=False)
    found, _ = search(model, constraints_for(model, 3), row, reference)
    if found.status in ("not_needed", "no_recourse"):
        return
    rows, changed = every_permitted_row(row, 3, RATES)
    good = RULE.favourable_mask(model.predict(rows).scores)
    assert found.items[0].cost == pytest.approx(costs(row, rows, changed, reference)[good].min(), abs=1e-9)


@pytest.mark.parametrize("seed", range(20))
def test_one_way_range_and_step_hold_together(seed: int, grow_forest: GrowForest) -> None:
    """The range [1, 3.6] does not end on the grid of 0.8, and the rate may only fall."""
    rng = np.random.default_rng(5_000 + seed)
    model = grow_forest(seed)
    reference = reference_for(model, rng)
    rate = FeatureConstraint(mutable=True, direction="decrease", minimum=1.0, maximum=3.6, step=0.8)
    constraints = constraints_for(model, 2, rate)
    row = applicant(rng, missing=False)
    found, instance = search(model, constraints, row, reference)
    permitted = np.array([x for x in (1.6, 2.4, 3.2) if x < row[0]])
    rows, _ = every_permitted_row(row, 2, permitted)
    if not len(rows) or found.status == "not_needed":
        return
    good = RULE.favourable_mask(model.predict(rows).scores)
    assert (found.status == "found") == good.any()
    for item in found.items:
        other = row_of({change.feature: change.after for change in item.changes}, instance, model)
        assert (rows[good] == other).all(axis=1).any()
