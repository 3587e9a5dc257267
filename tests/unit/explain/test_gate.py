"""The gate passes what is exact, says what it found, and stops what is not."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pytest
import xgboost as xgb

from explain.attribution.treeshap import TreeShap
from explain.errors import AttributionUnreconciled, ManifestContradiction
from explain.gate import CapabilityReport, examine
from explain.models.base import Model
from explain.outcome import OutcomeRule
from explain.probes import probe_rows
from explain.reference import Reference
from tests.oracles.boosters import Trained, train

RULE = OutcomeRule("probability_of_adverse", 0.5, "decline", "approve")


@pytest.fixture(scope="module")
def trained() -> Trained:
    return train(("q", "c", "q", "q", "c", "q", "q", "q"), max_cat_to_onehot=1, num_parallel_tree=2)


def examined(model: Model, trained: Trained) -> CapabilityReport:
    reference = Reference.of("all_applicants", trained.rows[:150])
    shap = TreeShap.prepare(model, reference.rows, cache_dir=None)
    return examine(model, RULE, reference, shap)


def test_the_report_says_what_was_found(trained: Trained) -> None:
    report = examined(trained.model(), trained)
    assert "num_parallel_tree 2" in report.constructs
    assert "categorical splits" in report.constructs
    assert (report.trees, report.features, report.reference_rows) == (24, 8, 150)
    assert (report.outputs, report.input_width, report.float_width) == (1, 32, 32)
    assert xgb.__version__ in report.versions_tested
    assert (report.comparison, report.missing) == ("<", ("nan",))
    scores = trained.booster.predict(trained.matrix(trained.rows[:150]))
    assert report.reference_favourable_rows == int((scores < 0.5).sum())
    assert report.probes > 400
    assert report.reconciliation_max_error < 1e-5
    assert report.brute_force_max_error < 1e-5
    assert report.latency_median_ms > 0
    assert isinstance(asdict(report)["storage"], dict)


def test_the_same_probes_are_made_again(trained: Trained) -> None:
    reports = [examined(trained.model(), trained) for _ in range(2)]
    assert len({replace(report, latency_median_ms=0.0) for report in reports}) == 1


def test_probes_lie_on_thresholds_in_gaps_and_in_every_category(trained: Trained) -> None:
    model = trained.model()
    trees = model.form()
    probes = probe_rows(trees, model.space, trained.rows[:150], np.random.default_rng(0))
    feature = 0
    on = np.isin(probes[:, feature], trees.thresholds_of(feature))
    beside = np.isin(
        probes[:, feature], np.nextafter(trees.thresholds_of(feature).astype(np.float32), np.float32(-9))
    )
    assert on.any()
    assert beside.any()
    assert np.isnan(probes).any(axis=0).all()
    codes = range(len(model.space.features[1].categories))
    assert set(codes) <= set(probes[:, 1].tolist())


class Misread:
    """A model whose trees are not those that its native library uses."""

    def __init__(self, model: Model, **changes: np.ndarray) -> None:
        self._model = model
        self._trees = replace(model.form(), **changes)

    def __getattr__(self, name: str) -> object:
        return getattr(self._model, name)

    def form(self) -> object:
        return self._trees


def test_a_misread_threshold_is_noticed(trained: Trained) -> None:
    model = trained.model()
    moved = np.nextafter(model.form().threshold.astype(np.float32), np.float32(9)).astype(np.float64)
    with pytest.raises(AttributionUnreconciled):
        examined(Misread(model, threshold=moved), trained)


def test_a_misread_default_direction_is_noticed(trained: Trained) -> None:
    model = trained.model()
    with pytest.raises(AttributionUnreconciled):
        examined(Misread(model, default_left=~model.form().default_left), trained)


def test_misread_categories_are_noticed(trained: Trained) -> None:
    model = trained.model()
    with pytest.raises(AttributionUnreconciled):
        examined(Misread(model, category_words=~model.form().category_words), trained)


def test_a_model_without_splits_passes() -> None:
    constant = train(("q", "q"), gamma=1e9)
    assert examined(constant.model(), constant).leaves == 12


def test_a_probability_that_is_none_is_noticed() -> None:
    regression = train(("q",) * 3, objective="reg:squarederror")
    assert regression.booster.predict(regression.matrix(regression.rows[:150])).min() < 0
    with pytest.raises(ManifestContradiction, match="of a reference row is no probability_of_adverse"):
        examined(regression.model(), regression)


class Skewed:
    """Prepared values of which one is too large by what another is too small: every total is right."""

    def __init__(self, shap: TreeShap) -> None:
        self.storage = shap.storage
        self._shap = shap

    def explain(self, row: np.ndarray, output: int = 0) -> tuple[float, np.ndarray]:
        base_value, phi = self.explain_batch(row[np.newaxis, :], output)
        return base_value, phi[0]

    def explain_batch(self, rows: np.ndarray, output: int = 0) -> tuple[float, np.ndarray]:
        base_value, phi = self._shap.explain_batch(rows, output)
        return base_value, phi + np.array([0.01, -0.01] + [0.0] * (phi.shape[1] - 2))


def test_values_that_are_wrong_in_a_right_total_are_noticed(trained: Trained) -> None:
    model, reference = trained.model(), Reference.of("all_applicants", trained.rows[:150])
    shap = TreeShap.prepare(model, reference.rows, cache_dir=None)
    assert examine(model, RULE, reference, shap).tables_max_error < 1e-6
    with pytest.raises(AttributionUnreconciled):
        examine(model, RULE, reference, Skewed(shap))  # type: ignore[arg-type]
