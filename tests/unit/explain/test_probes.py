"""The probes lie where a form turns, whatever its width and whatever it takes for missing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from explain.features import Feature, FeatureSpace
from explain.models.ensemble import BELOW_ZERO, MISSING_NAN, MISSING_ZERO, NUMERIC, ZERO_WINDOW
from explain.models.linear import LinearForm
from explain.probes import CATEGORIES, probe_rows
from tests.oracles.trees import random_trees

NUMBERS = tuple(Feature(f"f{at}", "number", nullable=at == 1) for at in range(4))
REFERENCE = np.full((20, 4), 77.0)


def drawn(form: object, features: tuple[Feature, ...] = NUMBERS, width: int = 64) -> np.ndarray:
    space = FeatureSpace(features, 32 if width == 32 else 64)
    return probe_rows(form, space, REFERENCE[:, : len(features)], np.random.default_rng(0))


def forest(width: int, kind: int, threshold: float) -> object:
    grown = random_trees(1, missing=(kind,))
    moved = np.where(np.isfinite(grown.threshold), threshold, np.nan)
    return replace(grown, threshold=moved, input_width=width)


@pytest.mark.parametrize("threshold", [0.1, 1e-3, 1e30, -2.5])
def test_thresholds_and_their_neighbours_of_the_width_that_is_read(threshold: float) -> None:
    narrow = set(drawn(forest(32, MISSING_NAN, threshold), width=32).ravel().tolist())
    middle = np.float32(threshold)
    for side in (-np.inf, np.inf):
        assert float(np.nextafter(middle, np.float32(side))) in narrow
    wide = set(drawn(forest(64, MISSING_NAN, threshold)).ravel().tolist())
    assert {threshold, np.nextafter(threshold, -np.inf), np.nextafter(threshold, np.inf)} <= wide


def test_a_threshold_beyond_the_width_is_no_probe() -> None:
    probes = drawn(forest(32, MISSING_NAN, 1e300), width=32)
    assert np.isfinite(probes[:, [0, 2, 3]]).all()
    assert np.abs(np.nan_to_num(probes)).max() <= np.finfo(np.float32).max


@pytest.mark.parametrize("width", [32, 64])
def test_both_edges_of_the_zero_window_where_zero_is_missing(width: int) -> None:
    form = forest(width, MISSING_ZERO, 3.0)
    tested = np.unique(form.feature[(form.category_start == NUMERIC) & (form.feature >= 0)])
    probes = drawn(form, width=width)
    for at in tested.tolist():
        seen = probes[:, at]
        if width == 32:
            seen = seen.astype(np.float32).astype(np.float64)
        assert {0.0, ZERO_WINDOW, -ZERO_WINDOW} <= set(seen.tolist())
        assert ((seen < -ZERO_WINDOW) & (seen > -2 * ZERO_WINDOW)).any()
        assert ((seen > ZERO_WINDOW) & (seen < 2 * ZERO_WINDOW)).any()
    plain = drawn(forest(width, MISSING_NAN, 3.0), width=width)
    assert 0.0 in plain
    assert ZERO_WINDOW not in plain
    assert BELOW_ZERO not in plain


def test_missing_only_where_it_may_be_and_the_ends_of_ranges() -> None:
    ranged = (replace(NUMBERS[0], minimum=-5.0, maximum=1e60), *NUMBERS[1:])
    probes = drawn(forest(64, MISSING_NAN, 3.0), ranged)
    assert np.isnan(probes).any(axis=0).tolist() == [False, True, False, False]
    assert {-5.0, 1e60} <= set(probes[:, 0].tolist())
    narrow = drawn(forest(32, MISSING_NAN, 3.0), ranged, width=32)
    assert -5.0 in narrow[:, 0]
    assert 1e60 not in narrow[:, 0]


def test_every_category_and_none_between() -> None:
    names = tuple(f"c{code}" for code in range(300))
    features = (*NUMBERS[:3], Feature("kind", "category", categories=names))
    probes = drawn(forest(64, MISSING_NAN, 2.5), features)
    assert set(range(300)) <= set(probes[:, 3].tolist())
    assert (probes[:, 3] == np.rint(probes[:, 3])).all()
    many = tuple(f"c{code}" for code in range(2 * CATEGORIES))
    probes = drawn(forest(64, MISSING_NAN, 2.5), (*NUMBERS[:3], Feature("kind", "category", categories=many)))
    assert len(probes) < CATEGORIES + 1000


def test_a_linear_function_is_asked_at_zero() -> None:
    form = LinearForm(np.array([[1.0, 0.0, 2.0, 0.0]]), np.zeros(1), 32, 32)
    probes = drawn(form, width=32)
    assert (probes == 0.0).any(axis=0).tolist() == [True, False, True, False]
