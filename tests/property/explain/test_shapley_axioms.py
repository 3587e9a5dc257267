"""The axioms that define Shapley values (Shapley 1953), on random trees of our own making."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from explain.attribution.treeshap import TreeShap
from explain.brute_force import frozen_game
from explain.errors import ModelUnsupported
from explain.models.ensemble import (
    BELOW_ZERO,
    LEAF,
    MISSING_NAN,
    MISSING_NONE,
    MISSING_ZERO,
    ZERO_WINDOW,
    TreeEnsemble,
)

FEATURES = 4


@dataclass(frozen=True)
class Bare:
    """Trees without a native library; only what preparing asks of a model."""

    ensemble: TreeEnsemble
    digest: str = "sha256:none"

    def form(self) -> TreeEnsemble:
        return self.ensemble


def random_trees(seed: int, comparison: str, listed_goes: str, count: int = 3) -> TreeEnsemble:
    """Grow random trees over a coarse grid of thresholds, a third of the splits by category."""
    generator = np.random.default_rng(seed)
    columns: dict[str, list] = {
        name: [] for name in ("left", "right", "feature", "threshold", "missing", "default", "value")
    }
    starts, words, offsets = [], [], [0]
    for _ in range(count):
        first = len(columns["left"])
        levels = [0]
        for position, depth in enumerate(levels):
            grows = depth < 5 and generator.random() < 0.75
            by_category = grows and generator.random() < 0.3
            columns["left"].append(first + len(levels) if grows else LEAF)
            columns["right"].append(first + len(levels) + 1 if grows else LEAF)
            columns["feature"].append(int(generator.integers(FEATURES)) if grows else LEAF)
            columns["threshold"].append(
                float(generator.integers(0, 5)) if grows and not by_category else np.nan
            )
            columns["missing"].append(int(generator.integers(3)))
            columns["default"].append(bool(grows and generator.random() < 0.5))
            columns["value"].append(0.0 if grows else float(generator.normal()))
            starts.append(len(words) if by_category else -1)
            words += [int(generator.integers(1, 31))] if by_category else []
            levels += [depth + 1, depth + 1] if grows else []
            assert len(levels) > position
        offsets.append(len(columns["left"]))
    return TreeEnsemble(
        offsets=np.array(offsets, dtype=np.int64),
        left=np.array(columns["left"], dtype=np.int32),
        right=np.array(columns["right"], dtype=np.int32),
        feature=np.array(columns["feature"], dtype=np.int32),
        threshold=np.array(columns["threshold"]),
        missing=np.where(np.array(starts) >= 0, MISSING_NAN, columns["missing"]).astype(np.uint8),
        default_left=np.array(columns["default"], dtype=np.bool_),
        value=np.array(columns["value"]),
        cover=np.zeros(0),
        category_start=np.array(starts, dtype=np.int64),
        category_size=np.where(np.array(starts) >= 0, 1, 0).astype(np.int64),
        category_words=np.array(words, dtype=np.uint32),
        n_features=FEATURES,
        tree_output=np.zeros(count, dtype=np.int32),
        base_margins=np.array([0.5]),
        comparison=comparison,
        listed_goes=listed_goes,
        input_width=64,
        float_width=64,
    )


def walk(trees: TreeEnsemble, row: np.ndarray) -> float:
    """Read the trees the slow way, one node at a time, as their docstring says."""
    total = trees.base_margin
    for root in trees.offsets[:-1]:
        node = int(root)
        while trees.left[node] != LEAF:
            x, kind = row[trees.feature[node]], trees.missing[node]
            if kind == MISSING_NONE and np.isnan(x):
                x = 0.0
            if np.isnan(x) or (kind == MISSING_ZERO and BELOW_ZERO < x <= ZERO_WINDOW):
                left = bool(trees.default_left[node])
            elif trees.category_start[node] >= 0:
                listed = x < 32 and bool(int(trees.category_words[trees.category_start[node]]) >> int(x) & 1)
                left = listed == (trees.listed_goes == "left")
            else:
                threshold = trees.threshold[node]
                left = bool(x < threshold if trees.comparison == "<" else x <= threshold)
            node = int(trees.left[node] if left else trees.right[node])
        total += trees.value[node]
    return float(total)


def margins(trees: TreeEnsemble, rows: np.ndarray) -> np.ndarray:
    return np.array([walk(trees, row) for row in rows])


def draw(seed: int, count: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    rows = generator.integers(0, 5, size=(count, FEATURES)).astype(np.float64)
    rows[generator.random(rows.shape) < 0.1] = np.nan
    return rows


def explain(trees: TreeEnsemble, rows: np.ndarray, reference: np.ndarray) -> tuple[float, np.ndarray]:
    return TreeShap.prepare(Bare(trees), reference, cache_dir=None).explain_batch(rows)


SEEDS = st.integers(0, 2**32 - 1)
COMPARISONS = st.sampled_from(["<", "<="])
SIDES = st.sampled_from(["left", "right"])
few = settings(max_examples=40, deadline=None)


@few
@given(SEEDS, COMPARISONS, SIDES)
def test_brute_force_and_efficiency(seed: int, comparison: str, side: str) -> None:
    trees = random_trees(seed, comparison, side)
    rows, reference = draw(seed + 1, 3), draw(seed + 2, 7)
    base_value, phi = explain(trees, rows, reference)
    assert base_value == pytest.approx(margins(trees, reference).mean(), abs=1e-12)
    assert base_value + phi.sum(axis=1) == pytest.approx(margins(trees, rows), abs=1e-12)
    for row, values in zip(rows, phi, strict=True):
        truth = frozen_game(lambda hybrids: margins(trees, hybrids), row, reference, range(FEATURES))
        assert values == pytest.approx(truth, abs=1e-12)


@few
@given(SEEDS)
def test_a_feature_that_no_split_tests_gets_exactly_nothing(seed: int) -> None:
    trees = random_trees(seed, "<", "right")
    trees = replace(trees, feature=np.where(trees.feature == 2, 1, trees.feature).astype(np.int32))
    _, phi = explain(trees, draw(seed + 1, 5), draw(seed + 2, 9))
    assert not phi[:, 2].any()


@few
@given(SEEDS)
def test_a_feature_equal_to_the_whole_reference_gets_exactly_nothing(seed: int) -> None:
    rows, reference = draw(seed + 1, 1), draw(seed + 2, 9)
    reference[:, 1] = rows[0, 1]
    _, phi = explain(random_trees(seed, "<", "right"), rows, reference)
    assert phi[0, 1] == 0.0


@few
@given(SEEDS)
def test_features_that_trade_places_trade_values(seed: int) -> None:
    trees = random_trees(seed, "<", "right")
    swap = np.array([1, 0, 2, 3, LEAF])
    rows, reference = draw(seed + 1, 4), draw(seed + 2, 9)
    _, phi = explain(trees, rows, reference)
    swapped = replace(trees, feature=swap[trees.feature].astype(np.int32))
    _, other = explain(swapped, rows[:, swap[:4]], reference[:, swap[:4]])
    assert other == pytest.approx(phi[:, swap[:4]], abs=1e-12)


@few
@given(SEEDS)
def test_sums_of_models_have_sums_of_values(seed: int) -> None:
    both = random_trees(seed, "<", "right", count=4)
    rows, reference = draw(seed + 1, 4), draw(seed + 2, 9)
    parts = []
    for tree in range(4):
        lonely = both.value.copy()
        lonely[: both.offsets[tree]] = 0.0
        lonely[both.offsets[tree + 1] :] = 0.0
        parts.append(explain(replace(both, value=lonely), rows, reference)[1])
    assert explain(both, rows, reference)[1] == pytest.approx(sum(parts), abs=1e-12)


@few
@given(SEEDS)
def test_a_reference_is_the_mean_of_its_rows(seed: int) -> None:
    trees = random_trees(seed, "<=", "left")
    rows, reference = draw(seed + 1, 3), draw(seed + 2, 6)
    singles = [explain(trees, rows, one[np.newaxis])[1] for one in reference]
    assert explain(trees, rows, reference)[1] == pytest.approx(np.mean(singles, axis=0), abs=1e-12)


@few
@given(SEEDS, COMPARISONS)
def test_however_little_memory_there_is_the_values_are_the_same(seed: int, comparison: str) -> None:
    trees = random_trees(seed, comparison, "left")
    rows, reference = draw(seed + 1, 3), draw(seed + 2, 7)
    truth = explain(trees, rows, reference)[1]
    for cap in (64, 256, 1024, 2048, 4096):
        try:
            tight = TreeShap.prepare(Bare(trees), reference, cache_dir=None, memory_cap_bytes=cap)
        except ModelUnsupported:
            continue
        assert tight.storage.table_bytes + tight.storage.other_bytes <= cap
        assert tight.explain_batch(rows)[1] == pytest.approx(truth, abs=1e-12)


@few
@given(SEEDS)
def test_each_output_has_the_values_of_its_own_trees(seed: int) -> None:
    several = random_trees(seed, "<=", "right", count=5)
    several = replace(
        several,
        tree_output=np.array([1, 0, 1, 2, 0], dtype=np.int32),
        base_margins=np.array([0.5, -1.0, 2.0, 4.0]),
    )
    rows, reference = draw(seed + 1, 4), draw(seed + 2, 6)
    shap = TreeShap.prepare(Bare(several), reference, cache_dir=None)
    assert shap.base_values.shape == (4,)
    for output in range(4):
        alone = TreeShap.prepare(Bare(several.of_output(output)), reference, cache_dir=None)
        base_value, phi = shap.explain_batch(rows, output)
        assert (base_value, alone.base_value) == (shap.base_values[output], shap.base_values[output])
        assert phi == pytest.approx(alone.explain_batch(rows)[1], abs=1e-12)
        assert np.array_equal(shap.explain(rows[0], output)[1], phi[0])
    with pytest.raises(ValueError, match="there is no output 4"):
        shap.explain(rows[0], 4)
