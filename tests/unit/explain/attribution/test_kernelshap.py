"""KernelSHAP against brute-force Shapley values and closed forms."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import permutations

import numpy as np
import pytest
from numpy.typing import NDArray

from explain.attribution.kernelshap import EffortTooSmall, kernelshap

FloatArray = NDArray[np.float64]


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20261120)


def nonlinear(rows: FloatArray) -> FloatArray:
    margins = np.tanh(rows[:, 0] * rows[:, 1]) + np.where(rows[:, -1] > 0.2, rows[:, 0], 1.5)
    return np.asarray(margins + np.prod(rows[:, :3], axis=1) + 0.3 * rows.max(axis=1))


def by_permutations(row: FloatArray, reference: FloatArray) -> FloatArray:
    """Follow the definition: the mean gain of each feature over all orders of joining."""
    width = len(row)

    def value(members: frozenset[int]) -> float:
        rows = reference.copy()
        rows[:, list(members)] = row[list(members)]
        return float(nonlinear(rows).mean())

    phi = np.zeros(width)
    for order in permutations(range(width)):
        present: frozenset[int] = frozenset()
        for feature in order:
            phi[feature] += value(present | {feature}) - value(present)
            present |= {feature}
    return phi / math.factorial(width)


def by_subsets(row: FloatArray, reference: FloatArray) -> FloatArray:
    """The same by the formula over all subsets, for more features."""
    width = len(row)
    value = {}
    for code in range(1 << width):
        members = [i for i in range(width) if code >> i & 1]
        rows = reference.copy()
        rows[:, members] = row[members]
        value[code] = float(nonlinear(rows).mean())
    phi = np.zeros(width)
    for code, worth in value.items():
        size = code.bit_count()
        for i in range(width):
            if code >> i & 1:
                phi[i] += math.factorial(size - 1) * math.factorial(width - size) * worth
            else:
                phi[i] -= math.factorial(size) * math.factorial(width - size - 1) * worth
    return phi / math.factorial(width)


def test_few_features_equal_the_mean_over_all_orders(rng: np.random.Generator) -> None:
    row, reference = rng.normal(size=5), rng.normal(size=(7, 5))
    estimate = kernelshap(nonlinear, row, reference, seed=1, max_evaluations=10_000)
    np.testing.assert_allclose(estimate.phi, by_permutations(row, reference), atol=1e-12)
    assert estimate.exact
    assert estimate.converged
    assert estimate.evaluations == 1 + 7 + 7 * 2**5
    assert not estimate.standard_error.any()


@pytest.mark.parametrize("width", [4, 8, 10])
def test_exact_enumeration_equals_the_subset_formula(width: int, rng: np.random.Generator) -> None:
    row, reference = rng.normal(size=width), rng.normal(size=(5, width))
    estimate = kernelshap(nonlinear, row, reference, seed=1, max_evaluations=100_000)
    np.testing.assert_allclose(estimate.phi, by_subsets(row, reference), atol=1e-11)
    assert estimate.base_value == pytest.approx(nonlinear(reference).mean(), abs=1e-12)
    assert estimate.base_value + estimate.phi.sum() == pytest.approx(nonlinear(row[None])[0], abs=1e-12)


def test_the_sampled_estimate_covers_the_truth(rng: np.random.Generator) -> None:
    row, reference = rng.normal(size=12), rng.normal(size=(4, 12))
    truth = by_subsets(row, reference)
    estimate = kernelshap(nonlinear, row, reference, seed=5, max_evaluations=4_000)
    assert not estimate.exact
    assert estimate.evaluations <= 4_000
    assert np.abs(estimate.phi - truth).max() <= 5 * estimate.standard_error.max()
    assert estimate.base_value + estimate.phi.sum() == pytest.approx(nonlinear(row[None])[0], abs=1e-10)


def test_all_sizes_enumerated_is_exact_beyond_the_small_case(rng: np.random.Generator) -> None:
    row, reference = rng.normal(size=12), rng.normal(size=(2, 12))
    estimate = kernelshap(nonlinear, row, reference, seed=5, max_evaluations=20_000)
    assert estimate.exact
    np.testing.assert_allclose(estimate.phi, by_subsets(row, reference), atol=1e-9)


def test_standard_errors_are_honest(rng: np.random.Generator) -> None:
    """Over many seeds the spread of the estimates is what each of them claims."""
    row, reference = rng.normal(size=14), rng.normal(size=(2, 14))
    runs = [kernelshap(nonlinear, row, reference, seed=s, max_evaluations=1_500) for s in range(60)]
    spread = np.std([run.phi for run in runs], axis=0, ddof=1)
    claimed = np.mean([run.standard_error for run in runs], axis=0)
    large = spread > 0.2 * spread.max()
    np.testing.assert_allclose(claimed[large] / spread[large], 1.0, atol=0.4)


def test_a_linear_model_has_its_closed_form(rng: np.random.Generator) -> None:
    weights, row, reference = rng.normal(size=40), rng.normal(size=40), rng.normal(size=(20, 40))
    estimate = kernelshap(lambda rows: rows @ weights + 3.0, row, reference, seed=2, max_evaluations=20_000)
    np.testing.assert_allclose(estimate.phi, weights * (row - reference.mean(axis=0)), atol=1e-10)
    assert estimate.converged
    assert not estimate.exact
    assert estimate.evaluations < 20 * 400


def test_pairs_are_exact_for_products_of_two(rng: np.random.Generator) -> None:
    """x_i x_j with a centred reference: phi_i = x_i x_j / 2 + terms of the reference's mean product."""
    row, reference = rng.normal(size=30), rng.normal(size=(16, 30))
    estimate = kernelshap(
        lambda rows: rows[:, 0] * rows[:, 1] + 2.0 * rows[:, 2] * rows[:, 29],
        row,
        reference,
        seed=3,
        max_evaluations=16 * 600,
    )
    expected = np.zeros(30)
    for i, j, weight in ((0, 1, 1.0), (2, 29, 2.0)):
        mean = reference.mean(axis=0)
        both, none = row[i] * row[j], (reference[:, i] * reference[:, j]).mean()
        expected[i] = weight * ((row[i] * mean[j] - none) + (both - mean[i] * row[j])) / 2
        expected[j] = weight * ((row[j] * mean[i] - none) + (both - mean[j] * row[i])) / 2
    np.testing.assert_allclose(estimate.phi, expected, atol=1e-9)


def without_pairs(
    margin: Callable[[FloatArray], FloatArray], row: FloatArray, count: int, seed: int
) -> FloatArray:
    """Plain KernelSHAP against a reference of zeros: independent draws, one least squares, nothing more."""
    width = len(row)
    rng = np.random.default_rng(seed)
    sizes = np.arange(1, width)
    chances = 1.0 / (sizes * (width - sizes))
    drawn = rng.choice(sizes, size=count, p=chances / chances.sum())
    z = np.array([rng.permutation(np.arange(width) < size) for size in drawn], dtype=np.float64)
    base, total = margin(np.zeros((1, width)))[0], margin(row[None])[0]
    left = margin(z * row) - base - z[:, -1] * (total - base)
    first = np.linalg.lstsq(z[:, :-1] - z[:, -1:], left, rcond=None)[0]
    return np.append(first, total - base - first.sum())


def test_pairs_and_whole_sizes_beat_independent_draws(rng: np.random.Generator) -> None:
    """A product of two and one of three among 20 features, 600 coalitions."""
    row, reference = rng.normal(size=20) + 1.0, np.zeros((1, 20))
    weights = rng.normal(size=20)

    def margin(rows: FloatArray) -> FloatArray:
        pair, triple = rows[:, 3] * rows[:, 4], rows[:, 0] * rows[:, 1] * rows[:, 2]
        return np.asarray(rows @ weights + 5.0 * pair + triple)

    truth = weights * row
    truth[:3] += np.prod(row[:3]) / 3
    truth[3:5] += 5.0 * np.prod(row[3:5]) / 2
    ours, plain = [], []
    for seed in range(10):
        estimate = kernelshap(margin, row, reference, seed=seed, max_evaluations=600)
        ours.append(np.abs(estimate.phi - truth).mean())
        plain.append(np.abs(without_pairs(margin, row, estimate.evaluations, seed) - truth).mean())
        assert np.abs(estimate.phi - truth).max() < 0.03 * np.ptp(truth)
    assert np.mean(ours) < 0.2 * np.mean(plain)


def test_the_same_seed_gives_the_same_numbers_and_the_global_generator_is_left_alone(
    rng: np.random.Generator,
) -> None:
    row, reference = rng.normal(size=16), rng.normal(size=(3, 16))
    state = np.random.get_state(legacy=False)  # noqa: NPY002  it is the global state that must not move
    first = kernelshap(nonlinear, row, reference, seed=9, max_evaluations=2_000)
    again = kernelshap(nonlinear, row, reference, seed=9, max_evaluations=2_000)
    other = kernelshap(nonlinear, row, reference, seed=10, max_evaluations=2_000)
    np.testing.assert_array_equal(first.phi, again.phi)
    assert np.abs(first.phi - other.phi).max() > 0
    assert str(np.random.get_state(legacy=False)) == str(state)  # noqa: NPY002


@pytest.mark.parametrize("width", [3, 30])
def test_a_constant_model_gives_zero(width: int, rng: np.random.Generator) -> None:
    row, reference = rng.normal(size=width), rng.normal(size=(7, width))
    estimate = kernelshap(lambda rows: np.full(len(rows), 0.1), row, reference, seed=1, max_evaluations=9_000)
    assert not estimate.phi.any()
    assert not np.isnan(estimate.phi).any()
    assert estimate.base_value == 0.1
    assert estimate.converged


def test_features_equal_to_the_whole_reference_are_left_out(rng: np.random.Generator) -> None:
    row, reference = rng.normal(size=20), np.tile(rng.normal(size=20), (6, 1))
    row[4:] = reference[0, 4:]
    row[10], reference[:, 10] = np.nan, np.nan
    row[10] = np.nan

    def margin(rows: FloatArray) -> FloatArray:
        return np.asarray(rows[:, :4].prod(axis=1))

    estimate = kernelshap(margin, row, reference, seed=1, max_evaluations=1_000)
    assert estimate.exact
    assert not estimate.phi[4:].any()
    assert estimate.evaluations == 1 + 6 + 6 * 2**4


def test_a_row_equal_to_the_reference_has_nothing_to_explain() -> None:
    row = np.array([1.0, np.nan])
    estimate = kernelshap(lambda rows: rows[:, 0], row, row[None, :], seed=1, max_evaluations=10)
    assert estimate.phi.tolist() == [0.0, 0.0]
    assert estimate.base_value == 1.0


def test_progress_rises_to_one(rng: np.random.Generator) -> None:
    seen: list[float] = []
    row, reference = rng.normal(size=20), rng.normal(size=(3, 20))
    kernelshap(nonlinear, row, reference, seed=1, max_evaluations=3_000, progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    assert len(seen) > 3


def test_too_small_an_effort_is_refused(rng: np.random.Generator) -> None:
    row, reference = rng.normal(size=20), rng.normal(size=(10, 20))
    with pytest.raises(EffortTooSmall, match="100 evaluations are too few for 20 features"):
        kernelshap(nonlinear, row, reference, seed=1, max_evaluations=100)
