"""CatBoost's leaf weights are covers: with them, path-dependent values are those of the library itself."""

from __future__ import annotations

import catboost
import numpy as np
import pytest

from explain.attribution.games import path_dependent
from explain.models.base import tree_form
from tests.oracles.catboost_models import draw_rows, package_model, signal_of, spelled, train_catboost

ROWS = draw_rows(0, 200, 5)
CASES: dict[str, dict] = {
    "symmetric": {"depth": 2, "iterations": 20},
    "stumps": {"depth": 1, "iterations": 30},
    "nan_mode Max": {"nan_mode": "Max"},
    "nested": {"grow_policy": "Depthwise", "depth": 5},
    "categories": {"categorical": (1, 3)},
    "classes": {
        "target": np.digitize(signal_of(ROWS), [-0.7, 0.7]),
        "rows": ROWS,
        "loss_function": "MultiClass",
    },
}


@pytest.mark.parametrize("name", CASES)
def test_path_dependent_values_are_those_of_the_library(name: str) -> None:
    trained = train_catboost(**CASES[name])
    trees = tree_form(trained.model())
    rows = draw_rows(7, 8, 5, trained.categorical)
    pool = catboost.Pool(spelled(rows, trained.categorical), cat_features=list(trained.categorical))
    own = package_model(trained.artifact).get_feature_importance(pool, type="ShapValues", thread_count=1)
    own = own.reshape(len(rows), trees.outputs, -1)
    for number, row in enumerate(rows):
        for output in range(trees.outputs):
            base_value, phi = path_dependent(trees, row, output)
            assert phi == pytest.approx(own[number, output, :-1], abs=1e-12)
            assert base_value == pytest.approx(own[number, output, -1], abs=1e-12)
