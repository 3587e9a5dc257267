"""Real scikit-learn estimators for tests, and the truth about them from their own functions."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import skops.io
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from explain.features import Feature, FeatureSpace
from explain.models import load_model
from explain.models.base import Model
from tests.oracles.cases import Example

Reals = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Trained:
    """A fitted estimator, the rows it was fitted on (categories as codes), and the features it has.

    `labels` gives the values behind the codes of the categorical columns, unseen ones last.
    """

    estimator: object
    rows: Reals
    space: FeatureSpace
    labels: dict[int, list] = field(default_factory=dict)

    @property
    def artifact(self) -> bytes:
        return skops.io.dumps(self.estimator)

    def model(self) -> Model:
        return load_model("sklearn", self.artifact, self.space)

    def example(self) -> Example:
        return Example(
            artifact=self.artifact,
            space=self.space,
            rows=rows_for(self),
            reference=self.rows[:16],
            margins64=self.margins64,
            native=self.native,
            native_error=1e-15 if getattr(self.estimator, "loss", None) in ("poisson", "gamma") else 0.0,
        )

    def input(self, rows: Reals) -> object:
        """Rows as the estimator was given them: a frame where it has names, the labels behind the codes."""
        columns = []
        for position, column in enumerate(np.asarray(rows, dtype=np.float64).T):
            labels = self.labels.get(position)
            if labels is None:
                columns.append(column)
            else:
                values = [np.nan if np.isnan(code) else labels[int(code)] for code in column]
                kind = object if isinstance(labels[0], str) else np.float64
                columns.append(np.array(values, dtype=kind))
        if hasattr(self.estimator, "feature_names_in_"):
            return pd.DataFrame(dict(zip(self.space.names, columns, strict=True)))
        return np.column_stack(columns)

    def native(self, rows: Reals) -> Reals:
        """The margin by the estimator's public functions."""
        given, estimator = self.input(rows), self.estimator
        if hasattr(estimator, "decision_function"):
            return estimator.decision_function(given)
        if hasattr(estimator, "predict_proba"):
            shares = estimator.predict_proba(given)
            return shares[:, 1] if shares.shape[1] == 2 else shares
        if getattr(estimator, "loss", None) in ("poisson", "gamma"):
            return np.log(estimator.predict(given))
        return estimator.predict(given)

    def scores(self, rows: Reals) -> Reals:
        """The score by the estimator's public functions."""
        given, estimator = self.input(rows), self.estimator
        if hasattr(estimator, "predict_proba"):
            shares = estimator.predict_proba(given)
            return shares[:, 1] if shares.shape[1] == 2 else shares
        return estimator.predict(given)

    def margins64(self, rows: Reals) -> Reals:
        """The values of the leaves that the library picks, summed here; of histograms, its own margin."""
        estimator = self.estimator
        if hasattr(estimator, "_raw_predict_init"):
            return self._staged(rows)
        if not hasattr(estimator, "tree_") and not hasattr(estimator, "estimators_"):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                raw = estimator._raw_predict(self.input(rows), n_threads=1)
            return raw[:, 0] if raw.shape[1] == 1 else raw
        trees = [one.tree_ for one in getattr(estimator, "estimators_", [estimator])]
        narrow = np.asarray(rows, dtype=np.float32)
        total = sum(tree.value[tree.apply(narrow)] for tree in trees) / len(trees)
        if hasattr(estimator, "classes_"):
            shares = total[:, 0, :]
            return shares[:, 1] if shares.shape[1] == 2 else shares
        return total[:, 0, 0] if total.shape[1] == 1 else total[:, :, 0]

    def _staged(self, rows: Reals) -> Reals:
        estimator, narrow = self.estimator, np.asarray(rows, dtype=np.float32)
        total = np.array(estimator._raw_predict_init(narrow), dtype=np.float64)
        for stage in estimator.estimators_:
            for output, one in enumerate(stage):
                leaves = one.tree_.value[one.tree_.apply(narrow), 0, 0]
                total[:, output] += estimator.learning_rate * leaves
        return total[:, 0] if total.shape[1] == 1 else total


def rows_for(trained: Trained) -> Reals:
    """Rows with gaps where the features allow them, at thresholds and one step beside, of every category."""
    generator = np.random.default_rng(99)
    rows = trained.rows[generator.integers(len(trained.rows), size=24)].copy()
    form = trained.model().form()
    width = np.float32 if form.input_width == 32 else np.float64
    for number in range(12):
        numeric = np.flatnonzero(np.isfinite(form.threshold))
        if len(numeric):
            node = numeric[generator.integers(len(numeric))]
            hit = width(form.threshold[node])
            toward = width([-np.inf, 0.0, np.inf][number % 3])
            rows[number, form.feature[node]] = hit if number % 3 == 1 else np.nextafter(hit, toward)
    for position, feature in enumerate(trained.space.features):
        if feature.categories:
            rows[12:, position] = np.arange(12) % len(feature.categories)
        if feature.nullable:
            rows[generator.random(len(rows)) < 0.2, position] = np.nan
    if all(feature.nullable for feature in trained.space.features):
        rows[0] = np.nan
    return rows


def draw_rows(seed: int, count: int, features: int, missing: float) -> Reals:
    """Rows with repeated values, so that thresholds are hit, and gaps."""
    generator = np.random.default_rng(seed)
    rows = np.round(generator.normal(size=(count, features)), 1)
    rows[generator.random(rows.shape) < missing] = np.nan
    return rows


def signal(rows: Reals, seed: int) -> Reals:
    """A noisy target with an interaction, in which a gap means something."""
    filled = np.nan_to_num(rows, nan=1.5)
    noise = np.random.default_rng(seed + 1).normal(size=len(rows))
    return filled[:, 0] + np.sin(3 * filled[:, -1]) * filled[:, rows.shape[1] // 2] + 0.3 * noise


def space_of(features: int, *, nullable: bool) -> FeatureSpace:
    return FeatureSpace(
        tuple(Feature(f"f{number}", "number", nullable=nullable) for number in range(features))
    )


def train(estimator: object, *, features: int = 5, count: int = 240, missing: float = 0.1, outputs: int = 2):
    """Fit on gaps and interactions; a classifier's labels are words, in as many classes as `outputs`."""
    rows = draw_rows(0, count, features, missing)
    target = signal(rows, 0)
    if hasattr(estimator, "predict_proba"):
        cuts = np.quantile(target, np.arange(1, outputs) / outputs)
        target = np.array(["declined", "paid", "refunded", "unknown"])[np.digitize(target, cuts)]
    elif getattr(estimator, "loss", None) in ("poisson", "gamma"):
        target = np.exp(0.3 * target)
    elif outputs == 3:
        target = np.column_stack([target, rows[:, 0] > 0, np.nan_to_num(rows[:, 1])])
    return Trained(fit(estimator, rows, target), rows, space_of(features, nullable=missing > 0))


def fit(estimator: object, rows: object, target: object, **given: object) -> object:
    """Fit with one thread: pools that wait for each other's turns take seconds for what takes none."""
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # settings that a later version will drop
        return estimator.fit(rows, target, **given)
