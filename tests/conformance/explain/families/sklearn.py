"""What of scikit-learn is explained exactly, and what is refused: each one really trained."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd
import skops.io
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import (
    BaggingClassifier,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import (
    DecisionTreeClassifier,
    DecisionTreeRegressor,
    ExtraTreeClassifier,
    ExtraTreeRegressor,
)

from explain.features import Feature, FeatureSpace
from tests.oracles.cases import Construct, Example, Refused
from tests.oracles.sklearn_frames import on_close_numbers, on_frame, on_numbered_categories
from tests.oracles.sklearn_models import Trained, draw_rows, fit, signal, space_of, train

FAMILY = "sklearn"
FOREST = {"n_estimators": 12, "max_depth": 5, "random_state": 0}
BOOSTED = {"n_estimators": 12, "max_depth": 3, "random_state": 0}
HISTOGRAM = {"max_iter": 12, "max_leaf_nodes": 8, "min_samples_leaf": 5, "random_state": 0}


def _forest(kind: type, *, outputs: int = 2, missing: float = 0.1, **settings) -> Trained:
    return train(kind(**{**FOREST, **settings}), outputs=outputs, missing=missing)


def _boosted(kind: type, *, outputs: int = 2, **settings) -> Trained:
    return train(kind(**{**BOOSTED, **settings}), outputs=outputs, missing=0.0)


def _histogram(kind: type, *, outputs: int = 2, missing: float = 0.1, **settings) -> Trained:
    return train(kind(**{**HISTOGRAM, **settings}), outputs=outputs, missing=missing)


def _weighted_forest() -> Trained:
    rows = draw_rows(3, 240, 5, 0.1)
    weights = np.random.default_rng(3).random(240) + 0.1
    estimator = RandomForestClassifier(**FOREST, class_weight="balanced")
    fit(estimator, rows, signal(rows, 3) > 0, sample_weight=weights)
    return Trained(estimator, rows, space_of(5, nullable=True))


def _only_gaps_matter() -> Trained:
    """A feature that says something by its gaps alone: the library writes an infinite threshold."""
    rows = draw_rows(4, 240, 3, 0.3)
    rows[:, 0] = np.where(np.isnan(rows[:, 0]), np.nan, 1.0)
    estimator = DecisionTreeClassifier(max_depth=4, random_state=0)
    fit(estimator, rows, np.isnan(rows[:, 0]) ^ (np.nan_to_num(rows[:, 1]) > 0))
    return Trained(estimator, rows, space_of(3, nullable=True))


def _only_gaps_matter_histogram() -> Trained:
    base = _only_gaps_matter()
    estimator = HistGradientBoostingClassifier(**HISTOGRAM)
    fit(estimator, base.rows, base.estimator.predict(base.rows))
    return Trained(estimator, base.rows, base.space)


def _named_columns() -> Trained:
    frame = pd.DataFrame(draw_rows(7, 200, 3, 0.0), columns=["income", "debt ratio", "years"])
    estimator = fit(RandomForestRegressor(**FOREST), frame, signal(frame.to_numpy(), 7))
    space = FeatureSpace(tuple(Feature(name, "number") for name in frame.columns))
    return Trained(estimator, frame.to_numpy(), space)


def _constant_target(estimator: object) -> Trained:
    rows = draw_rows(8, 60, 3, 0.0)
    return Trained(fit(estimator, rows, np.full(60, 2.5)), rows, space_of(3, nullable=False))


TREES = {
    "DecisionTreeClassifier": DecisionTreeClassifier,
    "DecisionTreeRegressor": DecisionTreeRegressor,
    "ExtraTreeClassifier": ExtraTreeClassifier,
    "ExtraTreeRegressor": ExtraTreeRegressor,
}
FORESTS = {
    "RandomForestClassifier": RandomForestClassifier,
    "RandomForestRegressor": RandomForestRegressor,
    "ExtraTreesClassifier": ExtraTreesClassifier,
    "ExtraTreesRegressor": ExtraTreesRegressor,
}
GBC, GBR = GradientBoostingClassifier, GradientBoostingRegressor
HGC, HGR = HistGradientBoostingClassifier, HistGradientBoostingRegressor

TRAINED: dict[str, Callable[[], Trained]] = {
    **{
        name: partial(lambda kind: train(kind(max_depth=5, random_state=0)), kind)
        for name, kind in TREES.items()
    },
    **{name: partial(_forest, kind) for name, kind in FORESTS.items()},
    "DecisionTreeClassifier, three classes": lambda: train(
        DecisionTreeClassifier(max_depth=4, random_state=0), outputs=3
    ),
    "DecisionTreeRegressor, three outputs": lambda: train(
        DecisionTreeRegressor(max_depth=4, random_state=0), outputs=3
    ),
    "RandomForestClassifier, three classes": partial(_forest, RandomForestClassifier, outputs=3),
    "ExtraTreesClassifier, four classes": partial(_forest, ExtraTreesClassifier, outputs=4),
    "RandomForestRegressor, three outputs": partial(_forest, RandomForestRegressor, outputs=3),
    "RandomForestClassifier without gaps in training": partial(_forest, RandomForestClassifier, missing=0.0),
    "RandomForestClassifier, best-first, pruned": partial(
        _forest, RandomForestClassifier, max_leaf_nodes=12, ccp_alpha=0.005, criterion="entropy"
    ),
    "RandomForestClassifier, oob_score, max_samples": partial(
        _forest, RandomForestClassifier, oob_score=True, max_samples=0.6, n_estimators=30
    ),
    "RandomForestClassifier, weights and class_weight": _weighted_forest,
    "RandomForestRegressor, monotonic_cst": partial(
        _forest, RandomForestRegressor, monotonic_cst=[1, 0, -1, 0, 0], missing=0.0
    ),
    "RandomForestRegressor, poisson": lambda: on_close_numbers(
        RandomForestRegressor(**FOREST, criterion="poisson")
    ),
    "forest with names of columns": _named_columns,
    "forest, numbers that 32 bits round together": lambda: on_close_numbers(ExtraTreesRegressor(**FOREST)),
    "infinite thresholds (gaps alone)": _only_gaps_matter,
    "constant trees": lambda: _constant_target(RandomForestRegressor(**FOREST)),
    "deep trees": lambda: train(
        RandomForestRegressor(n_estimators=4, min_samples_leaf=1, random_state=0), count=400
    ),
    "GradientBoostingClassifier": partial(_boosted, GBC),
    "GradientBoostingClassifier, three classes": partial(_boosted, GBC, outputs=3, n_estimators=8),
    "GradientBoostingClassifier, exponential": partial(_boosted, GBC, loss="exponential"),
    "GradientBoostingClassifier, init zero": partial(_boosted, GBC, init="zero"),
    "GradientBoostingClassifier, init prior": partial(_boosted, GBC, init=DummyClassifier(strategy="prior")),
    "GradientBoostingClassifier, three classes, init zero": partial(_boosted, GBC, outputs=3, init="zero"),
    "GradientBoostingClassifier, subsample and learning_rate": partial(
        _boosted, GBC, subsample=0.5, learning_rate=0.37, max_features=2
    ),
    "GradientBoostingClassifier, early stopping": partial(
        _boosted, GBC, n_estimators=60, n_iter_no_change=2, tol=0.05
    ),
    **{
        f"GradientBoostingRegressor, {loss}": partial(_boosted, GBR, loss=loss)
        for loss in ("squared_error", "absolute_error", "huber", "quantile")
    },
    "GradientBoostingRegressor, init zero": partial(_boosted, GBR, init="zero"),
    "GradientBoostingRegressor, init median": partial(_boosted, GBR, init=DummyRegressor(strategy="median")),
    "GradientBoostingRegressor, constant trees": lambda: _constant_target(GBR(**BOOSTED)),
    "GradientBoostingRegressor, numbers that 32 bits confuse": lambda: on_close_numbers(GBR(**BOOSTED)),
    "HistGradientBoostingClassifier": partial(_histogram, HGC),
    "HistGradientBoostingClassifier without gaps": partial(_histogram, HGC, missing=0.0),
    "HistGradientBoostingClassifier, three classes": partial(_histogram, HGC, outputs=3, max_iter=8),
    "HistGradientBoostingClassifier, early stopping": partial(
        _histogram, HGC, max_iter=80, early_stopping=True, n_iter_no_change=3, tol=0.01
    ),
    "HistGradientBoostingClassifier, few bins": partial(_histogram, HGC, max_bins=4),
    "HistGradientBoostingClassifier, class_weight": partial(_histogram, HGC, class_weight="balanced"),
    "HistGradientBoostingRegressor, monotonic_cst": partial(_histogram, HGR, monotonic_cst=[1, 0, -1, 0, 0]),
    "HistGradientBoostingRegressor, interaction_cst": partial(
        _histogram, HGR, interaction_cst=[{0, 1}, {2, 3, 4}]
    ),
    **{
        f"HistGradientBoostingRegressor, {loss}": partial(_histogram, HGR, loss=loss)
        for loss in ("squared_error", "absolute_error", "poisson", "gamma")
    },
    "HistGradientBoostingRegressor, quantile": partial(_histogram, HGR, loss="quantile", quantile=0.8),
    "HistGradientBoostingRegressor, float64 thresholds": lambda: on_close_numbers(HGR(**HISTOGRAM)),
    "HistGradientBoostingRegressor, constant trees": lambda: _constant_target(HGR(**HISTOGRAM)),
    "HistGradientBoostingClassifier, infinite thresholds": _only_gaps_matter_histogram,
    "HistGradientBoostingClassifier, categories of a frame": lambda: on_frame(HGC(**HISTOGRAM)),
    "HistGradientBoostingClassifier, categories without gaps": lambda: on_frame(
        HGC(**HISTOGRAM), missing=0.0
    ),
    "HistGradientBoostingClassifier, categories, three classes": lambda: on_frame(
        HGC(**{**HISTOGRAM, "max_iter": 6}), outputs=3
    ),
    "HistGradientBoostingRegressor, categorical_features by name": lambda: on_frame(
        HGR(**HISTOGRAM, categorical_features=["purpose", "region"]), dtype="object", missing=0.0
    ),
    "HistGradientBoostingRegressor, numbered categories": lambda: on_numbered_categories(
        HGR(**HISTOGRAM, categorical_features=[1])
    ),
}


def _example(make: Callable[[], Trained]) -> Example:
    return make().example()


CONSTRUCTS: tuple[Construct, ...] = tuple(
    Construct(FAMILY, name, partial(_example, make)) for name, make in TRAINED.items()
)


def _dumped(make: Callable[[], object], *, outputs: int = 1) -> tuple[bytes, FeatureSpace]:
    rows = draw_rows(12, 80, 3, 0.0)
    target = np.column_stack([rows[:, number] > 0 for number in range(outputs)])
    estimator = fit(make(), rows, target[:, 0] if outputs == 1 else target)
    return skops.io.dumps(estimator), space_of(3, nullable=False)


def _one_class() -> tuple[bytes, FeatureSpace]:
    estimator = RandomForestClassifier(n_estimators=2).fit(np.zeros((9, 3)), np.ones(9))
    return skops.io.dumps(estimator), space_of(3, nullable=False)


def _unfitted() -> tuple[bytes, FeatureSpace]:
    return skops.io.dumps(RandomForestClassifier()), space_of(3, nullable=False)


def _listed() -> tuple[bytes, FeatureSpace]:
    return skops.io.dumps([RandomForestClassifier()]), space_of(3, nullable=False)


REFUSED: tuple[Refused, ...] = (
    Refused(
        FAMILY,
        "BaggingClassifier",
        partial(_dumped, lambda: BaggingClassifier(n_estimators=2)),
        r"estimator BaggingClassifier",
    ),
    Refused(
        FAMILY,
        "Pipeline",
        partial(_dumped, lambda: make_pipeline(StandardScaler(), DecisionTreeClassifier())),
        r"estimator Pipeline",
    ),
    Refused(FAMILY, "LogisticRegression", partial(_dumped, LogisticRegression), r"LogisticRegression"),
    Refused(
        FAMILY,
        "GradientBoostingRegressor with an init of its own",
        partial(_dumped, lambda: GBR(n_estimators=2, init=LinearRegression())),
        r"init LinearRegression",
    ),
    Refused(
        FAMILY,
        "GradientBoostingClassifier with an init that is not the prior",
        partial(_dumped, lambda: GBC(n_estimators=2, init=DummyClassifier(strategy="uniform"))),
        r"init DummyClassifier with strategy uniform",
    ),
    Refused(
        FAMILY,
        "a classifier with several outputs",
        partial(_dumped, lambda: RandomForestClassifier(n_estimators=2), outputs=2),
        r"several outputs",
    ),
    Refused(FAMILY, "a classifier with one class", _one_class, r"one class"),
    Refused(FAMILY, "an estimator that was never fitted", _unfitted, r"never fitted"),
    Refused(FAMILY, "a list of estimators", _listed, r"a file of a ListNode"),
    Refused(FAMILY, "a pickle", lambda: (b"\x80\x04\x95 pickle", space_of(3, nullable=False)), r"format"),
)
