"""Shapley values equal the enumeration of all coalitions over the native library's own leaves."""

from __future__ import annotations

import numpy as np
import pytest

from explain.attribution.preparing import attribute
from explain.attribution.treeshap import TreeShap
from explain.errors import ModelUnsupported
from explain.models.base import Model
from tests.oracles.boosters import Trained, brute_force, draw_rows, train

NUMBERS = ("q",) * 6
MIXED = ("q", "c", "q", "c", "q")

CASES: dict[str, dict] = {
    "numeric": {"types": NUMBERS},
    "numeric without gaps": {"types": NUMBERS, "missing": 0.0},
    "ten features": {"types": ("q",) * 10, "max_depth": 5, "rounds": 6},
    "one feature": {"types": ("q",), "max_depth": 6},
    "stumps": {"types": NUMBERS, "max_depth": 1, "rounds": 30},
    "constant trees": {"types": NUMBERS, "gamma": 1e9},
    "pruned trees": {"types": NUMBERS, "tree_method": "exact", "gamma": 1.0, "max_depth": 6},
    "repeated features": {"types": ("q", "q"), "max_depth": 9},
    "deep trees": {
        "types": NUMBERS,
        "max_depth": 0,
        "max_leaves": 60,
        "grow_policy": "lossguide",
        "rounds": 4,
    },
    "one-hot categories": {"types": MIXED, "max_cat_to_onehot": 64},
    "partitioned categories": {"types": MIXED, "max_cat_to_onehot": 1},
    "forest": {"types": NUMBERS, "num_parallel_tree": 4, "subsample": 0.6, "rounds": 3},
    "approx": {"types": MIXED, "tree_method": "approx"},
    "regression": {"types": NUMBERS, "objective": "reg:squarederror"},
    "logitraw": {"types": NUMBERS, "objective": "binary:logitraw"},
    "logistic regression": {"types": NUMBERS, "objective": "reg:logistic"},
    "absolute error": {"types": NUMBERS, "objective": "reg:absoluteerror"},
    "pseudo-Huber": {"types": NUMBERS, "objective": "reg:pseudohubererror"},
    "squared log error": {"types": NUMBERS, "objective": "reg:squaredlogerror"},
    "base score": {"types": NUMBERS, "base_score": 0.2},
    "monotone": {"types": NUMBERS, "monotone_constraints": "(1,0,-1,0,0,0)"},
}


def assert_exact(
    trained: Trained, rows: np.ndarray, reference: np.ndarray, *, within: float = 1e-9, **storage: int
) -> None:
    model = trained.model()
    shap = TreeShap.prepare(model, reference, cache_dir=None, **storage)
    for row in rows:
        base_value, phi = shap.explain(row)
        expected_base, expected = brute_force(trained, row, reference)
        assert base_value == pytest.approx(expected_base, abs=1e-9)
        assert phi == pytest.approx(expected, abs=within)
        assert attribute(model, shap, row).error < 1e-4


@pytest.mark.parametrize("name", CASES)
def test_every_construct_equals_brute_force(name: str) -> None:
    trained = train(**CASES[name])
    fresh = draw_rows(99, 4, trained.types, 0.2)
    assert_exact(trained, fresh, trained.rows[:20])


@pytest.mark.parametrize("name", ["numeric", "partitioned categories", "deep trees"])
def test_however_the_reference_is_held_values_equal_brute_force(name: str) -> None:
    trained = train(**CASES[name])
    model, reference = trained.model(), trained.rows[:20]
    least = least_bytes(model, reference)
    roomy = TreeShap.prepare(model, reference, cache_dir=None).storage
    assert (roomy.pair_units, roomy.listed_leaves, roomy.table_width) == (0, 0, 64)
    held = []
    for cap in np.linspace(least, roomy.table_bytes // 2, 6).astype(int).tolist():
        storage = TreeShap.prepare(model, reference, cache_dir=None, memory_cap_bytes=cap).storage
        assert storage.table_bytes + storage.other_bytes <= cap
        held.append(storage)
        assert_exact(trained, trained.rows[50:52], reference, within=1e-6, memory_cap_bytes=cap)
    assert min(storage.pair_units for storage in held) < max(storage.pair_units for storage in held)
    assert held[0].listed_leaves > 0
    assert (held[-1].listed_leaves, held[-1].table_width) == (0, 32)


def least_bytes(model: Model, reference: np.ndarray) -> int:
    """Find the smallest cap under which the reference can be prepared."""
    low, high = 0, 1 << 20
    while low < high:
        middle = (low + high) // 2
        try:
            TreeShap.prepare(model, reference, cache_dir=None, memory_cap_bytes=middle)
            high = middle
        except ModelUnsupported:
            low = middle + 1
    return low


def test_values_at_thresholds_and_one_unit_beside_them() -> None:
    trained = train(NUMBERS, missing=0.0, seed=5)
    trees = trained.model().form()
    rows = []
    for node in np.flatnonzero(np.isfinite(trees.threshold))[:12]:
        threshold = np.float32(trees.threshold[node])
        for value in (
            np.nextafter(threshold, np.float32(-9)),
            threshold,
            np.nextafter(threshold, np.float32(9)),
        ):
            row = trained.rows[0].copy()
            row[trees.feature[node]] = value
            rows.append(row)
    assert_exact(trained, np.array(rows)[::3], trained.rows[:8])
    native = trained.margins64(np.array(rows))
    shap = TreeShap.prepare(trained.model(), trained.rows[:8], cache_dir=None)
    base_value, phi = shap.explain_batch(np.array(rows))
    assert base_value + phi.sum(axis=1) == pytest.approx(native, abs=1e-9)


def test_a_float64_value_is_rounded_before_it_is_compared() -> None:
    trained = train(NUMBERS, missing=0.0, seed=5)
    trees = trained.model().form()
    node = int(np.flatnonzero(np.isfinite(trees.threshold))[0])
    row = trained.rows[0].copy()
    row[trees.feature[node]] = np.nextafter(
        trees.threshold[node], -np.inf
    )  # rounds up to the threshold itself
    assert_exact(trained, row[np.newaxis], trained.rows[:8])


def test_everything_missing_and_categories_no_split_has_seen() -> None:
    trained = train(MIXED, max_cat_to_onehot=1)
    gaps = np.full(5, np.nan)
    unseen = trained.rows[0].copy()
    unseen[1], unseen[3] = 60.0, 1000.0
    assert_exact(trained, np.array([gaps, unseen]), trained.rows[:10])


@pytest.mark.parametrize("saved_by_wrapper", [False, True])
def test_early_stopping_explains_the_rounds_that_the_file_predicts_with(saved_by_wrapper: bool) -> None:
    trained = train(NUMBERS, rounds=10)
    trained.booster.set_attr(best_iteration="3", best_score="0.5")
    if saved_by_wrapper:
        trained.booster.set_attr(scikit_learn='{"_estimator_type": "classifier"}')
    rounds = 4 if saved_by_wrapper else 0
    model = trained.model()
    shap = TreeShap.prepare(model, trained.rows[:10], cache_dir=None)
    expected_base, expected = brute_force(trained, trained.rows[11], trained.rows[:10], rounds)
    base_value, phi = shap.explain(trained.rows[11])
    assert base_value == pytest.approx(expected_base, abs=1e-9)
    assert phi == pytest.approx(expected, abs=1e-9)
    attribute(model, shap, trained.rows[11])


@pytest.mark.prove
@pytest.mark.parametrize("seed", range(40))
def test_many_random_models_equal_brute_force(seed: int) -> None:
    generator = np.random.default_rng(seed)
    types = tuple(generator.choice(["q", "q", "c"], size=int(generator.integers(1, 9))))
    trained = train(
        types,
        seed=seed,
        max_depth=int(generator.integers(1, 9)),
        max_cat_to_onehot=int(generator.choice([1, 4, 64])),
        num_parallel_tree=int(generator.integers(1, 4)),
    )
    assert_exact(trained, draw_rows(seed + 1, 5, types, 0.3), trained.rows[:16])
