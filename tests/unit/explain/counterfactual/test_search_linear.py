"""Counterfactuals of linear models, against the enumeration of every permitted row."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
import pytest
from numpy.typing import NDArray

from explain.counterfactual.base import CounterfactualSet
from explain.counterfactual.constraints.checker import Constraints, FeatureConstraint
from explain.counterfactual.linear import LinearTables
from explain.counterfactual.options import scales_of
from explain.counterfactual.search import CounterfactualSearch
from explain.deadline import Deadline
from explain.errors import ModelUnsupported
from explain.features import Feature, FeatureSpace, FloatWidth
from explain.models.base import Prediction
from explain.models.linear import LinearForm
from explain.outcome import OutcomeRule
from explain.reference import Reference

FloatArray = NDArray[np.float64]

FEATURES = (
    Feature("rate", "number", minimum=0.0, maximum=5.0, nullable=True),
    Feature("years", "integer", minimum=0.0, maximum=6.0),
    Feature("owner", "boolean"),
    Feature("kind", "category", categories=("a", "b", "c")),
    Feature("score", "number", nullable=True),
)
FREE = {
    "rate": FeatureConstraint(mutable=True, step=0.25),
    "years": FeatureConstraint(mutable=True, direction="increase"),
    "owner": FeatureConstraint(mutable=True),
    "kind": FeatureConstraint(mutable=True),
}


@dataclass(frozen=True)
class Line:
    """A linear model by hand, summed feature by feature."""

    weights: tuple[float, ...]
    constant: float
    space: FeatureSpace
    width: FloatWidth = 64
    outputs: int = 1
    family: str = "by_hand"
    digest: str = "sha256:" + "0" * 64

    @property
    def float_width(self) -> FloatWidth:
        return self.width

    def margins(self, rows: FloatArray) -> FloatArray:
        kind = np.float32 if self.width == 32 else np.float64
        totals = []
        for row in rows:
            total = kind(self.constant)
            for x, weight in zip(row, self.weights, strict=True):
                total = total if np.isnan(x) else kind(total + kind(x) * kind(weight))
            totals.append(float(total))
        return np.array(totals)

    def predict(self, rows: FloatArray) -> Prediction:
        margins = self.margins(rows)
        return Prediction(margins, 1.0 / (1.0 + np.exp(-margins)))

    def form(self) -> LinearForm:
        weights = np.array([self.weights] * self.outputs)
        return LinearForm(weights, np.full(self.outputs, self.constant), self.width, self.width)


def draw(rng: np.random.Generator) -> FloatArray:
    row = np.array([rng.uniform(0, 5), rng.integers(7), rng.integers(2), rng.integers(3), rng.normal()])
    if rng.random() < 0.3:
        row[0] = np.nan
    return row


def line_of(seed: int, width: FloatWidth) -> tuple[Line, Reference, np.random.Generator]:
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=5).astype(np.float32).astype(np.float64)
    weights[rng.random(5) < 0.15] = 0.0
    line = Line(
        tuple(weights.tolist()), float(np.float32(rng.normal())), FeatureSpace(FEATURES, width), width
    )
    rows = np.array([draw(rng) for _ in range(50)])
    rows[:, 0] = np.nan_to_num(rows[:, 0], nan=2.0)
    return line, Reference.of("given", rows), rng


def permitted(row: FloatArray, changes: int) -> tuple[FloatArray, list[tuple[int, ...]]]:
    offers = {
        0: [] if np.isnan(row[0]) else [x / 4 for x in range(21) if x / 4 != row[0]],
        1: [x for x in range(7) if x > row[1]],
        2: [1.0 - row[2]],
        3: [x for x in range(3) if x != row[3]],
    }
    rows, changed = [], []
    for size in range(1, changes + 1):
        for features in combinations(offers, size):
            for values in product(*(offers[at] for at in features)):
                other = row.copy()
                other[list(features)] = values
                rows.append(other)
                changed.append(features)
    return np.array(rows).reshape(-1, 5), changed


def search(
    line: Line, rule: OutcomeRule, row: FloatArray, reference: Reference, changes: int
) -> CounterfactualSet:
    prepared = CounterfactualSearch.prepare(line, rule, Constraints(line.space, FREE, changes), reference)
    return prepared.find(line.space.instance(row), count=3, deadline=Deadline.unlimited(), seed=4)


@pytest.mark.parametrize("changes", [1, 2, 3])
@pytest.mark.parametrize("seed", range(40))
def test_every_answer_is_what_enumeration_says(seed: int, changes: int) -> None:
    line, reference, rng = line_of(seed, 32 if seed % 2 else 64)
    probability = OutcomeRule("probability_of_adverse", 0.3, "decline", "approve")
    low = OutcomeRule("margin", 1.0, "decline", "approve", "low_is_adverse")
    rule = probability if seed % 3 else low
    spread = scales_of(reference)
    for row in (draw(rng) for _ in range(4)):
        found = search(line, rule, row, reference, changes)
        if rule.favourable_mask(rule.scores_of(*_asked(line, row[None])))[0]:
            assert found.status == "not_needed"
            continue
        rows, changed = permitted(row, changes)
        good = rule.favourable_mask(rule.scores_of(*_asked(line, rows)))
        assert found.status == ("found" if good.any() else "no_recourse")
        assert found.proof == (None if good.any() else "bounded")
        assert found.dropped == 0
        price = [
            sum(1 + (abs(other[at] - row[at]) / spread[at] if at < 2 else 1) for at in features)
            for other, features in zip(rows, changed, strict=True)
        ]
        for item in found.items:
            assert item.verified
            assert item.method == "linear_search"
        if good.any():
            assert found.items[0].cost == pytest.approx(np.array(price)[good].min(), abs=1e-9)


def _asked(line: Line, rows: FloatArray) -> tuple[FloatArray, FloatArray]:
    prediction = line.predict(rows)
    return prediction.margins, prediction.scores


def test_a_range_without_an_end_leads_just_across() -> None:
    space = FeatureSpace((Feature("x", "number"), Feature("y", "number")), 32)
    line = Line((0.7, -0.2), 0.0, space, 32)
    rule = OutcomeRule("margin", 0.0, "decline", "approve", "high_is_adverse")
    reference = Reference.of("given", np.random.default_rng(1).normal(size=(60, 2)))
    free = {"x": FeatureConstraint(mutable=True, direction="increase"), "y": FeatureConstraint(mutable=True)}
    prepared = CounterfactualSearch.prepare(line, rule, Constraints(space, free, 2), reference)
    found = prepared.find(space.read({"x": 5.0, "y": 0.0}), count=2, deadline=Deadline.unlimited(), seed=1)
    assert [[change.feature for change in item.changes] for item in found.items] == [["y"]]
    assert found.items[0].changes[0].after == pytest.approx(17.5, abs=0.02)
    blocked = {"x": FeatureConstraint(mutable=True, direction="increase")}
    prepared = CounterfactualSearch.prepare(line, rule, Constraints(space, blocked, 2), reference)
    found = prepared.find(space.read({"x": 5.0, "y": 0.0}), count=2, deadline=Deadline.unlimited(), seed=1)
    assert (found.status, found.proof) == ("no_recourse", "bounded")


def test_nothing_is_claimed_where_rounding_could_decide() -> None:
    """The terms are so large that their 32-bit sum may lie on either side."""
    space = FeatureSpace((Feature("x", "number", minimum=0.0, maximum=1.0), Feature("y", "number")), 32)
    line = Line((1.0, 1.0), 3e7, space, 32)
    rule = OutcomeRule("margin", 0.0, "decline", "approve", "high_is_adverse")
    reference = Reference.of("given", np.column_stack([np.linspace(0, 1, 40), np.linspace(0, 9, 40)]))
    free = Constraints(space, {"x": FeatureConstraint(mutable=True)}, 1)
    prepared = CounterfactualSearch.prepare(line, rule, free, reference)
    instance = space.read({"x": 1.0, "y": -3e7 + 2})
    assert line.margins(instance.row[None])[0] > 0
    found = prepared.find(instance, count=2, deadline=Deadline.unlimited(), seed=1)
    assert (found.status, found.proof) == ("unresolved", None)


def test_many_features_and_changes_stay_quick_and_replay() -> None:
    rng = np.random.default_rng(0)
    space = FeatureSpace(tuple(Feature(f"x{at}", "number", minimum=-3, maximum=3) for at in range(40)), 64)
    line = Line(tuple(rng.normal(size=40).tolist()), 0.0, space)
    rule = OutcomeRule("margin", -30.0, "decline", "approve", "high_is_adverse")
    free = {name: FeatureConstraint(mutable=True, step=0.01) for name in space.names}
    reference = Reference.of("given", rng.uniform(-3, 3, size=(60, 40)))
    prepared = CounterfactualSearch.prepare(line, rule, Constraints(space, free, 8), reference)
    instance = space.instance(np.round(rng.uniform(-3, 3, 40), 2))
    found = prepared.find(instance, count=3, deadline=Deadline.unlimited(), seed=1)
    assert found.status == "found"
    ticks = iter([0.0, 0.0, 0.0] + [9.0] * 100)
    stopped = prepared.find(instance, count=3, deadline=Deadline(1000, 0.0, lambda: next(ticks)), seed=1)
    assert not stopped.complete
    again = prepared.find(
        instance, count=3, deadline=Deadline.unlimited(), seed=1, max_evaluations=stopped.evaluations
    )
    assert again == stopped


def test_the_closed_form_knows_one_output() -> None:
    line = Line((1.0,), 0.0, FeatureSpace((Feature("x", "number"),)), outputs=3)
    rule = OutcomeRule("margin", 0.0, "decline", "approve", "high_is_adverse")
    constraints = Constraints(line.space, {}, 1)
    reference = Reference.of("given", np.ones((3, 1)))
    assert CounterfactualSearch.prepare(line, rule, constraints, reference).tables is None
    with pytest.raises(ModelUnsupported, match="3 outputs"):
        LinearTables.prepare(line.form())
