"""Noise that outranks, and features that can never be a reason: models whose truth is known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import xgboost as xgb

from explain.attribution.preparing import prepare_attribution
from explain.brute_force import frozen_game
from explain.evaluation.usage import noise_warnings, unused_warnings, used_features
from explain.evaluation.warning import ModelWarning
from explain.features import Feature, FeatureSpace
from explain.models import load_model
from explain.models.base import Model
from explain.models.linear import LinearForm
from explain.outcome import OutcomeRule
from explain.reasons import Factor

RULE = OutcomeRule("probability_of_adverse", 0.5, "decline", "approve")
NAMES = ("strong", "weak", "noise_a", "noise_b", "unread")
FACTORS = (
    Factor("strong", ("strong",)),
    Factor("weak", ("weak",)),
    Factor("mixed", ("noise_a",)),
    Factor("other", ("noise_b", "unread")),
)


@pytest.fixture(scope="module")
def fitted() -> tuple[Model, np.ndarray]:
    """A booster that overfits some rows: a weak feature, and noise that it uses more; one it cannot split."""
    generator = np.random.default_rng(2)
    rows = generator.normal(size=(300, 5))
    rows[:, 1] = generator.random(300) < 0.03
    rows[:, 4] = 2.0
    labels = (rows[:, 0] + 2.0 * rows[:, 1] + 1.5 * generator.normal(size=300) > 0).astype(float)
    options = {"objective": "binary:logistic", "max_depth": 4, "min_child_weight": 0, "nthread": 1, "seed": 1}
    booster = xgb.train(options, xgb.DMatrix(rows, labels, feature_names=list(NAMES)), 25)
    space = FeatureSpace(tuple(Feature(name, "number") for name in NAMES))
    return load_model("xgboost", bytes(booster.save_raw("ubj")), space), rows[:60]


def sizes_by_definition(model: Model, reference: np.ndarray) -> dict[str, float]:
    """Mean |phi| of each feature over the reference, every coalition enumerated."""
    phi = np.array([frozen_game(model.margins, row, reference, range(5)) for row in reference])
    return dict(zip(NAMES, np.abs(phi).mean(axis=0).tolist(), strict=True))


def noise(fitted: tuple[Model, np.ndarray], names: Sequence[str]) -> list[ModelWarning]:
    model, reference = fitted
    shap = prepare_attribution(model, reference, cache_dir=None)
    return list(noise_warnings((model, shap, RULE), reference, FACTORS, frozenset(names)))


def test_noise_that_moves_more_than_a_real_factor_is_named_with_it(fitted: tuple[Model, np.ndarray]) -> None:
    size = sizes_by_definition(*fitted)
    assert size["weak"] < min(size["noise_a"], size["noise_b"])
    assert max(size["noise_a"], size["noise_b"]) < size["strong"]
    first, second = noise(fitted, ("noise_a", "noise_b"))
    assert (first.code, first.factors, first.features) == ("noise_outranks", ("mixed", "weak"), ("noise_a",))
    assert (second.factors, second.features) == (("other", "weak"), ("noise_b",))
    assert f"{size['noise_a']:.3g}" in first.detail
    assert "more than weak" in first.detail


def test_what_is_not_declared_noise_is_none(fitted: tuple[Model, np.ndarray]) -> None:
    assert noise(fitted, ()) == []


def test_noise_below_every_real_factor_is_nothing_to_warn_of(fitted: tuple[Model, np.ndarray]) -> None:
    assert noise(fitted, ("weak",)) == []


def test_features_that_no_split_reads_and_features_that_never_differ(
    fitted: tuple[Model, np.ndarray],
) -> None:
    model, rows = fitted
    used = used_features(model.form())
    assert used.tolist() == [True, True, True, True, False]
    (unused,) = unused_warnings(NAMES, FACTORS, used, rows)
    assert (unused.code, unused.factors, unused.features) == ("unused_feature", ("other",), ("unread",))
    shap = prepare_attribution(model, rows, cache_dir=None)
    assert (shap.explain_batch(np.random.default_rng(1).normal(size=(50, 5)))[1][:, 4] == 0.0).all()
    same = rows.copy()
    same[:, 0], same[:, 1] = 3.5, np.nan
    same[::2, 2], same[1::2, 2] = 1.0, np.nan  # present or not is a difference too
    constant = list(unused_warnings(NAMES, FACTORS, used, same))[1]
    assert (constant.code, constant.features) == ("constant_feature", ("strong", "weak"))


def test_a_linear_model_uses_what_has_a_weight() -> None:
    form = LinearForm(np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -2.0]]), np.zeros(2), 64, 64)
    assert used_features(form).tolist() == [True, False, True]


def test_long_lists_are_cut_and_counted() -> None:
    names = [f"f{n}" for n in range(120)]
    factors = [Factor(name, (name,)) for name in names]
    (unused,) = unused_warnings(names, factors, np.zeros(120, dtype=bool), np.zeros((3, 120)))
    assert (len(unused.features), len(unused.factors)) == (20, 20)
    assert unused.detail.endswith("(120 in all)")
