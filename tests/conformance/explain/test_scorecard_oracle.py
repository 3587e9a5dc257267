"""On an additive scorecard the order is "furthest below the average", by the scorecard's own points.

Regulation B, comment 9(b)(2)-5: the factors on which the applicant fell furthest below the average score of
those who were at or slightly above the passing score, or of all applicants. The points are read off what the
native library itself picks; averages, differences and order are computed here, and nothing of the engine's.
"""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pytest
import xgboost as xgb
from numpy.typing import NDArray

from explain.attribution.base import Attribution
from explain.attribution.deciding import attribute_decisions
from explain.attribution.preparing import prepare_attribution
from explain.outcome import Decision, OutcomeRule
from explain.reasons import Factor, Reason, principal_reasons
from explain.reference import select_reference
from tests.oracles.boosters import Trained, draw_rows, quiet, tree_parts
from tests.oracles.wordings import plain_catalogue

Reals = NDArray[np.float64]
Kind = Literal["near_cutoff_approved", "all_applicants"]

APPLICANTS = 1000
BAND = 0.15
NUMBERS = ("q",) * 8
MIXED = ("q",) * 6 + ("c", "c")
ALONE = str([[feature] for feature in range(8)])  # no tree may split on two features
CARDS: dict[str, tuple[tuple[str, ...], dict[str, object]]] = {
    "stumps": (NUMBERS, {"max_depth": 1}),
    "binned": (MIXED, {"max_depth": 3, "interaction_constraints": ALONE}),
    "linear": (NUMBERS, {"booster": "gblinear"}),
}
RULES = {
    "probability": OutcomeRule("probability_of_adverse", 0.5, "decline", "approve"),
    "points": OutcomeRule("margin", 0.0, "decline", "approve", "low_is_adverse"),
}


def scorecard(types: tuple[str, ...], measure: str, *, seed: int = 11, **parameters: object) -> Trained:
    """Let XGBoost learn a random additive scorecard: points for each bin of each feature, and for a gap."""
    generator = np.random.default_rng(seed)
    rows = draw_rows(seed, 1500, types)
    points = np.zeros(len(rows))
    for column in rows.T:
        bins = np.digitize(column, np.nanquantile(column, [0.2, 0.4, 0.6, 0.8]))
        points += generator.normal(size=6)[np.where(np.isnan(column), 5, bins)]
    label = points - points.mean() + generator.normal(size=len(rows))
    objective = {"points": "reg:squarederror", "probability": "binary:logistic"}[measure]
    settings = {"nthread": 1, "seed": seed, "eta": 0.2, "objective": objective, **parameters}
    matrix = xgb.DMatrix(
        rows,
        label=label if measure == "points" else label > 0,
        feature_types=list(types),
        enable_categorical="c" in types,
        nthread=1,
    )
    with quiet():
        return Trained(xgb.train(settings, matrix, 80), rows, types)


def points_of(trained: Trained, rows: Reals) -> Reals:
    """Return what each feature adds to the margin, (n, features): a leaf it picks or a product."""
    document = trained.document()
    points = np.zeros(rows.shape)
    if trained.is_linear:
        weights = np.array(document["learner"]["gradient_booster"]["model"]["weights"], dtype=np.float32)
        numbers = np.nan_to_num(rows.astype(np.float32).astype(np.float64))
        return numbers * weights[: rows.shape[1]].astype(np.float64)
    trees = tree_parts(document)[1]["trees"]
    leaves = trained.booster.predict(trained.matrix(rows), pred_leaf=True).astype(np.int64)
    for feature in range(rows.shape[1]):
        own = [number for number, tree in enumerate(trees) if split_features(tree) == {feature}]
        values = [
            np.array(trees[number]["split_conditions"], dtype=np.float32)[leaves[:, number]] for number in own
        ]
        points[:, feature] = [math.fsum(column) for column in zip(*values, strict=True)] if own else 0.0
    return points


def split_features(tree: dict) -> set[int]:
    """Return the features that a tree splits on; one at most, in a scorecard."""
    found = {
        feature
        for feature, left in zip(tree["split_indices"], tree["left_children"], strict=True)
        if left != -1
    }
    assert len(found) <= 1
    return found


@dataclass(frozen=True)
class Card:
    """A scorecard, a rule, its reference by the card's own scores, and the applicants it declined."""

    trained: Trained
    rule: OutcomeRule
    pool: Reals

    def scores(self, rows: Reals) -> Reals:
        return self.trained.native(rows, margin=self.rule.score == "margin")

    def adverse(self, rows: Reals) -> NDArray[np.bool_]:
        scores = self.scores(rows)
        return scores >= self.rule.threshold if self.rule.high_is_adverse else scores < self.rule.threshold

    def population(self, kind: Kind, band: float) -> Reals:
        if kind == "all_applicants":
            return self.pool
        near = np.abs(self.scores(self.pool) - self.rule.threshold) <= band
        return self.pool[near & ~self.adverse(self.pool)]

    def furthest_below(self, rows: Reals, population: Reals, declared: Sequence[int]) -> list[list[int]]:
        """Return for each row the four features furthest below average; equal ones as they are declared.

        A difference of a millionth of the largest is none: that much is said of the engine.
        """
        good = 1.0 if self.rule.high_is_adverse else -1.0
        sums = [math.fsum(column) for column in points_of(self.trained, population).T]
        below = good * (points_of(self.trained, rows) - np.array(sums) / len(population))
        place = {feature: at for at, feature in enumerate(declared)}
        orders = []
        for own in below:
            adverse = [feature for feature in declared if own[feature] > 1e-6 * max(abs(own))]
            orders.append(sorted(adverse, key=lambda f: (-own[f], place[f]))[:4])
        return orders


def explained(
    card: Card, rows: Reals, kind: Kind, band: float, declared: Sequence[int]
) -> list[tuple[Decision, tuple[Reason, ...]]]:
    """Explain every row as the service does, against the reference that the engine selects."""
    model = card.trained.model()
    space = model.space
    reference = select_reference(
        model, card.rule, card.pool, kind, band if kind != "all_applicants" else None
    )
    shap = prepare_attribution(model, reference.rows, cache_dir=None)
    factors = [Factor(space.names[at], (space.names[at],)) for at in declared]
    words = plain_catalogue(space.names)
    answers = []
    for row, (decision, found) in zip(rows, attribute_decisions(model, shap, card.rule, rows), strict=True):
        assert isinstance(found, Attribution)
        reasons = principal_reasons(
            found,
            factors,
            space.instance(row),
            reference,
            card.rule,
            space=space,
            decision=decision,
            words=words,
        )
        answers.append((decision, reasons))
    return answers


def features_named(reasons: Sequence[Reason]) -> list[int]:
    return [int(reason.factor.removeprefix("f")) for reason in reasons]


def declined(card: Card, rows: Reals) -> Reals:
    """Return the first thousand that the card declines."""
    found = rows[card.adverse(rows)][:APPLICANTS]
    assert len(found) == APPLICANTS
    return found


@pytest.mark.parametrize("kind", ["near_cutoff_approved", "all_applicants"])
@pytest.mark.parametrize("measure", RULES)
@pytest.mark.parametrize("name", CARDS)
def test_the_order_is_furthest_below_the_average(name: str, measure: str, kind: Kind) -> None:
    types, parameters = CARDS[name]
    card = Card(scorecard(types, measure, **parameters), RULES[measure], draw_rows(12, 4000, types))
    rows = declined(card, draw_rows(13, 4 * APPLICANTS, types))
    answers = explained(card, rows, kind, BAND, range(8))
    assert not any(decision.favourable for decision, _ in answers)
    named = [features_named(reasons) for _, reasons in answers]
    population = card.population(kind, BAND)
    assert len(population) >= 100  # fewer would widen the band
    assert named == card.furthest_below(rows, population, range(8))
    assert {2, 3, 4} <= {len(own) for own in named} <= {1, 2, 3, 4}  # two where only two are adverse


@pytest.mark.parametrize("measure", RULES)
def test_who_was_approved_gets_no_reasons(measure: str) -> None:
    card = Card(scorecard(NUMBERS, measure, max_depth=1), RULES[measure], draw_rows(12, 500, NUMBERS))
    rows = draw_rows(13, 2 * APPLICANTS, NUMBERS)
    rows = rows[~card.adverse(rows)]
    assert len(rows) > 200
    answers = explained(card, rows, "all_applicants", BAND, range(8))
    assert all(decision.favourable and reasons == () for decision, reasons in answers)


def twinned(trained: Trained) -> Trained:
    """Give every feature a twin with trees of its own that say the same: f0 and f4, f1 and f5, ..."""
    count = len(trained.types)
    document = copy.deepcopy(trained.document())
    parameters = document["learner"]["learner_model_param"]
    parameters["num_feature"] = str(2 * count)
    for names in ("feature_names", "feature_types"):
        document["learner"][names] = []
    model = tree_parts(document)[1]
    copies = copy.deepcopy(model["trees"])
    for tree in copies:
        tree["id"] += len(model["trees"])
        tree["split_indices"] = [at + count for at in tree["split_indices"]]
    for tree in (*model["trees"], *copies):
        tree["tree_param"]["num_feature"] = str(2 * count)
    model["trees"] += copies
    model["tree_info"] *= 2
    model["gbtree_model_param"]["num_trees"] = str(len(model["trees"]))
    model["iteration_indptr"] = list(range(len(model["trees"]) + 1))
    with quiet():
        booster = xgb.Booster(model_file=bytearray(json.dumps(document).encode()))
    return Trained(booster, np.hstack([trained.rows, trained.rows]), trained.types * 2)


@pytest.mark.parametrize("kind", ["near_cutoff_approved", "all_applicants"])
@pytest.mark.parametrize("declared", [range(8), range(7, -1, -1), (3, 0, 4, 7, 1, 5, 2, 6)])
def test_exact_ties_keep_the_declared_order(kind: Kind, declared: Sequence[int]) -> None:
    """Twins have the same points everywhere, so their contributions are equal in exact arithmetic."""
    types = ("q",) * 4
    trained = twinned(scorecard(types, "probability", max_depth=1))
    card = Card(trained, RULES["probability"], np.tile(draw_rows(12, 4000, types), 2))
    rows = declined(card, np.tile(draw_rows(13, 4 * APPLICANTS, types), 2))
    answers = explained(card, rows, kind, BAND, declared)
    named = [features_named(reasons) for _, reasons in answers]
    assert named == card.furthest_below(rows, card.population(kind, BAND), declared)
    assert all(one % 4 == other % 4 for own in named for one, other in zip(own[::2], own[1::2], strict=True))
    assert all(reason.near_tie for _, reasons in answers for reason in reasons)
