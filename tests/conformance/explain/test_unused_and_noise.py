"""What a model never used is no reason; what it did use is one, exactly as often as enumeration says.

Regulation B, comments 9(b)(2)-2 and -4: reasons are of factors that were scored, and no principal one is left
out. Noise that a model learned was scored: hiding it would be the violation.
"""

from __future__ import annotations

import numpy as np
import pytest
import xgboost as xgb
from numpy.typing import NDArray

from explain.attribution.base import Attribution
from explain.attribution.deciding import attribute_decisions
from explain.attribution.preparing import prepare_attribution
from explain.outcome import OutcomeRule
from explain.reasons import Factor, principal_reasons
from explain.reference import Reference
from tests.oracles.boosters import Trained, draw_rows, quiet, train, tree_parts
from tests.oracles.games import shapley_values
from tests.oracles.wordings import plain_catalogue

Reals = NDArray[np.float64]

RULE = OutcomeRule("probability_of_adverse", 0.5, "decline", "approve")


def split_features(trained: Trained) -> set[int]:
    """Return every feature that some tree splits on."""
    trees = tree_parts(trained.document())[1]["trees"]
    return {
        feature
        for tree in trees
        for feature, left in zip(tree["split_indices"], tree["left_children"], strict=True)
        if left != -1
    }


def attributed(trained: Trained, rows: Reals, reference: Reals) -> tuple[Reals, list[list[int]]]:
    """Return the engine's values (n, features), and the features it names for each row, all ranks."""
    model = trained.model()
    space = model.space
    shap = prepare_attribution(model, reference, cache_dir=None)
    factors = [Factor(name, (name,)) for name in space.names]
    words, frozen = plain_catalogue(space.names), Reference.of("given", reference)
    phi, named = [], []
    for row, (decision, found) in zip(rows, attribute_decisions(model, shap, RULE, rows), strict=True):
        assert isinstance(found, Attribution)
        reasons = principal_reasons(
            found,
            factors,
            space.instance(row),
            frozen,
            RULE,
            space=space,
            decision=decision,
            words=words,
        )
        phi.append(found.phi)
        named.append([space.index(reason.factor) for reason in reasons])
    return np.array(phi), named


@pytest.mark.parametrize("seed", range(3))
def test_a_feature_without_a_split_has_exactly_nothing_and_never_appears(seed: int) -> None:
    types = ("q",) * 10
    trained = train(types, seed=seed, rounds=4, max_depth=3)
    unused = sorted(set(range(10)) - split_features(trained))
    assert unused
    rows = draw_rows(seed + 50, 1000, types)
    phi, named = attributed(trained, rows, trained.rows[:100])
    assert not phi[:, unused].any()  # exactly zero, not nearly
    assert any(named)
    assert not any(set(own) & set(unused) for own in named)


def with_noise() -> Trained:
    """Train on few rows, deep enough to learn the noise of the last of five columns."""
    generator = np.random.default_rng(8)
    rows = draw_rows(8, 150, ("q",) * 5)
    filled = np.nan_to_num(rows, nan=0.4)
    signal = filled[:, 0] - filled[:, 1] + filled[:, 2] * filled[:, 3] + generator.normal(size=len(rows))
    settings = {"objective": "binary:logistic", "max_depth": 4, "nthread": 1, "seed": 8}
    matrix = xgb.DMatrix(rows, label=signal > 0.3, feature_types=["q"] * 5, nthread=1)
    with quiet():
        return Trained(xgb.train(settings, matrix, 12), rows, ("q",) * 5)


def enumerated(trained: Trained, rows: Reals, reference: Reals) -> Reals:
    """Return phi (n, features) by all coalitions of every row, the library's leaves picked in one call."""
    inside = np.array([[coalition >> feature & 1 for feature in range(5)] for coalition in range(32)]) == 1
    hybrids = np.where(inside[:, np.newaxis, :], rows[:, np.newaxis, np.newaxis, :], reference)
    margins = trained.margins64(hybrids.reshape(-1, 5)).reshape(len(rows), 32, len(reference))
    return np.array([shapley_values(game) for game in margins.mean(axis=2)])


def test_noise_that_the_model_used_appears_exactly_as_often_as_enumeration_says() -> None:
    trained = with_noise()
    noise = 4
    assert noise in split_features(trained)
    reference = trained.rows[:25]
    rows = np.vstack([trained.rows, draw_rows(9, 100, trained.types)])
    phi, named = attributed(trained, rows, reference)
    appearances = first = declined = 0
    truth, scores = enumerated(trained, rows, reference), trained.native(rows, margin=False)
    assert phi == pytest.approx(truth, abs=1e-9)
    for expected, score, own in zip(truth, scores, named, strict=True):
        adverse = [feature for feature in range(5) if expected[feature] > 1e-6 * max(abs(expected))]
        ranked = sorted(adverse, key=lambda feature: -expected[feature])[:4]
        if score < RULE.threshold:
            ranked = []
        assert own == ranked
        declined += bool(ranked)
        appearances += noise in ranked
        first += ranked[:1] == [noise]
    assert sum(noise in own for own in named) == appearances
    assert sum(own[:1] == [noise] for own in named) == first
    assert declined > 80
    assert appearances > 20
    assert first > 0
