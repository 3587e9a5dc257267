"""Where explanations of large LightGBM trees, and of covers, are commonly wrong without a word."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from explain.attribution.games import path_dependent
from explain.attribution.treeshap import TreeShap
from explain.brute_force import frozen_game
from explain.models.base import tree_form
from tests.conformance.explain.families.lightgbm import TRAINED
from tests.oracles import games
from tests.oracles.lightgbm_models import written

WRONG = 1e-3  # an error that no rounding explains
CLOSE = 1e-9


def test_more_nodes_than_16_bits_can_number() -> None:
    """Commonly node numbers are held in 16 bits, which end at 32,767; this tree has 65,535."""
    depth = 15
    splits = 2**depth - 1
    heap = np.arange(splits)
    children = [np.where(child < splits, child, splits - 1 - child) for child in (2 * heap + 1, 2 * heap + 2)]
    level = np.log2(heap + 1).astype(int)
    middle = ((heap + 1 - 2**level) + 0.5) * 2.0 ** (depth - level)  # halves [0, 2^15) again and again
    given = written(
        2,
        [
            {
                "split_feature": (level % 2 * (level < 2)).tolist(),
                "threshold": middle.tolist(),
                "decision_type": [0] * splits,
                "left_child": children[0].tolist(),
                "right_child": children[1].tolist(),
                "leaf_value": np.random.default_rng(0).normal(size=splits + 1).tolist(),
            }
        ],
    )
    rows = np.random.default_rng(1).uniform(0, 2**depth, size=(40, 2))
    assert given.model().form().node_count == 65_535
    given = replace(given, rows=rows)
    truth = games.interventional(given.margins64, rows[0], rows[1:13])
    base_value, phi = TreeShap.prepare(given.model(), rows[1:13], cache_dir=None).explain(rows[0])
    assert base_value + phi.sum() == pytest.approx(given.native(rows[:1])[0], abs=CLOSE)
    assert phi == pytest.approx(games.shapley_values(truth), abs=CLOSE)


def test_deep_trees() -> None:
    """Commonly path weights are unwound factor by factor, which cancels on long paths of many features."""
    depth = 120
    counts = list(range(depth + 1, 1, -1))
    chain = {
        "split_feature": list(range(depth)),
        "threshold": [0.5] * depth,
        "decision_type": [0] * depth,
        "left_child": [-1 - node for node in range(depth)],
        "right_child": [*range(1, depth), -1 - depth],
        "leaf_value": [math.sin(leaf) for leaf in range(depth + 1)],
        "leaf_count": [1] * (depth + 1),
        "internal_count": counts,
    }
    given = written(depth, [chain])
    form = tree_form(given.model())
    row, reference = np.ones(depth), np.ones((3, depth))
    for number, players in enumerate(([3, 50, 110], [2, 90], [119])):
        reference[number, players] = 0.0
    base_value, phi = TreeShap.prepare(given.model(), reference, cache_dir=None).explain(row)
    players = [2, 3, 50, 90, 110, 119]
    assert phi == pytest.approx(frozen_game(given.margins64, row, reference, players), abs=CLOSE)
    assert base_value + phi.sum() == pytest.approx(given.native(row[np.newaxis])[0], abs=CLOSE)
    native = given.booster.predict(row[np.newaxis], pred_contrib=True)[0]
    base_value, phi = path_dependent(form, row)
    assert base_value + phi.sum() == pytest.approx(given.native(row[np.newaxis])[0], abs=CLOSE)
    assert np.abs(native[:-1] - phi).max() > WRONG


@pytest.mark.parametrize("name", ["gbdt", "categorical splits, sets", "objective multiclass", "DART"])
def test_covers_are_those_of_the_librarys_own_path_dependent_values(name: str) -> None:
    """Commonly covers are sums of hessians; LightGBM weighs by counts of rows."""
    given = TRAINED[name]()
    form = tree_form(given.model())
    rows = given.telling_rows()
    native = given.booster.predict(rows, pred_contrib=True).reshape(len(rows), form.outputs, -1)
    for row, contributions in zip(rows, native, strict=True):
        for output in range(form.outputs):
            base_value, phi = path_dependent(form, row, output)
            assert [*phi, base_value] == pytest.approx(contributions[output], abs=CLOSE)
