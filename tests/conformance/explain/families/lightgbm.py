"""What of LightGBM is explained exactly, and what is refused: each one really trained."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pandas as pd

from explain.features import Feature, FeatureSpace
from tests.oracles.cases import Construct, Example, Refused
from tests.oracles.lightgbm_models import (
    Trained,
    draw_rows,
    labels_for,
    resized,
    signal,
    space_of,
    train,
    train_on,
    trained,
)

FAMILY = "lightgbm"
NUMBERS = ("q",) * 5
MIXED = ("q", "c", "q", "c")
FOREST = {"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.6}
FORCED = {"feature": 3, "threshold": 0.25, "left": {"feature": 1, "threshold": -0.5}}


def _early_stopped() -> Trained:
    rows = draw_rows(3, 400, NUMBERS)
    noise = np.random.default_rng(4).random(400) < 0.5  # nothing to learn, so it soon stops
    learn, hold = lgb.Dataset(rows[:200], noise[:200]), lgb.Dataset(rows[200:], noise[200:])
    booster = lgb.train(
        {"objective": "binary", "num_leaves": 8, "num_threads": 1, "verbosity": -1},
        learn,
        30,
        valid_sets=[hold],
        callbacks=[lgb.early_stopping(5, verbose=False)],
        keep_training_booster=True,  # the rounds after the best one stay in memory, not in the file
    )
    assert 0 < booster.best_iteration < booster.current_iteration()
    return trained(booster, rows, space_of(NUMBERS))


def _forced_splits() -> Trained:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "forced.json"
        path.write_text(json.dumps(FORCED), encoding="utf-8")
        return train(NUMBERS, forcedsplits_filename=str(path))


def _custom_objective() -> Trained:
    def pseudo_huber(margins: np.ndarray, data: lgb.Dataset) -> tuple[np.ndarray, np.ndarray]:
        residual = margins - data.get_label()
        scale = 1 + residual**2
        return residual / np.sqrt(scale), 1 / (scale * np.sqrt(scale))

    return train(NUMBERS, objective=pseudo_huber)


def _init_scores() -> Trained:
    rows = draw_rows(5, 400, NUMBERS)
    target = signal(rows, 5)
    data = lgb.Dataset(rows, target, init_score=np.nan_to_num(rows[:, 0]))
    settings = {"objective": "regression", "num_leaves": 8, "num_threads": 1, "verbosity": -1}
    return trained(lgb.train(settings, data, 12), rows, space_of(NUMBERS))


def _float64_thresholds() -> Trained:
    """Numbers that 32 bits cannot tell apart, and numbers beyond 32 bits."""
    generator = np.random.default_rng(6)
    rows = generator.random((400, 3))
    rows[:, 0] = 1.0 + generator.integers(0, 40, 400) * 2.0**-40
    rows[:, 1] = 1e200 * generator.normal(size=400)
    target = (rows[:, 0] > 1.0 + 20 * 2.0**-40) + (rows[:, 1] > 0) + 0.5 * rows[:, 2]
    return train_on(rows, target, ("q",) * 3, 12, objective="regression")


def _frame(count: int = 400, *, ordered: bool = False) -> tuple[pd.DataFrame, FeatureSpace]:
    """A frame whose categories stand in an order of their own, with one that no row has."""
    generator = np.random.default_rng(7)
    purposes = ["rent", "study", "car", "boat"]
    frame = pd.DataFrame(
        {
            "annual income": np.round(generator.normal(size=count), 1),
            "purpose": pd.Categorical(generator.choice(purposes[:3], count), categories=purposes),
            "grade": pd.Categorical(
                generator.choice([3, 1, 2], count), categories=[3, 1, 2], ordered=ordered
            ),
        }
    )
    space = FeatureSpace(
        (
            Feature("annual income", "number", nullable=True),
            Feature("purpose", "category", categories=tuple(purposes), nullable=True),
            Feature("grade", "category", categories=("3", "1", "2"), nullable=True),
        ),
        float_width=64,
    )
    return frame, space


def train_on_frame(*, ordered: bool = False) -> Trained:
    """A model trained on a frame: its file lists the categories in code order."""
    frame, space = _frame(ordered=ordered)
    codes = np.column_stack(
        [frame["annual income"], frame["purpose"].cat.codes, frame["grade"].cat.codes]
    ).astype(float)
    codes[::9, 1] = np.nan
    frame.loc[::9, "purpose"] = np.nan
    label = (codes[:, 0] + 2 * (codes[:, 1] == 1) + 3 * (codes[:, 2] == 1) > 1).astype(float)
    settings = {"objective": "binary", "num_leaves": 6, "min_data_in_leaf": 5, "min_data_per_group": 5}
    settings |= {"num_threads": 1, "verbosity": -1}
    return trained(lgb.train(settings, lgb.Dataset(frame, label), 10), codes, space)


def _refitted() -> Trained:
    first = train(NUMBERS, objective="regression")
    rows = draw_rows(8, 300, NUMBERS)
    return trained(first.booster.refit(rows, signal(rows, 8), decay_rate=0.5), rows, space_of(NUMBERS))


def _weighted() -> Trained:
    rows = draw_rows(9, 400, NUMBERS)
    labels = labels_for("binary", signal(rows, 9))
    data = lgb.Dataset(rows, labels, weight=np.random.default_rng(9).random(400) + 0.1)
    settings = {
        "objective": "binary",
        "num_leaves": 8,
        "is_unbalance": True,
        "num_threads": 1,
        "verbosity": -1,
    }
    return trained(lgb.train(settings, data, 12), rows, space_of(NUMBERS))


def _version_3() -> Trained:
    """The file as LightGBM 2.3 to 3.3 wrote it: another version, and no word of linear trees."""
    model = train(MIXED, zero_as_missing=True)
    text = model.text.replace("version=v4", "version=v3").replace("is_linear=0\n", "")
    text = resized(text.encode()).decode()
    return Trained(lgb.Booster(model_str=text), text, model.rows, model.space)


TRAINED: dict[str, Callable[[], Trained]] = {
    "gbdt": partial(train, NUMBERS),
    "missing_type NaN": partial(train, NUMBERS, missing=0.3),
    "missing_type None (training without gaps)": partial(train, NUMBERS, missing=0.0),
    "missing_type None (use_missing=false)": partial(train, NUMBERS, use_missing=False),
    "missing_type Zero (zero_as_missing)": partial(train, NUMBERS, zero_as_missing=True),
    "zero_as_missing with categories": partial(train, MIXED, zero_as_missing=True),
    "categorical splits, one against the rest": partial(train, MIXED, max_cat_to_onehot=64),
    "categorical splits, sets": partial(train, MIXED, max_cat_to_onehot=1),
    "categorical splits, a hundred categories": partial(
        train, MIXED, codes=100, max_cat_to_onehot=1, min_data_per_group=1, min_data_in_leaf=2
    ),
    "categorical splits without gaps": partial(train, MIXED, missing=0.0, max_cat_to_onehot=1),
    "categories of a pandas frame": train_on_frame,
    "DART": partial(train, NUMBERS, boosting="dart", drop_rate=0.5, skip_drop=0.0),
    "DART, xgboost_dart_mode": partial(
        train, NUMBERS, boosting="dart", drop_rate=0.5, skip_drop=0.0, xgboost_dart_mode=True
    ),
    "DART, uniform_drop, multiclass": partial(
        train, NUMBERS, boosting="dart", uniform_drop=True, skip_drop=0.0, objective="multiclass", rounds=6
    ),
    "RF, binary": partial(train, NUMBERS, **FOREST),
    "RF, regression": partial(train, NUMBERS, objective="regression", **FOREST),
    "RF, multiclass": partial(train, NUMBERS, objective="multiclass", rounds=6, **FOREST),
    "GOSS": partial(train, NUMBERS, data_sample_strategy="goss", rounds=20),
    "bagging and feature_fraction": partial(
        train, NUMBERS, bagging_freq=1, bagging_fraction=0.5, feature_fraction=0.6
    ),
    "extra_trees": partial(train, NUMBERS, extra_trees=True),
    "early stopping": _early_stopped,
    "forced splits": _forced_splits,
    "constant trees": partial(train, NUMBERS, min_data_in_leaf=1000, objective="regression"),
    "linear_tree that never splits": partial(
        train, NUMBERS, min_data_in_leaf=1000, objective="regression", linear_tree=True
    ),
    "trees that cease to split": partial(train, NUMBERS, min_gain_to_split=20.0, rounds=20),
    "stumps": partial(train, NUMBERS, num_leaves=2, rounds=30),
    "deep trees": partial(
        train, NUMBERS, num_leaves=60, min_data_in_leaf=1, min_sum_hessian_in_leaf=0.0, rounds=4
    ),
    "one feature": partial(train, ("q",), num_leaves=20),
    "max_bin": partial(train, NUMBERS, max_bin=7),
    "monotone constraints": partial(train, NUMBERS, monotone_constraints=[1, 0, -1, 0, 0]),
    "monotone constraints, advanced": partial(
        train, NUMBERS, monotone_constraints=[1, 0, -1, 0, 0], monotone_constraints_method="advanced"
    ),
    "interaction constraints": partial(train, NUMBERS, interaction_constraints=[[0, 1], [2, 3, 4]]),
    "regularised leaves": partial(
        train, NUMBERS, lambda_l1=0.5, lambda_l2=2.0, max_delta_step=0.3, path_smooth=1.0
    ),
    "quantised gradients": partial(train, NUMBERS, use_quantized_grad=True, quant_train_renew_leaf=True),
    "sigmoid other than 1": partial(train, NUMBERS, sigmoid=0.4),
    "weights and is_unbalance": _weighted,
    "boost_from_average=false": partial(train, NUMBERS, objective="regression", boost_from_average=False),
    "init_score (not in the file)": _init_scores,
    "refit": _refitted,
    "a file of version 3": _version_3,
    "float64 thresholds": _float64_thresholds,
    "objective regression": partial(train, NUMBERS, objective="regression"),
    "objective regression, reg_sqrt": partial(train, NUMBERS, objective="regression", reg_sqrt=True),
    "objective regression_l1": partial(train, NUMBERS, objective="regression_l1"),
    "objective huber": partial(train, NUMBERS, objective="huber"),
    "objective fair": partial(train, NUMBERS, objective="fair"),
    "objective quantile": partial(train, NUMBERS, objective="quantile", alpha=0.8),
    "objective mape": partial(train, NUMBERS, objective="mape"),
    "objective poisson": partial(train, NUMBERS, objective="poisson"),
    "objective gamma": partial(train, NUMBERS, objective="gamma"),
    "objective tweedie": partial(train, NUMBERS, objective="tweedie"),
    "objective cross_entropy": partial(train, NUMBERS, objective="cross_entropy"),
    "objective cross_entropy_lambda": partial(train, NUMBERS, objective="cross_entropy_lambda"),
    "objective multiclass": partial(train, MIXED, objective="multiclass", rounds=6),
    "objective multiclassova": partial(train, NUMBERS, objective="multiclassova", sigmoid=0.7, rounds=6),
    "objective lambdarank": partial(train, NUMBERS, objective="lambdarank"),
    "objective rank_xendcg": partial(train, NUMBERS, objective="rank_xendcg"),
    "objective of one's own": _custom_objective,
}


def _example(make: Callable[[], Trained]) -> Example:
    return make().example()


CONSTRUCTS: tuple[Construct, ...] = tuple(
    Construct(FAMILY, name, partial(_example, make)) for name, make in TRAINED.items()
)


def _linear_tree() -> tuple[bytes, FeatureSpace]:
    model = train(NUMBERS, missing=0.0, objective="regression", linear_tree=True)
    return model.artifact, model.space


def _ordered_categories() -> tuple[bytes, FeatureSpace]:
    model = train_on_frame(ordered=True)
    return model.artifact, model.space


def _rewritten(old: str, new: str) -> tuple[bytes, FeatureSpace]:
    model = train(NUMBERS)
    assert old in model.text
    return resized(model.text.replace(old, new, 1).encode()), model.space


def _json_dump() -> tuple[bytes, FeatureSpace]:
    model = train(NUMBERS)
    return json.dumps(model.booster.dump_model()).encode(), model.space


REFUSED: tuple[Refused, ...] = (
    Refused(FAMILY, "linear_tree", _linear_tree, r"linear_tree"),
    Refused(FAMILY, "ordered pandas categories", _ordered_categories, r"ordered categories .*grade"),
    Refused(FAMILY, "the JSON of dump_model", _json_dump, r"file format other than LightGBM's model text"),
    Refused(
        FAMILY, "a file of version 2", partial(_rewritten, "version=v4", "version=v2"), r"file version v2"
    ),
    Refused(
        FAMILY,
        "an objective of a future version",
        partial(_rewritten, "objective=binary sigmoid:1", "objective=survival"),
        r"objective survival",
    ),
    Refused(
        FAMILY,
        "a field of a future version",
        partial(_rewritten, "\nlabel_index=", "\nleaf_kind=2\nlabel_index="),
        r"unknown field leaf_kind",
    ),
    Refused(
        FAMILY,
        "a tree's field of a future version",
        partial(_rewritten, "\nis_linear=0", "\nis_vector=0\nis_linear=0"),
        r"unknown field tree 0\.is_vector",
    ),
)
