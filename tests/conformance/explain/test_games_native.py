"""The games of real models: against the libraries' own path-dependent values, and beside thresholds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from explain.attribution.games import (
    attribute_path_dependent,
    attribute_single_reference,
    interactions,
    path_dependent,
    path_dependent_interactions,
    single_reference,
)
from explain.models.base import tree_form
from explain.models.ensemble import LEAF, NUMERIC, TreeEnsemble
from tests.oracles import boosters, games
from tests.oracles import lightgbm_models as lightgbms

Reals = np.ndarray

NUMBERS = ("q",) * 5
MIXED = ("q", "c", "q", "c", "q")

XGBOOST: dict[str, dict] = {
    "numeric": {"types": NUMBERS},
    "deep": {"types": NUMBERS, "max_depth": 9, "rounds": 4},
    "repeated features": {"types": ("q", "q"), "max_depth": 8},
    "one-hot categories": {"types": MIXED, "max_cat_to_onehot": 64},
    "partitioned categories": {"types": MIXED, "max_cat_to_onehot": 1},
    "forest": {"types": NUMBERS, "num_parallel_tree": 3, "subsample": 0.6, "rounds": 4},
    "dropout": {"types": NUMBERS, "booster": "dart", "rate_drop": 0.5},
    "regression": {"types": NUMBERS, "objective": "reg:squarederror"},
    "classes": {"types": NUMBERS, "objective": "multi:softprob", "outputs": 3, "rounds": 5},
}
LIGHTGBM: dict[str, dict] = {
    "numeric": {},
    "deep": {"num_leaves": 60, "min_data_in_leaf": 1, "rounds": 5},
    "categories": {"types": MIXED},
    "zero as missing": {"zero_as_missing": True},
    "no missing": {"missing": 0.0, "use_missing": False},
    "dropout": {"boosting": "dart", "drop_rate": 0.5},
    "regression": {"objective": "regression"},
    "classes": {"objective": "multiclass", "rounds": 5},
}


@pytest.mark.parametrize("name", XGBOOST)
def test_path_dependent_values_are_those_of_xgboost(name: str) -> None:
    trained = boosters.train(**XGBOOST[name])
    trees = tree_form(trained.model())
    rows = boosters.draw_rows(7, 6, trained.types, 0.2)
    matrix = trained.matrix(rows)
    shape = len(rows), trees.outputs, trees.n_features + 1
    contributions = trained.booster.predict(matrix, pred_contribs=True).reshape(shape)
    pairs = trained.booster.predict(matrix, pred_interactions=True).reshape(*shape, trees.n_features + 1)
    for number, row in enumerate(rows):
        for output in range(trees.outputs):
            base_value, phi = path_dependent(trees, row, output)
            assert phi == pytest.approx(contributions[number, output, :-1], abs=2e-5)
            assert base_value == pytest.approx(contributions[number, output, -1], abs=2e-5)
            _, found = path_dependent_interactions(trees, row, output)
            assert found == pytest.approx(pairs[number, output, :-1, :-1], abs=1e-4)


@pytest.mark.parametrize("name", LIGHTGBM)
def test_path_dependent_values_are_those_of_lightgbm(name: str) -> None:
    trained = lightgbms.train(**LIGHTGBM[name])
    trees = tree_form(trained.model())
    rows = trained.telling_rows()
    contributions = trained.booster.predict(rows, pred_contrib=True, num_threads=1)
    contributions = contributions.reshape(len(rows), trees.outputs, trees.n_features + 1)
    for number, row in enumerate(rows):
        for output in range(trees.outputs):
            base_value, phi = path_dependent(trees, row, output)
            assert phi == pytest.approx(contributions[number, output, :-1], abs=1e-9)
            assert base_value == pytest.approx(contributions[number, output, -1], abs=1e-9)


def test_games_against_rows_are_those_of_the_native_leaves() -> None:
    for trained in (
        boosters.train(MIXED, max_cat_to_onehot=1),
        lightgbms.train(MIXED),
        lightgbms.train(zero_as_missing=True, objective="multiclass", rounds=4),
    ):
        trees = tree_form(trained.model())
        row, reference, output = trained.rows[20], trained.rows[:6], trees.outputs - 1
        game = games.interventional(trained.margins64, row, reference).reshape(-1, trees.outputs)[:, output]
        base_value, matrix = interactions(trees, row, reference, output)
        assert base_value == pytest.approx(game[0], abs=1e-9)
        assert matrix == pytest.approx(games.interaction_values(game), abs=1e-9)
        alone = games.single_reference(trained.margins64, row, reference[0]).reshape(-1, trees.outputs)
        _, phi = single_reference(trees, row, reference[0], output)
        assert phi == pytest.approx(games.shapley_values(alone[:, output]), abs=1e-9)


def test_each_game_is_reconciled_under_its_own_name() -> None:
    for trained in (boosters.train(**XGBOOST["classes"]), lightgbms.train(**LIGHTGBM["classes"])):
        model, row = trained.model(), trained.rows[3]
        for output, margin in enumerate(trained.native(row[np.newaxis])[0].tolist()):
            by_cover = attribute_path_dependent(model, row, output)
            against_one = attribute_single_reference(model, row, trained.rows[4], output)
            assert by_cover.method == "path_dependent_treeshap"
            assert against_one.method == "single_reference_treeshap"
            for attribution in (by_cover, against_one):
                assert attribution.expected == margin
                assert attribution.error < 1e-5


def beside_thresholds(trees: TreeEnsemble, rows: Reals) -> list[tuple[int, Reals, Reals, Reals]]:
    """For some numeric splits: the feature, and a row one unit below its threshold, at it and above."""
    width = np.float32 if trees.input_width == 32 else np.float64
    splits = np.flatnonzero((trees.left != LEAF) & (trees.category_start == NUMERIC))
    found = []
    for number, node in enumerate(splits[:: max(1, len(splits) // 25)].tolist()):
        feature, threshold = int(trees.feature[node]), width(trees.threshold[node])
        three = np.repeat(rows[number : number + 1], 3, axis=0)
        three[:, feature] = [
            np.nextafter(threshold, width(-np.inf)),
            threshold,
            np.nextafter(threshold, width(np.inf)),
        ]
        found.append((feature, *three))
    return found


@pytest.mark.parametrize(
    "train",
    [
        lambda: boosters.train(NUMBERS, missing=0.0),
        lambda: lightgbms.train(missing=0.0),
        lambda: lightgbms.train(zero_as_missing=True),
    ],
    ids=["xgboost", "lightgbm", "lightgbm, zero as missing"],
)
def test_one_unit_beside_a_threshold_flips_as_the_library_flips(train: Callable) -> None:
    trained = train()
    trees, flips = tree_form(trained.model()), 0
    for feature, below, at, above in beside_thresholds(trees, trained.rows):
        for one, other in ((below, at), (at, above), (above, below)):
            native = trained.margins64(np.array([one, other]))
            base_value, phi = single_reference(trees, one, other)
            assert base_value == pytest.approx(native[1], abs=1e-12)
            assert phi[feature] == pytest.approx(native[0] - native[1], abs=1e-12)
            assert not np.delete(phi, feature).any()
            flips += native[0] != native[1]
        for row in (below, at, above):
            base_value, phi = path_dependent(trees, row)
            assert base_value + phi.sum() == pytest.approx(trained.margins64(row[np.newaxis])[0], abs=1e-12)
    assert flips > 10


def test_a_float64_value_is_rounded_before_it_is_compared() -> None:
    trained = boosters.train(NUMBERS, missing=0.0)
    trees, flips = tree_form(trained.model()), 0
    for feature, below, at, _ in beside_thresholds(trees, trained.rows):
        given = at.copy()
        given[feature] = np.nextafter(at[feature], -np.inf)  # rounds up to the threshold itself
        native = trained.margins64(np.array([given, below]))
        for row, other, difference in (
            (given, below, native[0] - native[1]),
            (below, given, native[1] - native[0]),
        ):
            assert single_reference(trees, row, other)[1][feature] == pytest.approx(difference, abs=1e-12)
        assert np.array_equal(path_dependent(trees, given)[1], path_dependent(trees, at)[1])
        flips += native[0] != native[1]
    assert flips > 10
