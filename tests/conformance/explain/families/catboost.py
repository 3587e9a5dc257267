"""What of CatBoost is explained exactly, and what is refused: each one really trained."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import catboost
import numpy as np

from explain.features import FeatureSpace
from tests.oracles.cases import Construct, Example, Refused
from tests.oracles.catboost_models import (
    SETTINGS,
    TEXTS,
    CatBoosted,
    Reals,
    draw_rows,
    saved,
    signal_of,
    train_catboost,
)

FAMILY = "catboost"
ROWS = draw_rows(0, 200, 5)
SIGNAL = signal_of(ROWS)
CLASSES = np.digitize(SIGNAL, [-0.7, 0.7])
GROUPS = np.repeat(np.arange(20), 10)
MIXED = (1, 3)


def example_of(trained: CatBoosted) -> Example:
    """Explain fresh rows, and rows at borders and one unit of 32 bits beside them, against training rows."""
    fresh = draw_rows(99, 12, trained.rows.shape[1], trained.categorical)
    fresh[:2, list(trained.categorical)] = len(TEXTS)  # a category that no training row had
    whole = np.nan_to_num(fresh[0])
    rows = [*fresh]
    for feature in trained.document["features_info"].get("float_features", []):
        for border in np.array(feature["borders"][:2], dtype=np.float32):
            for value in (np.nextafter(border, np.float32(-9)), border, np.nextafter(border, np.float32(9))):
                rows.append(whole.copy())
                rows[-1][feature["flat_feature_index"]] = value
    return Example(
        artifact=trained.artifact,
        space=trained.space,
        rows=np.array(rows),
        reference=trained.rows[:20],
        margins64=trained.margins64,
        native=trained.native,
    )


def _trained(target: Reals | None = None, **settings: Any) -> Example:
    return example_of(train_catboost(target, **settings))


def _on_signal(loss: str, target: Reals | None = None, **settings: Any) -> Example:
    """Train on the shared rows; the target is the signal unless one is given."""
    return _trained(SIGNAL if target is None else target, rows=ROWS, loss_function=loss, **settings)


def _afterwards(change: Callable[[catboost.CatBoost], None], **settings: Any) -> Example:
    """Train, change the model with the package's own means, save it then."""
    model = catboost.CatBoost({**SETTINGS, "loss_function": "RMSE", **settings})
    model.fit(catboost.Pool(ROWS, SIGNAL))
    change(model)
    return example_of(CatBoosted(saved(model), ROWS, ()))


def _best_model() -> Example:
    """Stop when held-out rows get worse, and cut the trees after the best one off."""
    noise = np.random.default_rng(5).permutation(SIGNAL)
    model = catboost.CatBoost({**SETTINGS, "loss_function": "RMSE", "iterations": 60})
    mixed = np.where(np.arange(200) % 3 > 0, SIGNAL, noise)
    held_out = catboost.Pool(ROWS[120:], mixed[120:])
    model.fit(catboost.Pool(ROWS[:120], mixed[:120]), eval_set=held_out, early_stopping_rounds=8)
    assert 1 < model.tree_count_ < 60
    return example_of(CatBoosted(saved(model), ROWS, ()))


def _continued() -> Example:
    first = catboost.CatBoost({**SETTINGS, "loss_function": "RMSE", "iterations": 4})
    first.fit(catboost.Pool(ROWS, SIGNAL))
    second = catboost.CatBoost({**SETTINGS, "loss_function": "RMSE", "iterations": 4, "depth": 2})
    second.fit(catboost.Pool(ROWS, SIGNAL), init_model=first)
    return example_of(CatBoosted(saved(second), ROWS, ()))


def _without_gaps() -> Example:
    """No training row had a gap: the library then compares the NaN itself, whatever nan_mode says."""
    rows = np.nan_to_num(ROWS)
    return example_of(train_catboost(signal_of(rows), rows=rows, loss_function="RMSE", nan_mode="Max"))


def _fine_borders() -> Example:
    """More borders than a byte counts: the library spreads them over several."""
    rows = np.random.default_rng(3).normal(size=(2000, 1))
    target = np.random.default_rng(4).normal(size=2000)
    trained = train_catboost(
        target, rows=rows, loss_function="RMSE", border_count=1500, iterations=70, depth=6
    )
    assert len(trained.document["features_info"]["float_features"][0]["borders"]) > 255
    return example_of(trained)


def _large_numbers() -> Example:
    """Values that 32 bits round: neighbours of 64 bits fall on one side."""
    rows = 1e7 + np.random.default_rng(4).random((200, 3)) * 10
    return example_of(train_catboost(signal_of(rows - 1e7), rows=rows, loss_function="RMSE"))


LABELLED = {
    "Logloss": partial(_trained),
    "Logloss, labels of text": partial(_trained, np.where(SIGNAL > 0, "bad", "good"), rows=ROWS),
    "Logloss, order of labels given": partial(_trained, CLASSES // 2, rows=ROWS, class_names=[1, 0]),
    "Logloss, weights of classes": partial(_trained, rows=ROWS, auto_class_weights="Balanced"),
    "CrossEntropy": partial(_on_signal, "CrossEntropy", 1 / (1 + np.exp(-SIGNAL))),
    "Focal": partial(_on_signal, "Focal:focal_alpha=0.4;focal_gamma=1", (SIGNAL > 0).astype(int)),
    "MultiClass": partial(_on_signal, "MultiClass", CLASSES),
    "MultiClass of two": partial(_on_signal, "MultiClass", CLASSES > 0),
    "MultiClass, gaps in the labels": partial(_on_signal, "MultiClass", CLASSES * 3 + 1),
    "MultiClass, order of labels given": partial(_on_signal, "MultiClass", CLASSES, class_names=[2, 0, 1]),
    "MultiClassOneVsAll": partial(_on_signal, "MultiClassOneVsAll", CLASSES),
    "MultiLogloss": partial(_on_signal, "MultiLogloss", np.c_[CLASSES > 0, CLASSES > 1].astype(int)),
    "MultiCrossEntropy": partial(_on_signal, "MultiCrossEntropy", np.c_[CLASSES, 1 + CLASSES] / 4),
}
REGRESSIONS = {
    loss: partial(_on_signal, loss)
    for loss in (
        "RMSE",
        "MAE",
        "Quantile:alpha=0.2",
        "Huber:delta=1",
        "Expectile:alpha=0.3",
        "Lq:q=3",
        "LogCosh",
    )
}
POSITIVE = {
    loss: partial(_on_signal, loss, np.abs(SIGNAL) + 0.1)
    for loss in ("MAPE", "RMSPE", "Poisson", "Tweedie:variance_power=1.5", "Cox")
}
SEVERAL = {
    "MultiRMSE": partial(_on_signal, "MultiRMSE", np.c_[SIGNAL, SIGNAL**2]),
    "MultiRMSEWithMissingValues": partial(
        _on_signal,
        "MultiRMSEWithMissingValues",
        np.c_[SIGNAL, np.where(SIGNAL > 1, np.nan, SIGNAL)],
    ),
    "MultiQuantile": partial(_on_signal, "MultiQuantile:alpha=0.1,0.5,0.9"),
}
RANKINGS = {
    loss: partial(_on_signal, loss, CLASSES, groups=GROUPS)
    for loss in (
        "PairLogit",
        "PairLogitPairwise",
        "YetiRank",
        "YetiRankPairwise",
        "QueryRMSE",
        "LambdaMart",
        "StochasticRank:metric=DCG",
    )
} | {"QuerySoftMax": partial(_on_signal, "QuerySoftMax", (CLASSES > 0).astype(int), groups=GROUPS)}
SHAPES: dict[str, Callable[[], Example]] = {
    "grow_policy Depthwise": partial(_trained, grow_policy="Depthwise", depth=5),
    "grow_policy Lossguide": partial(_trained, grow_policy="Lossguide", max_leaves=12, depth=8),
    "grow_policy Lossguide, MultiClass": partial(_on_signal, "MultiClass", CLASSES, grow_policy="Lossguide"),
    "constant nested trees": partial(_trained, grow_policy="Depthwise", min_data_in_leaf=1000),
    "stumps": partial(_trained, depth=1, iterations=30),
    "eight levels": partial(_trained, depth=8, iterations=3),
    "one feature on every level": partial(_trained, features=1, depth=6),
    "nan_mode Min": partial(_trained, nan_mode="Min"),
    "nan_mode Max": partial(_trained, nan_mode="Max"),
    "nan_mode Max, nested trees": partial(_trained, nan_mode="Max", grow_policy="Depthwise"),
    "no gap while training": _without_gaps,
    "one-hot categories": partial(_trained, categorical=MIXED),
    "one-hot categories, nested trees": partial(_trained, categorical=MIXED, grow_policy="Lossguide"),
    "one-hot categories alone": partial(_trained, features=2, categorical=(0, 1), depth=4),
    "one-hot categories, MultiClass": partial(
        _trained,
        np.arange(200) % 3,
        categorical=MIXED,
        loss_function="MultiClass",
    ),
    "1000 borders": _fine_borders,
    "numbers that 32 bits round": _large_numbers,
    "ignored_features": partial(_trained, ignored_features=[0, 3]),
    "monotone_constraints": partial(_trained, monotone_constraints=[1, 0, -1, 0, 0]),
    "boosting_type Ordered": partial(_trained, boosting_type="Ordered"),
    "bootstrap_type Bayesian": partial(_trained, bootstrap_type="Bayesian"),
    "model_shrink_rate": partial(_on_signal, "RMSE", model_shrink_rate=0.1, boost_from_average=False),
    "langevin": partial(_trained, langevin=True, diffusion_temperature=100),
    "boost_from_average off": partial(_on_signal, "RMSE", boost_from_average=False),
    "use_best_model": _best_model,
    "shrink to fewer trees": partial(_afterwards, lambda model: model.shrink(5)),
    "shrink at both ends": partial(_afterwards, lambda model: model.shrink(9, 3)),
    "scale and bias set": partial(_afterwards, lambda model: model.set_scale_and_bias(-2.5, 0.75)),
    "init_model": _continued,
}
CONSTRUCTS = tuple(
    Construct(FAMILY, name, train)
    for name, train in {**LABELLED, **REGRESSIONS, **POSITIVE, **SEVERAL, **RANKINGS, **SHAPES}.items()
)


def _refused(target: Reals | None = None, **settings: Any) -> tuple[bytes, FeatureSpace]:
    trained = train_catboost(target, rows=ROWS, **settings)
    return trained.artifact, trained.space


def _target_statistics(**settings: Any) -> tuple[bytes, FeatureSpace]:
    trained = train_catboost(categorical=MIXED, one_hot_max_size=2, **settings)
    return trained.artifact, trained.space


def _binary(column: list[Any] | None = None, **columns: list[int]) -> tuple[bytes, FeatureSpace]:
    """Save in the library's own binary format, the only one for models with texts or embeddings."""
    rows = ROWS.astype(object)
    if column is not None:
        rows[:, 1] = column
    model = catboost.CatBoostClassifier(**SETTINGS, **columns)
    model.fit(rows, SIGNAL > 0)
    return saved(model, kind="cbm"), train_catboost().space


def _texts() -> tuple[bytes, FeatureSpace]:
    return _binary([TEXTS[2] if x > 0 else TEXTS[3] for x in SIGNAL], text_features=[1])


def _embeddings() -> tuple[bytes, FeatureSpace]:
    return _binary([np.array([x, x**2]) for x in SIGNAL], embedding_features=[1])


def _summed() -> tuple[bytes, FeatureSpace]:
    model = catboost.CatBoost({**SETTINGS, "loss_function": "RMSE"})
    model.fit(catboost.Pool(ROWS, SIGNAL))
    both = catboost.sum_models([model, model], weights=[0.5, 0.5])
    return saved(both), train_catboost().space


class _SquaredError:
    """A loss function of one's own."""

    weight = 2.0

    def calc_ders_range(self, approxes: list[float], targets: list[float], _: object) -> list[tuple]:
        pairs = zip(approxes, targets, strict=True)
        return [(self.weight * (target - approx), -self.weight) for approx, target in pairs]


def _own_loss() -> tuple[bytes, FeatureSpace]:
    with warnings.catch_warnings():  # that the library cannot compile it
        warnings.simplefilter("ignore")
        return _refused(SIGNAL, loss_function=_SquaredError(), eval_metric="RMSE")


def _edited(**members: Any) -> tuple[bytes, FeatureSpace]:
    trained = train_catboost()
    return json.dumps({**trained.document, **members}).encode(), trained.space


def _early_class_params() -> tuple[bytes, FeatureSpace]:
    document = train_catboost().document
    document["model_info"]["multiclass_params"] = document["model_info"].pop("class_params")
    return _edited(model_info=document["model_info"])


REFUSALS: dict[str, tuple[Callable[[], tuple[bytes, FeatureSpace]], str]] = {
    "ctrs": (_target_statistics, r"ctrs \(categories encoded by target statistics"),
    "ctrs, nested trees": (partial(_target_statistics, grow_policy="Depthwise"), r"ctrs \(categories"),
    "cbm format": (_binary, "the cbm file format"),
    "text_features": (_texts, "the cbm file format"),
    "embedding_features": (_embeddings, "the cbm file format"),
    "sum_models": (_summed, r"without its training parameters \(sum_models\)"),
    "RMSEWithUncertainty": (
        partial(_refused, SIGNAL, loss_function="RMSEWithUncertainty"),
        "loss_function RMSEWithUncertainty",
    ),
    "LogLinQuantile": (partial(_refused, np.abs(SIGNAL), loss_function="LogLinQuantile"), "LogLinQuantile"),
    "SurvivalAft": (
        partial(_refused, np.c_[np.abs(SIGNAL), np.abs(SIGNAL) + 1], loss_function="SurvivalAft"),
        "loss_function SurvivalAft",
    ),
    "a loss function of one's own": (_own_loss, "loss_function PythonUserDefinedPerObject"),
    "classes_count beyond the labels": (
        partial(_refused, CLASSES, loss_function="MultiClass", classes_count=5),
        "classes that the trees do not know",
    ),
    "class_names beyond the labels": (
        partial(_refused, CLASSES, loss_function="MultiClass", class_names=[0, 1, 2, 3]),
        "classes that the trees do not know",
    ),
    "a single bias": (partial(_edited, scale_and_bias=[1, 0.5]), "scale_and_bias with a single bias"),
    "multiclass_params": (_early_class_params, "multiclass_params"),
    "an unknown member": (partial(_edited, tree_weights=[1.0]), "unknown field the document.tree_weights"),
}
REFUSED = tuple(Refused(FAMILY, name, artifact, says) for name, (artifact, says) in REFUSALS.items())
